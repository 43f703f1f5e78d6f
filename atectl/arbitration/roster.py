"""The leases of a host in the orders that decisions ask for, kept as the leases change.

A decision needs the oldest lease that fits, the next lease to be spilled, the number of running
leases. On a host with thousands of leases it must not look at each of them to find out. So each
order is a sorted list, and a lease that changes is moved within the lists that it is in. That takes
a few list operations, whose cost hardly grows with the number of leases.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Any

from atectl.arbitration.standing import Phase, Standing

Order = Callable[[Standing], tuple[int, ...]]
"""How a policy orders leases: the first is the first to give up memory."""


class Wait(IntEnum):
    """What a lease that is held waits for, as far as that decides who may go on."""

    GROWTH = 0
    """A growth; what it holds is in memory."""
    GROWTH_AND_RETURN = 1
    """A growth; what it holds is on disk."""
    RETURN = 2
    """To go on: it was parked at a tick, or spilled there."""
    FIRST_MEMORY = 3
    """To go on, and it holds nothing yet."""


class Roster:
    """The standings of leases by number, and what is known of all of them together.

    Args:
        standings: those of the leases there are.
        order: the policy's, for leases that are held; None where nobody is spilled.
        current: the latest standing of a running lease, which may have grown since it was put
            here.
    """

    def __init__(
        self,
        standings: Iterable[Standing] = (),
        order: Order | None = None,
        current: Callable[[int], Standing] | None = None,
    ) -> None:
        self._order = order
        self._current = current or self.__getitem__
        self._standings: dict[int, Standing] = {}
        self._held: list[int] = []
        self._askers: list[int] = []
        self._running: list[int] = []
        self._waiting: tuple[dict[int, list[int]], ...] = tuple({} for _ in Wait)
        self._wanted: list[tuple[int, int]] = []
        self._spillable: list[tuple[tuple[int, ...], int]] = []
        self.asked_bytes = 0
        """The growths that are waited for, all together."""
        self.changing = 0
        """How many leases carry out an order: to park, to spill, or to end."""
        self.parking = 0
        """How many leases are awake and were told to park."""
        self.awaited_sleepers = 0
        """How many leases sleep in a host call, and are decided on when they wake."""
        self.away_bytes = 0
        """What lies on disk, and is to come back."""
        self.relief_bytes = 0
        """What comes free by what was asked for before."""
        self.spilling_bytes = 0
        """The room on disk that leases need which are being spilled now."""
        self.spillable_bytes = 0
        """How many bytes could be put on disk by spilling every lease that can be spilled."""
        self.spillable_room_bytes = 0
        """The room on disk that this would need."""
        for standing in standings:
            self.put(standing)

    def __len__(self) -> int:
        return len(self._standings)

    def __getitem__(self, number: int) -> Standing:
        return self._standings[number]

    def __iter__(self) -> Iterator[Standing]:
        """All standings, in the order of registration."""
        return map(self._standings.__getitem__, sorted(self._standings))

    # Changes

    def put(self, standing: Standing) -> None:
        """Add a lease, or replace its standing."""
        before = self._standings.get(standing.number)
        if before == standing:
            return
        if before is not None:
            self._count(before, -1)
        self._standings[standing.number] = standing
        self._count(standing, 1)

    def remove(self, number: int) -> None:
        """Remove a lease that has ended."""
        self._count(self._standings.pop(number), -1)

    def _count(self, lease: Standing, sign: int) -> None:
        """Add a standing to all that it counts in, or take it out again."""
        change: Callable[[list[Any], Any], None] = insort if sign > 0 else _take_out
        if lease.makes_progress:
            change(self._running, lease.number)
            return  # which is all that most leases count in
        self.asked_bytes += sign * lease.asked_bytes
        self.changing += sign * lease.is_changing
        self.parking += sign * (lease.parking and not lease.stalled)
        self.awaited_sleepers += sign * (lease.stalled and not lease.aborting)
        self.away_bytes += sign * lease.away_bytes
        self.relief_bytes += sign * lease.relief_bytes
        if lease.spilling:
            self.spilling_bytes += sign * lease.room_needed_bytes
        if lease.may_go_on:
            change(self._held, lease.number)
            self._count_waiting(lease, change)
        if self._order is not None and lease.can_be_spilled:
            change(self._spillable, (self._order(lease), lease.number))
            self.spillable_bytes += sign * lease.spillable_bytes
            self.spillable_room_bytes += sign * lease.room_needed_bytes

    def _count_waiting(self, lease: Standing, change: Callable[[list[Any], Any], None]) -> None:
        if lease.awaits_first_answer:
            change(self._askers, lease.number)
        if lease.asked_bytes:
            change(self._wanted, (lease.held_bytes + lease.asked_bytes, lease.number))
        by_size = self._waiting[wait_of(lease)]
        numbers = by_size.setdefault(lease.return_bytes, [])
        change(numbers, lease.number)
        if not numbers:
            del by_size[lease.return_bytes]

    # Questions

    @property
    def running(self) -> int:
        """How many leases run, and were not told to stop."""
        return len(self._running)

    def all_running(self) -> Iterator[Standing]:
        """The leases that run, in the order of registration."""
        return map(self._current, tuple(self._running))

    def all_held(self) -> Iterator[Standing]:
        """The held leases that may go on, in the order of registration."""
        return map(self._standings.__getitem__, tuple(self._held))

    @property
    def askers(self) -> tuple[int, ...]:
        """The leases whose growth request has no answer yet, in the order of registration."""
        return tuple(self._askers)

    @property
    def oldest_held(self) -> int | None:
        """The lease that goes on next, and so is not spilled."""
        return self._held[0] if self._held else None

    def wanting_more_than(self, can_hold: Callable[[int], bool]) -> list[int]:
        """The leases that ask for more than the host can hold, in the order of registration.

        Args:
            can_hold: whether it can hold so many bytes; if it can, it can hold fewer, too.
        """
        first = len(self._wanted)
        while first and not can_hold(self._wanted[first - 1][0]):
            first -= 1
        return sorted(number for _, number in self._wanted[first:])

    def oldest_waiting(
        self, waits: Iterable[Wait], most_bytes: int, after: int | None = None
    ) -> int | None:
        """The oldest that waits for one of these, and for at most so many bytes; None if none.

        Args:
            after: look only at those that are younger than this one.
        """
        oldest: int | None = None
        for wait in waits:
            for size_bytes, numbers in self._waiting[wait].items():
                if size_bytes > most_bytes:
                    continue
                place = 0 if after is None else bisect_right(numbers, after)
                if place < len(numbers) and (oldest is None or numbers[place] < oldest):
                    oldest = numbers[place]
        return oldest

    def spillable_bytes_of_others(self, lease: Standing) -> int:
        """How much could be spilled for a held lease: what the others hold that can be."""
        own_bytes = lease.spillable_bytes if self._order and lease.can_be_spilled else 0
        return self.spillable_bytes - own_bytes

    def spillable(
        self, *, but_for: int | None, younger_than: int | None = None
    ) -> Iterator[Standing]:
        """The leases that can be spilled, in the order in which the policy spills them."""
        for _, number in self._spillable:
            if number != but_for and (younger_than is None or number > younger_than):
                yield self._standings[number]


def wait_of(lease: Standing) -> Wait:
    """What a held lease waits for."""
    if not lease.held_bytes:
        return Wait.FIRST_MEMORY
    if not lease.asked_bytes:
        return Wait.RETURN
    return Wait.GROWTH_AND_RETURN if lease.phase is Phase.SPILLED else Wait.GROWTH


def _take_out(ordered: list[Any], item: Any) -> None:
    del ordered[bisect_left(ordered, item)]
