"""The results of a batch on their way from its slots to whoever reads them."""

import queue
import threading

from atectl.batch.job import JobResult

_GATHERED_S = 0.002
"""How long results are gathered before their reader is woken: it takes the interpreter, too."""


class ResultQueue:
    """Results in the order in which the jobs ended, for one reader.

    Args:
        closing: set when nobody need be waited for any more.
    """

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._results: queue.SimpleQueue[JobResult | None] = queue.SimpleQueue()

    def put(self, result: JobResult) -> None:
        """Tell a result, from any thread."""
        self._results.put(result)

    def wake(self) -> None:
        """Have the reader look whether there is still something to wait for."""
        self._results.put(None)

    def next(self, timeout_s: float) -> JobResult | None:
        """The next result; None if none came in that time, or there may be none to wait for."""
        try:
            return self._results.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def gather(self) -> None:
        """Unless there is another result at once, let a few come together."""
        if not self.has_more:
            self._closing.wait(_GATHERED_S)

    @property
    def has_more(self) -> bool:
        """Whether there is another result at once."""
        return not self._results.empty()
