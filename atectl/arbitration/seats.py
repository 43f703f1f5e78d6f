"""The seats of an arbiter: all leases whose memory counts, unfinished or abandoned."""

from atectl.arbitration.seat import Seat, Tenant
from atectl.arbitration.standing import Standing


class Seats:
    """Seats by their numbers. An abandoned lease has its outcome and is not decided on any more,
    but it keeps its memory until its guest wakes, and is seen by whoever decides."""

    def __init__(self) -> None:
        self._unfinished: dict[int, Seat] = {}
        self._abandoned: list[Seat] = []

    def __getitem__(self, number: int) -> Seat:
        return self._unfinished[number]

    @property
    def unfinished(self) -> tuple[Seat, ...]:
        """Those that have no outcome yet."""
        return tuple(self._unfinished.values())

    def add(self, seat: Seat) -> None:
        self._unfinished[seat.number] = seat

    def abandon(self, seat: Seat) -> bool:
        """Note that an unfinished lease was given up on; False if it has finished already."""
        if seat.number not in self._unfinished:
            return False
        seat.is_abandoned = True
        self._abandoned.append(seat)
        del self._unfinished[seat.number]
        return True

    def remove(self, seat: Seat) -> None:
        """Take out a lease that holds nothing any more."""
        if seat.is_abandoned:
            self._abandoned.remove(seat)
        else:
            del self._unfinished[seat.number]

    @property
    def holds_anybody_back(self) -> bool:
        return any(seat.is_held_back for seat in self._unfinished.values())

    @property
    def asked_bytes(self) -> int:
        """The growths that are waited for, all together."""
        return sum(seat.standing.asked_bytes for seat in self._unfinished.values())

    @property
    def tenants(self) -> list[Tenant]:
        """The leases whose memory counts."""
        return [seat.tenant for seat in (*self._unfinished.values(), *self._abandoned)]

    def seen(self) -> tuple[Standing, ...]:
        """All leases as they are decided upon, in the order of registration."""
        seats = sorted((*self._unfinished.values(), *self._abandoned), key=lambda x: x.number)
        return tuple(seat.seen() for seat in seats)
