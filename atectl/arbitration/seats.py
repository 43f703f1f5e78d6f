"""The seats of an arbiter: all leases whose memory counts, unfinished or abandoned."""

from collections.abc import Collection, Iterator

from atectl.arbitration.roster import Order, Roster
from atectl.arbitration.seat import Seat, Tenant
from atectl.arbitration.standing import Standing


class Seats:
    """Seats by their numbers. An abandoned lease has its outcome and is not decided on any more,
    but it keeps its memory until its guest wakes, and is seen by whoever decides.

    Args:
        order: in which order leases are spilled; None if none ever is.
    """

    def __init__(self, order: Order | None = None) -> None:
        self._unfinished: dict[int, Seat] = {}
        self._abandoned: dict[int, Seat] = {}
        self._held_back: set[int] = set()
        self.roster = Roster(order=order, current=lambda number: self[number].seen())
        """The leases as they are decided upon."""

    def __getitem__(self, number: int) -> Seat:
        return self._unfinished[number]

    @property
    def unfinished(self) -> Collection[Seat]:
        """The leases that have no outcome yet."""
        return self._unfinished.values()

    def add(self, seat: Seat) -> None:
        self._unfinished[seat.number] = seat
        self.note(seat)

    def note(self, seat: Seat) -> None:
        """See where a lease stands now; one that was removed is passed over."""
        number = seat.number
        if number in self._unfinished and seat.is_held_back:
            self._held_back.add(number)
        else:
            self._held_back.discard(number)
        if number in self._unfinished or number in self._abandoned:
            self.roster.put(seat.seen())

    def abandon(self, seat: Seat) -> bool:
        """Note that an unfinished lease was given up on; False if it has finished already."""
        if seat.number not in self._unfinished:
            return False
        seat.is_abandoned = True
        self._abandoned[seat.number] = self._unfinished.pop(seat.number)
        self.note(seat)
        return True

    def remove(self, seat: Seat) -> None:
        """Take out a lease that holds nothing any more."""
        del (self._abandoned if seat.is_abandoned else self._unfinished)[seat.number]
        self._held_back.discard(seat.number)
        self.roster.remove(seat.number)

    @property
    def holds_anybody_back(self) -> bool:
        return bool(self._held_back)

    def tenants(self) -> Iterator[Tenant]:
        """The leases whose memory counts."""
        for seats in (self._unfinished, self._abandoned):
            for seat in seats.values():
                yield seat.tenant

    def seen(self) -> tuple[Standing, ...]:
        """All leases as they are decided upon, in the order of registration."""
        seats = sorted((*self._unfinished.values(), *self._abandoned.values()), key=_number)
        return tuple(seat.seen() for seat in seats)


def _number(seat: Seat) -> int:
    return seat.number
