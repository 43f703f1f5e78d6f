"""Jobs that are submitted one by one, while others run."""

import heapq
import threading
from collections.abc import Callable, Iterable
from itertools import count

from atectl.batch.job import JobTerms


class Inbox:
    """Jobs that have yet to start: the highest priority first, then the oldest.

    Any thread may call its methods. As a source of jobs, see `intake.JobSource`: it is over once
    it is closed and the last job was taken.

    Args:
        most_bytes: the most memory that a job can ever have here; None if that is not known.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self.most_bytes = most_bytes
        self._lock = threading.Lock()
        self._waiting: dict[int, JobTerms] = {}
        self._order: list[tuple[int, int, int]] = []  # some may have been taken back
        self._serials = count()
        self._when_more: Callable[[], None] | None = None
        self._is_closed = False
        self.failure: BaseException | None = None

    def submit(self, job: JobTerms) -> bool:
        """Have a job run when its turn comes. Its number must be new.

        Returns:
            Whether it was taken: not after `close`, and not if its quota is more than there can
            ever be room for.
        """
        if self.most_bytes is not None and job.terms.quota.memory_bytes > self.most_bytes:
            return False
        with self._lock:
            if self._is_closed:
                return False
            self._waiting[job.job] = job
            heapq.heappush(self._order, (-job.priority, next(self._serials), job.job))
        self._tell()
        return True

    def take_back(self, jobs: Iterable[int]) -> list[int]:
        """Have jobs not run that have not started. Returns those that this was true of."""
        with self._lock:
            return [job for job in jobs if self._waiting.pop(job, None) is not None]

    def close(self) -> None:
        """Take no more jobs; those that wait still run, unless they are taken back."""
        with self._lock:
            self._is_closed = True
        self._tell()

    def __len__(self) -> int:
        """How many jobs have yet to start."""
        return len(self._waiting)

    def open(self, when_more: Callable[[], None]) -> None:
        self._when_more = when_more
        self._tell()

    def take(self) -> JobTerms | None:
        with self._lock:
            while self._order:
                job = self._waiting.pop(heapq.heappop(self._order)[2], None)
                if job is not None:
                    return job
        return None

    @property
    def has_more(self) -> bool:
        return bool(self._waiting)

    @property
    def is_over(self) -> bool:
        with self._lock:
            return self._is_closed and not self._waiting

    def _tell(self) -> None:
        if self._when_more is not None:
            self._when_more()
