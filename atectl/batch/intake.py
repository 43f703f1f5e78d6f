"""Which job starts next and when, and whether more are to come."""

import os
import time
from collections.abc import Callable
from typing import Protocol

from atectl.batch.job import JobTerms

_FRESH_S = 0.005
"""How long a job counts as just started.

No more than there are cores are just started at a time: with more, short jobs would only slow each
other down. Those that take longer run all beside each other.
"""

_MOST_UNREAD = 128
"""How many results may be unread, on top of one for each slot, before no more jobs start."""


class JobSource(Protocol):
    """Where the jobs of a batch come from."""

    failure: BaseException | None
    """What keeps more jobs from coming."""

    def open(self, when_more: Callable[[], None]) -> None:
        """Begin; `when_more` is called, on any thread, once there is a job after there was none,
        and once it is over."""

    def take(self) -> JobTerms | None:
        """The next job; None if it was withdrawn just now. To be called if it `has_more`."""

    @property
    def has_more(self) -> bool:
        """Whether there is a job now."""

    @property
    def is_over(self) -> bool:
        """Whether there is none, and none will come."""

    def close(self) -> None:
        """No job is taken any more."""


class Intake:
    """Says which job starts next, and when.

    Args:
        slots: how many jobs run at once.
        when_more: called, on any thread, once there is a job after there was none, or no more.
    """

    def __init__(self, slots: int, when_more: Callable[[], None]) -> None:
        self._slots = slots
        self._when_more = when_more
        self._cores = len(os.sched_getaffinity(0))
        self._source: JobSource | None = None
        self._is_stopping = False
        self._began: dict[int, float] = {}  # when each running job was started
        self._started = self._read = 0  # jobs; and results, counted on another thread

    def open(self, source: JobSource) -> None:
        """Take jobs from here."""
        self._source = source
        source.open(self._when_more)

    def next(self) -> JobTerms | None:
        """The job that starts now; None if none can. See `not_before_s`."""
        source = self._source
        if self._is_stopping or source is None or not source.has_more or self.not_before_s() > 0:
            return None
        job = source.take()
        if job is not None:
            self._started += 1
            self._began[job.job] = time.monotonic()
        return job

    def not_before_s(self) -> float:
        """Seconds to wait before a job may start; 0 or less if one may, infinite if one has to end
        first, or results have to be read."""
        if len(self._began) >= self._slots or self._is_behind:
            return float("inf")
        if len(self._began) < self._cores:
            return 0.0
        since = time.monotonic() - _FRESH_S
        fresh = [began for began in self._began.values() if began > since]
        return min(fresh) - since if len(fresh) >= self._cores else 0.0

    def end(self, job: int) -> None:
        """A job has ended."""
        del self._began[job]

    def count_read(self) -> bool:
        """A result was given to its reader. Returns whether jobs may start again due to that."""
        was_behind = self._is_behind
        self._read += 1
        return was_behind

    def stop(self) -> None:
        """Start no more jobs. Safe in a signal handler."""
        self._is_stopping = True

    @property
    def waits(self) -> bool:
        """Whether there is a job that has yet to start."""
        return self._source is not None and self._source.has_more and not self._is_stopping

    @property
    def failure(self) -> BaseException | None:
        """What keeps more jobs from coming."""
        return None if self._source is None else self._source.failure

    @property
    def may_start(self) -> bool:
        """Whether jobs may start at all."""
        return not self._is_stopping

    @property
    def is_idle(self) -> bool:
        """Whether no job is running."""
        return not self._began

    @property
    def is_over(self) -> bool:
        """Whether no job is running and no more start."""
        are_all_taken = self._source is not None and self._source.is_over
        return not self._began and (are_all_taken or self._is_stopping)

    @property
    def _is_behind(self) -> bool:
        return self._started - self._read >= self._slots + _MOST_UNREAD

    def close(self) -> None:
        """Take no more jobs."""
        self._is_stopping = True
        if self._source is not None:
            self._source.close()
