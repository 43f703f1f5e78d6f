"""Which job starts next and when, and whether more are to come."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from atectl.batch.job import JobTerms

_FRESH_S = 0.005
"""How long a job counts as just started.

No more than there are cores are just started at a time: with more, short jobs would only slow each
other down. Those that take longer run all beside each other.
"""

_MOST_UNREAD = 64
"""How many results may be unread, on top of one for each slot, before slots wait for the reader."""


class Intake:
    """Gives the slots of a batch their jobs, one at a time.

    Args:
        slots: how many jobs run at once.
        closing: set when the batch closes: then nothing waits any more.
        on_last: called once all jobs were taken in, on the thread that found that out.
    """

    def __init__(self, slots: int, closing: threading.Event, on_last: Callable[[], None]) -> None:
        self._slots = slots
        self._cores = len(os.sched_getaffinity(0))
        self._closing = closing
        self._on_last = on_last
        self._jobs: Iterator[JobTerms] = iter(())
        self._taking = threading.Lock()
        self._lock = threading.Lock()
        self._began: dict[int, float] = {}  # when each running job was started
        self._unread = 0  # started jobs whose results were not read yet
        self._are_all_taken = False
        self._is_stopping = False
        self.failure: BaseException | None = None
        """What iterating over the jobs raised."""

    def open(self, jobs: Iterable[JobTerms]) -> None:
        """Take jobs from here; `jobs` is iterated on the threads of those who call `take`."""
        self._jobs = iter(jobs)

    def take(self) -> JobTerms | None:
        """Wait until a job may start, and return it; None if no more are to start."""
        self._await_turn()
        with self._taking:
            if self._is_stopping or self._are_all_taken:
                return None
            try:
                job = next(self._jobs, None)
            except BaseException as error:
                job, self.failure = None, error
            return self._begin(job)

    def _begin(self, job: JobTerms | None) -> JobTerms | None:
        with self._lock:
            if job is None:
                self._are_all_taken = True
            elif self._is_stopping:
                return None
            else:
                self._unread += 1
                self._began[job.job] = time.monotonic()
        if job is None:
            self._on_last()
        return job

    def end(self, job: int) -> None:
        """A job has ended."""
        with self._lock:
            del self._began[job]

    def count_read(self) -> None:
        """A result was given to its reader."""
        with self._lock:
            self._unread -= 1

    def stop(self) -> None:
        """Start no more jobs. Safe in a signal handler."""
        self._is_stopping = True

    @property
    def is_over(self) -> bool:
        """Whether no more jobs start, and every result was read."""
        with self._lock:
            return not self._unread and (self._are_all_taken or self._is_stopping)

    @property
    def is_idle(self) -> bool:
        """Whether no job is running."""
        with self._lock:
            return not self._began

    def _await_turn(self) -> None:
        """Wait while others have just started jobs, or while too many results are unread."""
        while (wait_s := self._not_before_s()) > 0 and not self._is_stopping:
            self._closing.wait(wait_s)

    def _not_before_s(self) -> float:
        """Seconds to wait before checking again; 0 or less if a job may start."""
        with self._lock:
            if self._unread >= self._slots + _MOST_UNREAD:
                return _FRESH_S
            since = time.monotonic() - _FRESH_S
            fresh = [began for began in self._began.values() if began > since]
        return min(fresh) - since if len(fresh) >= self._cores else 0.0
