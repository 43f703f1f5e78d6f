"""What a host keeps for one batch of a submitter: its jobs here, and results on their way."""

import time
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

_MOST_AT_ONCE = 512
_MOST_BYTES_AT_ONCE = 4 << 20

GATHER_S = 0.2
"""How long results are collected before they are sent, while the host has enough to do."""

LEAST_GATHER_S = 0.01
"""How long if it has not, so that more may be sent to it soon."""


class Running(NamedTuple):
    """A job of a session in its host: its number in the batch, its capsule, when it came."""

    number: int
    sha256: str
    came_s: float


class Told(NamedTuple):
    """What a session tells: the results and the number of the last of them, the jobs that go back,
    and those that began and were cut short."""

    last: int
    results: list[str]
    returned: list[int]
    cut: list[int]


class Session:
    """One batch on one host. The results that were told are kept until they are known to be there.

    Args:
        name: unique among all sessions.
        ttl_s: how long the submitter may be silent.
        capture_bytes: how much it wants of each output of a job; see `outputs.kept_of`.
    """

    def __init__(self, name: str, ttl_s: float, capture_bytes: int | None = None) -> None:
        self.name = name
        self.capture_bytes = capture_bytes
        self.ttl_s = ttl_s
        self.heard_s = time.monotonic()
        self.jobs: dict[int, Running] = {}
        """The jobs that have not ended, by their number in the host."""
        self._known: set[int] = set()
        self._results: deque[tuple[int, int, str]] = deque()
        self._returned: list[int] = []
        self._cut: list[int] = []
        self._last = 0
        self._since_s: float | None = None

    def hear(self) -> None:
        """The submitter is there."""
        self.heard_s = time.monotonic()

    @property
    def is_silent(self) -> bool:
        """Whether the submitter has not been heard of for too long."""
        return time.monotonic() - self.heard_s > self.ttl_s

    def begin(self, here: int, job: Running) -> bool:
        """A job has come. Returns whether it is new: one may come twice."""
        if job.number in self._known:
            return False
        self._known.add(job.number)
        self.jobs[here] = job
        return True

    def forget(self, number: int) -> None:
        """A job is not run here, so that it may come again."""
        self._known.discard(number)

    def put(self, number: int, result: str) -> bool:
        """A job has ended with this result, as JSON. Returns whether it is the first to tell."""
        self._last += 1
        self._results.append((self._last, number, result))
        if self._since_s is not None:
            return False
        self._since_s = time.monotonic()
        return True

    def give_back(self, numbers: Iterable[int]) -> None:
        """Jobs are not run here."""
        for number in numbers:
            self.forget(number)
            self._returned.append(number)
        if self._since_s is None:
            self._since_s = time.monotonic()

    def cut(self, number: int) -> None:
        """A job that ran was ended here, to be run elsewhere."""
        self.forget(number)
        self._cut.append(number)
        if self._since_s is None:
            self._since_s = time.monotonic()

    def wait_s(self, *, is_busy: bool) -> float | None:
        """How long to collect more before telling what there is; None if there is nothing.

        Args:
            is_busy: whether the host has enough to do.
        """
        if self._since_s is None:
            return None
        gather_s = GATHER_S if is_busy and len(self._results) < _MOST_AT_ONCE else LEAST_GATHER_S
        return max(0.0, self._since_s + gather_s - time.monotonic())

    def acknowledge(self, last: int) -> None:
        """The submitter has all results up to this one."""
        while self._results and self._results[0][0] <= last:
            self._known.discard(self._results.popleft()[1])

    def told(self) -> Told:
        """What there is to tell now."""
        results, size, last = [], 0, 0
        for serial, _, result in islice(self._results, _MOST_AT_ONCE):
            results.append(result)
            last, size = serial, size + len(result)
            if size > _MOST_BYTES_AT_ONCE:
                break
        returned, self._returned = self._returned, []
        cut, self._cut = self._cut, []
        has_more = bool(self._results) and self._results[-1][0] > last
        self._since_s = 0.0 if has_more else None
        return Told(last, results, returned, cut)

    @property
    def is_told(self) -> bool:
        """Whether the submitter has all there is to tell, and no job is left."""
        return not (self.jobs or self._results or self._returned or self._cut)
