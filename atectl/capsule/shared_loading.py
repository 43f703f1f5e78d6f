"""One content of a capsule that is being loaded, and what came of it for all who wait for that."""

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.loading import Capsule
from atectl.errors import AtectlError, InternalError

if TYPE_CHECKING:
    from atectl.capsule.compilation import Compilation
    from atectl.capsule.refusal import Refusal
    from atectl.capsule.verdict import Effort, Verdict

    Known = Capsule | Refusal


class Asker(NamedTuple):
    """Who asks for a capsule, until when, and for what."""

    principal: str
    until: float | None
    as_command: bool

    def key(self, sha256: str) -> str:
        """Under what a loading is shared: the same for all that want the same of one content."""
        return f"{sha256} command" if self.as_command else sha256


class SharedLoading:
    """One content that is being loaded, and how many wait for it.

    A `Future` could do most of this, but it imports logging.

    Args:
        ask: of the first who asks for it.
        sha256: the hash of the content.
    """

    def __init__(self, ask: Asker, sha256: str) -> None:
        self.ask = ask
        self.sha256 = sha256
        self.key = ask.key(sha256)
        self.waiting = 0
        self._ended = threading.Event()
        self._known: Known | None = None
        self._verdict: Verdict | None = None
        self._effort: Effort | None = None
        self._failure: AtectlError | None = None
        self._compilation: Compilation | None = None
        self._is_abandoned = False
        self._lock = threading.Lock()

    def begun(self, compilation: "Compilation") -> None:
        """Remember the compilation, so that `abandon` can cut it short."""
        with self._lock:
            self._compilation = compilation
            if self._is_abandoned:
                compilation.cut()

    def abandon(self) -> None:
        """Cut it short: nobody waits for it any more."""
        with self._lock:
            self._is_abandoned = True
            if self._compilation is not None:
                self._compilation.cut()

    @property
    def is_abandoned(self) -> bool:
        return self._is_abandoned

    @property
    def is_begun(self) -> bool:
        return self._compilation is not None

    def end(
        self,
        came_to: "Known | BaseException",
        verdict: "Verdict | None",
        effort: "Effort | None",
    ) -> None:
        """Set the result, or the error that prevented one, and what compiling came to."""
        self._verdict, self._effort = verdict, effort
        if isinstance(came_to, BaseException):
            if not isinstance(came_to, AtectlError):
                came_to = InternalError(f"{type(came_to).__name__}: {came_to}")
            self._failure = came_to.with_traceback(None)
        else:
            self._known = came_to
        self._ended.set()

    def has_ended(self, until: float | None) -> bool:
        """Wait until it is over or that time has come. Returns whether it is over."""
        return self._ended.wait(None if until is None else max(0.0, until - time.monotonic()))

    def result(self) -> "tuple[Known, Verdict | None]":
        """The result; raises the error that prevented one.

        What compiling took is told to the first who asks, and charged to nobody else.
        """
        if self._known is not None:
            with self._lock:
                known, verdict = self._known, self._verdict
                self._known, self._verdict = _as_known(known), None
            return known, verdict
        failure = self._failure or InternalError("a capsule was neither loaded nor refused")
        # A new error for each caller, since raising an error changes its traceback.
        told = type(failure)(str(failure), remedy=failure.remedy)
        self.tell_effort(told)
        raise told

    def tell_effort(self, error: AtectlError) -> None:
        """Have the first error that somebody gets tell what compiling took in vain."""
        with self._lock:
            effort, self._effort = self._effort, None
        if effort is not None:
            effort.tell(error)


def _as_known(known: "Known") -> "Known":
    """What a lease is told that did not have the capsule compiled: no compile time."""
    return known.as_known() if isinstance(known, Capsule) else known
