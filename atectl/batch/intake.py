"""Which job starts next and when, and whether more are to come."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from atectl.batch.job import JobTerms

_FRESH_S = 0.005
"""How long a job counts as just started.

No more than there are cores are just started at a time: with more, short jobs would only slow each
other down. Those that take longer run all beside each other.
"""

_MOST_UNREAD = 64
"""How many results may be unread, on top of one for each slot, before no more jobs start."""

_MOST_AHEAD = 8
"""How many jobs are read before they can start."""


class Intake:
    """Reads the jobs of a batch on a thread of its own, and says which starts next, and when.

    Args:
        slots: how many jobs run at once.
        when_more: called, on that thread, once there is a job after there was none, or no more.
    """

    def __init__(self, slots: int, when_more: Callable[[], None]) -> None:
        self._slots = slots
        self._when_more = when_more
        self._cores = len(os.sched_getaffinity(0))
        self._ahead: deque[JobTerms] = deque()
        self._changed = threading.Condition()
        self._are_all_read = False
        self._is_stopping = False
        self._began: dict[int, float] = {}  # when each running job was started
        self._started = self._read = 0  # jobs; and results, counted on another thread
        self.failure: BaseException | None = None
        """What iterating over the jobs raised."""

    def open(self, jobs: Iterable[JobTerms]) -> None:
        """Read jobs from here; `jobs` is iterated on a thread, and only a few are read ahead."""
        reading = threading.Thread(
            target=self._read_jobs, args=(iter(jobs),), name="batch-intake", daemon=True
        )
        reading.start()

    def next(self) -> JobTerms | None:
        """The job that starts now; None if none can. See `not_before_s`."""
        if self._is_stopping or not self._ahead or self.not_before_s() > 0:
            return None
        job = self._ahead.popleft()
        if len(self._ahead) <= _MOST_AHEAD // 2:
            with self._changed:
                self._changed.notify()
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
        return bool(self._ahead) and not self._is_stopping

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
        # In this order: a job is there before they are all read.
        are_all_taken = self._are_all_read and not self._ahead
        return not self._began and (are_all_taken or self._is_stopping)

    @property
    def _is_behind(self) -> bool:
        return self._started - self._read >= self._slots + _MOST_UNREAD

    def close(self) -> None:
        """Read no more jobs."""
        self._is_stopping = True
        with self._changed:
            self._changed.notify()

    # On the thread that reads jobs

    def _read_jobs(self, jobs: Iterator[JobTerms]) -> None:
        try:
            for job in jobs:
                if self._is_stopping:
                    break
                self._ahead.append(job)
                if len(self._ahead) == 1:
                    self._when_more()
                self._await_room()
        except BaseException as error:
            self.failure = error
        self._are_all_read = True
        self._when_more()

    def _await_room(self) -> None:
        if len(self._ahead) < _MOST_AHEAD:
            return
        with self._changed:
            self._changed.wait_for(lambda: len(self._ahead) < _MOST_AHEAD or self._is_stopping)
