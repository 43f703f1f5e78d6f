"""The course of a lease: when it began, why it was told to end, and how it ended."""

import time

from atectl.errors import AtectlError
from atectl.lease.outcome import Cause, Outcome
from atectl.lease.terms import GRACE_S


class Course:
    """What is the same of a lease wherever it runs. Its owner alone changes it; any thread may
    read it.

    Args:
        began_s: when its deadline and its wall-clock time begin to count, by `time.monotonic`;
            None means now.
    """

    __slots__ = ("_finished_s", "_started_s", "cause", "ended_at", "outcome", "started_at")

    def __init__(self, began_s: float | None = None) -> None:
        self.started_at = time.time()
        """When it began, in seconds since 1970."""
        self.ended_at = 0.0
        """When it ended, likewise."""
        self.cause: Cause | None = None
        """Why it was told to end; None if it was not."""
        self.outcome: Outcome | None = None
        """How it ended; None before."""
        self._started_s = time.monotonic() if began_s is None else began_s
        self._finished_s: float | None = None

    def wait(self, waited_s: float) -> None:
        """It begins only now, after so many seconds that do not count."""
        self._started_s += waited_s
        self.started_at = time.time()

    def tell_to_end(self, reason: str, error: AtectlError | None) -> Cause:
        """It was told to end. The first cause counts, which is returned."""
        if self.cause is None:
            self.cause = Cause(reason, error, time.monotonic())
        return self.cause

    def finish(self, outcome: Outcome) -> None:
        """It has ended."""
        self._finished_s, self.ended_at = time.monotonic(), time.time()
        self.outcome = outcome

    def has_passed(self, deadline_s: float | None) -> bool:
        """Whether it takes longer than its deadline."""
        return deadline_s is not None and time.monotonic() >= self._started_s + deadline_s

    @property
    def is_overdue(self) -> bool:
        """Whether it was told to end, and has taken longer than a guest may for that."""
        return self.cause is not None and time.monotonic() >= self.cause.at_s + GRACE_S

    @property
    def wall_s(self) -> float:
        """Wall-clock seconds from the start until now, or to the end."""
        return (self._finished_s or time.monotonic()) - self._started_s
