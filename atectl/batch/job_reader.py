"""The jobs of a batch, read on a thread of its own, a few before they can start."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from atectl.batch.job import JobTerms

MOST_AHEAD = 8
"""How many jobs are read before they can start."""


class JobReader:
    """Jobs in the order in which they are read. See `intake.JobSource`.

    Args:
        jobs: iterated on a thread, and only a few are read ahead.
    """

    def __init__(self, jobs: Iterable[JobTerms]) -> None:
        self._jobs = iter(jobs)
        self._ahead: deque[JobTerms] = deque()
        self._changed = threading.Condition()
        self._are_all_read = False
        self._is_closed = False
        self.failure: BaseException | None = None

    def open(self, when_more: Callable[[], None]) -> None:
        reading = threading.Thread(
            target=self._read_jobs, args=(self._jobs, when_more), name="batch-intake", daemon=True
        )
        reading.start()

    def take(self) -> JobTerms:
        job = self._ahead.popleft()
        if len(self._ahead) <= MOST_AHEAD // 2:
            with self._changed:
                self._changed.notify()
        return job

    @property
    def has_more(self) -> bool:
        return bool(self._ahead)

    @property
    def is_over(self) -> bool:
        # In this order: a job is there before they are all read.
        return self._are_all_read and not self._ahead

    def close(self) -> None:
        self._is_closed = True
        with self._changed:
            self._changed.notify()

    # On the thread that reads jobs

    def _read_jobs(self, jobs: Iterator[JobTerms], when_more: Callable[[], None]) -> None:
        try:
            for job in jobs:
                if self._is_closed:
                    break
                self._ahead.append(job)
                if len(self._ahead) == 1:
                    when_more()
                self._await_room()
        except BaseException as error:
            self.failure = error
        self._are_all_read = True
        when_more()

    def _await_room(self) -> None:
        if len(self._ahead) < MOST_AHEAD:
            return
        with self._changed:
            self._changed.wait_for(lambda: len(self._ahead) < MOST_AHEAD or self._is_closed)
