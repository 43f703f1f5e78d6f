"""A lease's place at its arbiter: where it asks, waits and spills.

Nothing here waits. What is not answered at once is answered later: the tenant is told that
something has changed, and looks again at its place.
"""

import time

from atectl.arbitration.deciding import is_granted_at_once
from atectl.arbitration.enforcer import Enforcer
from atectl.arbitration.seat import FAILED, Seat
from atectl.arbitration.view import Action
from atectl.errors import AtectlError

_LENT_SHARE = 16
"""At most one part in so many of what is left is lent to one lease."""


class Place:
    """The gate of one lease's memory. One thread at a time calls its methods, but for `wake`.

    Args:
        enforcer: what decides about the lease, and owns the lock that is taken here.
        seat: what is known of the lease.
    """

    __slots__ = ("_enforcer", "_held_since_s", "_is_spilling", "seat")

    def __init__(self, enforcer: Enforcer, seat: Seat) -> None:
        self._enforcer = enforcer
        self._held_since_s: float | None = None
        self._is_spilling = False
        self.seat = seat

    @property
    def state(self) -> str:
        """What the lease does, as it is listed: `running`, `parked` or `spilled`."""
        return self.seat.standing.phase.value

    @property
    def was_refused(self) -> bool:
        """As in `Seat`."""
        return self.seat.was_refused

    @property
    def held_s(self) -> float:
        """As in `Seat`."""
        return self.seat.held_s

    def admit(self, added_bytes: int) -> bool | None:
        """Whether the lease may grow; None if it is held, and `look` will tell."""
        enforcer, seat = self._enforcer, self.seat
        with enforcer.lock:
            if seat.was_refused:
                return False  # it is on its way out
            if seat.probed_at is not None:
                enforcer.hear_of(seat)
            if enforcer.chronicle.observer is not None:
                enforcer.chronicle.asked(seat, added_bytes)
            if not enforcer.is_guarded or is_granted_at_once(
                added_bytes, enforcer.use.room_bytes, enforcer.is_calm, seat
            ):
                seat.held_bytes += added_bytes
                enforcer.use.charge(added_bytes)
                return True
            enforcer.become(seat, seat.standing.ask(added_bytes))
            return self._hold()

    def lend(self, most_bytes: int) -> int:
        """Grant more than was asked for, as credit: up to so much, and what nobody could miss."""
        enforcer = self._enforcer
        with enforcer.lock:
            # Who records what happens is to see each growth.
            has_observer = enforcer.chronicle.observer is not None
            if has_observer or not enforcer.is_calm or self.seat.was_refused:
                return 0
            lent_bytes = most_bytes
            if enforcer.is_guarded:
                lent_bytes = min(most_bytes, max(enforcer.use.room_bytes, 0) // _LENT_SHARE)
            self.seat.held_bytes += lent_bytes
            enforcer.use.charge(lent_bytes)
            return lent_bytes

    def give_back(self, freed_bytes: int) -> None:
        """Count that `freed_bytes` of what was admitted are gone."""
        with self._enforcer.lock:
            self._enforcer.take_back(self.seat, freed_bytes)

    def checkpoint(self) -> bool | None:
        """Its guest has reached an epoch tick. Whether it may go on, as `admit` tells."""
        with self._enforcer.lock:
            self._enforcer.hear_of(self.seat)
            if not self.seat.standing.parking:
                return True
            self._enforcer.become(self.seat, self.seat.standing.reach_tick())
            return self._hold()

    def look(self) -> bool | None:
        """See what has become of a lease that is held, and have it spill if it is to.

        Returns:
            Whether it may go on, with the growth that it asked for, or is to end; None if it is
            held still, or not at all.
        """
        with self._enforcer.lock:
            seat = self.seat
            if self._held_since_s is None or self._is_spilling:
                return None
            if seat.standing.is_held and not seat.tenant.is_ending:
                if seat.standing.spilling:
                    return self._spill()
                return None
            return self._let_go()

    def spilled(self, freed_bytes: int, failure: AtectlError | None = None) -> bool | None:
        """The tenant has written its memory out, or could not. Answers as `look` does.

        Args:
            freed_bytes: the resident bytes that this has freed.
        """
        enforcer, seat = self._enforcer, self.seat
        with enforcer.lock:
            self._is_spilling = False
            stored_bytes = seat.tenant.stored_bytes
            enforcer.look()
            if failure is None:
                enforcer.become(seat, seat.standing.spilled(stored_bytes))
            else:
                enforcer.become(seat, seat.standing.spill_failed(stored_bytes))
                needed_bytes = max(seat.standing.room_needed_bytes, 1)
                seat.room_wanted_bytes = enforcer.disk.room_bytes + needed_bytes
                enforcer.wanting_room.add(seat)
                enforcer.disk.failure = failure
            came_of_it = "spilled" if failure is None else f"{FAILED}: {failure}"
            pressure = enforcer.use.pressure
            enforcer.chronicle.ruled(
                seat, Action.SPILL, seat.standing.spillable_bytes, came_of_it, pressure, freed_bytes
            )
            enforcer.settle()
            return self.look()

    def leave(self, kept_bytes: int = 0) -> None:
        """The lease has ended, and all its memory is gone but `kept_bytes`, which nobody uses."""
        enforcer, seat = self._enforcer, self.seat
        with enforcer.lock:
            self._held_since_s = None
            enforcer.remove(seat)
            if kept_bytes:
                enforcer.use.keep_idle(kept_bytes)
            if not seat.is_abandoned:
                enforcer.chronicle.finished(seat)
            enforcer.settle_unless_calm()

    def abandon(self) -> None:
        """The lease has ended, but its guest is asleep in a host call and keeps its memory."""
        enforcer = self._enforcer
        with enforcer.lock:
            if enforcer.seats.abandon(self.seat):
                enforcer.chronicle.finished(self.seat)
                enforcer.settle_unless_calm()

    def wake(self) -> None:
        """Have the lease see at once that it is to end."""
        with self._enforcer.lock:
            self._enforcer.seats.note(self.seat)
            self.seat.wake()

    # Under the lock

    def _hold(self) -> bool | None:
        """Hold the lease, unless it turns out that it may go on, or is to end."""
        self._held_since_s = time.monotonic()
        self.seat.room_wanted_bytes = 0
        self._enforcer.settle()
        return self.look()

    def _spill(self) -> bool | None:
        """Have the memory written out, while nothing of the guest runs."""
        self._is_spilling = True
        failure = self._enforcer.disk.spill(self.seat.tenant)
        return None if failure is None else self.spilled(0, failure)

    def _let_go(self) -> bool:
        """Its guest goes on, or is told to end where it is held."""
        seat = self.seat
        assert self._held_since_s is not None  # noqa: S101 - it is held
        seat.held_s += time.monotonic() - self._held_since_s
        self._held_since_s = None
        if seat.standing.is_held:
            seat.was_refused = True
            self._enforcer.become(seat, seat.standing.turn_away())
        return not seat.was_refused
