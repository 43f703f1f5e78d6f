"""The results of a batch on their way to their reader."""

import queue
import threading

from atectl.batch.job import JobResult

LEAST_GATHERED_S, MOST_GATHERED_S = 0.002, 0.032
"""How long results are collected before their reader goes on: while it runs, the jobs may not.

The longer, the more of them come at once; at first the shorter time, as somebody may wait for each.
"""

MOST_UNREAD_BYTES = 64 << 20
"""What unread results may hold before no more jobs start; those that run may add theirs."""


class ResultQueue:
    """Results in the order in which the jobs ended, for one reader.

    Args:
        closing: set when the batch closes: then nothing waits any more.
    """

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._gathered_s = LEAST_GATHERED_S
        self._results: queue.SimpleQueue[JobResult | None] = queue.SimpleQueue()
        self._has_ended = False
        self._unread_bytes = 0
        self._lock = threading.Lock()

    def put(self, result: JobResult) -> None:
        """Add a result, from any thread."""
        self._count(_size_of(result))
        self._results.put(result)

    def wake(self) -> None:
        """Wake the reader, to check whether there is still something to wait for."""
        self._results.put(None)

    def end(self) -> None:
        """There are no more than were put; idempotent."""
        if not self._has_ended:
            self._has_ended = True
            self.wake()

    def next(self, timeout_s: float) -> JobResult | None:
        """The next result; None if none came in that time, or after `wake`."""
        try:
            result = self._results.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if result is not None:
            self._count(-_size_of(result))
        return result

    def gather(self) -> None:
        """Wait a moment for more results, unless there is one already.

        The moment is twice as long each time that several came, and short again once they do not.
        """
        if self.has_more:
            return
        self._closing.wait(self._gathered_s)
        if self._results.qsize() > 1:
            self._gathered_s = min(2 * self._gathered_s, MOST_GATHERED_S)
        else:
            self._gathered_s = LEAST_GATHERED_S

    @property
    def has_more(self) -> bool:
        """Whether there is another result already."""
        return not self._results.empty()

    @property
    def is_full(self) -> bool:
        """Whether those that are there hold so much that no more should come."""
        return self._unread_bytes >= MOST_UNREAD_BYTES

    @property
    def is_over(self) -> bool:
        """Whether there are no more, and will be none."""
        return self._has_ended and not self.has_more

    def _count(self, more_bytes: int) -> None:
        if more_bytes:
            with self._lock:
                self._unread_bytes += more_bytes


def _size_of(result: JobResult) -> int:
    """What a result holds of what its guest made: what it returned and wrote."""
    outputs = sum(len(each.data) for each in result.output if each is not None)
    return outputs + sum(map(len, result.outcome.results))
