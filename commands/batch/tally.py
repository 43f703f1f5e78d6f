"""What became of the jobs of a batch, counted as they end."""

from collections import deque

from atectl.batch.lines import ResultLine
from atectl.lease.outcome import INTERRUPTED, TERMINATED

from .failures import Failures

_KEPT_RESULTS = 16
CUT_SHORT = (INTERRUPTED, TERMINATED)
"""Reasons of jobs that did not fail: they were ended with the batch."""


class Tally:
    """How far a batch is. Written by one thread at a time, read by any.

    Attributes:
        total: how many jobs there are, None while that is not known.
        interrupted: jobs that were ended with the batch; they count as neither done nor failed.
        has_begun: whether the host let the jobs begin.
        has_reader: whether stdout still leads to somebody.
        lacks_files: whether a file that was asked for beside the results could not be written.
        recent: the latest results, for the live table.
        failures: why jobs failed.
    """

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.interrupted = 0
        self.skipped = 0
        self.spills = 0
        self.spilled_bytes = 0
        self.is_stopping = False
        self.has_begun = False
        self.has_reader = True
        self.lacks_files = False
        self.failures = Failures()
        self.recent: deque[ResultLine] = deque(maxlen=_KEPT_RESULTS)

    @property
    def left(self) -> int | None:
        """Jobs without a result yet."""
        if self.total is None:
            return None
        return self.total - self.done - self.failed - self.interrupted - self.skipped

    def count(self, result: ResultLine) -> None:
        if result.is_success:
            self.done += 1
        elif result.ending.reason in CUT_SHORT:
            self.interrupted += 1
        else:
            self.failed += 1
            self.failures.add(result)
        for decision in result.decisions:
            if decision.freed_bytes:  # a spill that failed freed nothing
                self.spills += 1
                self.spilled_bytes += decision.freed_bytes
        self.recent.append(result)
