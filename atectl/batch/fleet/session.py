"""What a host keeps for one batch of a submitter: its jobs here, and results on their way."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple

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


class _End(NamedTuple):
    """What became of a job here, by its number in the batch: its result as JSON; without one it
    goes back, as it has not begun or was cut short."""

    serial: int
    number: int
    result: str | None
    is_cut: bool


class Told(NamedTuple):
    """What a session tells: the results, the jobs that go back, and those that began and were cut
    short; and the number of the last of all these."""

    last: int
    results: list[str]
    returned: list[int]
    cut: list[int]


class Session:
    """One batch on one host. What was told is kept until it is known to be there.

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
        self._ends: deque[_End] = deque()
        self._last = 0
        self._done: dict[str, tuple[int, dict[str, Any]]] = {}
        self._since_s: float | None = None

    def hear(self) -> None:
        """The submitter is there."""
        self.heard_s = time.monotonic()

    @property
    def is_silent(self) -> bool:
        """Whether the submitter has not been heard of for too long."""
        return time.monotonic() - self.heard_s > self.ttl_s

    def once(self, what: str, number: int, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer to a message that changes something. One that comes again changes no more.

        Args:
            what: the kind of the message. The next of a kind comes when this one is known to have
                been heard.
            number: rises from one of them to the next.
        """
        last, answer = self._done.get(what, (0, {}))
        if number > last:
            answer = do()
            self._done[what] = number, answer
        return answer

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
        return self._add(number, result)

    def give_back(self, numbers: Iterable[int]) -> None:
        """Jobs are not run here."""
        for number in numbers:
            self.forget(number)
            self._add(number)

    def cut(self, number: int) -> None:
        """A job that ran was ended here, to be run elsewhere."""
        self.forget(number)
        self._add(number, is_cut=True)

    def _add(self, number: int, result: str | None = None, *, is_cut: bool = False) -> bool:
        self._last += 1
        self._ends.append(_End(self._last, number, result, is_cut))
        return self._is_first()

    def _is_first(self) -> bool:
        """There is something to tell. Returns whether there was nothing before."""
        if self._since_s is not None:
            return False
        self._since_s = time.monotonic()
        return True

    def wait_s(self, *, is_busy: bool) -> float | None:
        """How long to collect more before telling what there is; None if there is nothing.

        Args:
            is_busy: whether the host has enough to do.
        """
        if self._since_s is None:
            return None
        gather_s = GATHER_S if is_busy and len(self._ends) < _MOST_AT_ONCE else LEAST_GATHER_S
        return max(0.0, self._since_s + gather_s - time.monotonic())

    def acknowledge(self, last: int) -> None:
        """The submitter has all up to this. What it was told after that did not come."""
        while self._ends and self._ends[0].serial <= last:
            end = self._ends.popleft()
            if end.result is not None:
                self._known.discard(end.number)
        if self._ends:
            self._is_first()

    def told(self) -> Told:
        """What there is to tell now."""
        told, size = Told(0, [], [], []), 0
        for end in islice(self._ends, _MOST_AT_ONCE):
            if end.result is not None:
                told.results.append(end.result)
                size += len(end.result)
            else:
                (told.cut if end.is_cut else told.returned).append(end.number)
            told = told._replace(last=end.serial)
            if size > _MOST_BYTES_AT_ONCE:
                break
        has_more = bool(self._ends) and self._ends[-1].serial > told.last
        self._since_s = 0.0 if has_more else None
        return told

    @property
    def is_told(self) -> bool:
        """Whether the submitter has all there is to tell, and no job is left."""
        return not (self.jobs or self._ends)
