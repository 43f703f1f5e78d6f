"""The jobs of a batch on their way through a fleet, and the order in which they are sent."""

import heapq
from collections import deque
from collections.abc import Callable
from pathlib import Path

from atectl.batch.fleet.wire import CapsuleName
from atectl.batch.job import JobTerms

MOST_LOSSES = 3
"""A job that so many hosts were lost with is not sent to another."""

_MOST_PASSED_OVER = 64


class Ticket:
    """A job, and what became of it so far.

    Args:
        job: its terms.
        capsule: by content.
        file: where that content is on this machine; None if only hosts have it.
        shares: the shares that it needs.
        read_s: when it was read, by `time.monotonic`.
    """

    def __init__(
        self,
        job: JobTerms,
        capsule: CapsuleName,
        file: Path | None,
        shares: frozenset[str],
        read_s: float,
    ) -> None:
        self.job = job
        self.number = job.job
        self.capsule = capsule
        self.file = file
        self.shares = shares
        self.read_s = read_s
        self.sent_s = read_s
        self.attempt = 0
        self.losses = 0
        self.unplaced_s: float | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether one more loss would be its last: it is then sent alone, so that no other job is
        counted among what it takes along."""
        return self.losses >= MOST_LOSSES - 1


class Pending:
    """The jobs that are to be sent: the highest priority first, then those that were read first.

    Suspects wait apart.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Ticket]] = []
        self.suspects: deque[Ticket] = deque()

    def __len__(self) -> int:
        return len(self._heap) + len(self.suspects)

    @property
    def usual(self) -> int:
        """How many there are that are no suspects."""
        return len(self._heap)

    def add(self, ticket: Ticket) -> None:
        if ticket.is_suspect:
            self.suspects.append(ticket)
        else:
            heapq.heappush(self._heap, (-ticket.job.priority, ticket.number, ticket))

    def take(self, most: int, accepts: Callable[[Ticket], bool]) -> list[Ticket]:
        """The next jobs, up to so many, that a host accepts. Others keep their place."""
        found: list[Ticket] = []
        passed: list[tuple[int, int, Ticket]] = []
        while self._heap and len(found) < most and len(passed) < _MOST_PASSED_OVER:
            entry = heapq.heappop(self._heap)
            if accepts(entry[2]):
                found.append(entry[2])
            else:
                passed.append(entry)
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return found

    def take_suspect(self, accepts: Callable[[Ticket], bool]) -> Ticket | None:
        """A suspect that a host accepts."""
        for ticket in self.suspects:
            if accepts(ticket):
                self.suspects.remove(ticket)
                return ticket
        return None

    def clear(self) -> None:
        self._heap.clear()
        self.suspects.clear()

    def remove_if(self, is_meant: Callable[[Ticket], bool]) -> list[Ticket]:
        """Take out the jobs that are meant."""
        found = [each for _, _, each in self._heap if is_meant(each)]
        found += [each for each in self.suspects if is_meant(each)]
        if found:
            self._heap = [entry for entry in self._heap if entry[2] not in found]
            heapq.heapify(self._heap)
            self.suspects = deque(each for each in self.suspects if each not in found)
        return found
