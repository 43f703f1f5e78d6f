"""A compilation that runs in another process, seen by the process that waits for it."""

import os
import select
import time
from typing import Protocol

from atectl.capsule.limits import CompileLimits
from atectl.capsule.verdict import Verdict, verdict_of
from atectl.errors import DeadlinePassed

_LAST_S = 5.0
"""How long to wait until a killed process is gone and its memory is free."""


class Worker(Protocol):
    """The process that compiles. It was forked by this process or by another."""

    @property
    def pid(self) -> int | None:
        """Its process ID; None while that is not known."""

    @property
    def pipe(self) -> int:
        """The descriptor to poll before `hear` is called."""

    def hear(self) -> bytes | None:
        """Read what has arrived. Returns the whole reply at its end, and None before."""

    def cut(self) -> None:
        """Kill it, if it is still running."""


class Compilation:
    """One capsule that is being compiled, until its `verdict` is known. To be closed.

    Args:
        name: of the capsule's file, for messages.
        limits: the limits of its process. Its wall-clock time is enforced here, the rest by the
            kernel.
        worker: the process.
        memory: the descriptor of a file in memory, which holds the artifact if the cache does
            not; closed with this.
    """

    def __init__(self, name: str, limits: CompileLimits, worker: Worker, memory: int) -> None:
        self.memory = memory
        self._name = name
        self._limits = limits
        self._worker = worker
        self._began = time.monotonic()
        self._reply: bytes | None = None

    def __enter__(self) -> "Compilation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cut it short if it is not over, and drop its artifact; idempotent."""
        if self._reply is None:
            self.cut()
            self.wait(_LAST_S)
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1

    def cut(self) -> None:
        """Cut it short: `verdict` then raises CompilerGone. Any thread may call it."""
        self._worker.cut()

    @property
    def pid(self) -> int | None:
        """The ID of the process that compiles; None while that is not known."""
        return self._worker.pid

    def wait(self, timeout_s: float | None) -> bool:
        """Wait at most `timeout_s` for the end. Returns whether it is over."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(self._worker.pipe, select.POLLIN)
        while self._reply is None:
            left_s = None if until is None else until - time.monotonic()
            if left_s is not None and left_s <= 0:
                return False
            if poll.poll(None if left_s is None else left_s * 1000):
                self._reply = self._worker.hear()
        return True

    def verdict(self, until: float | None = None) -> Verdict:
        """Wait for its verdict. After the limit of its time that is that it took too long.

        Args:
            until: when to give up waiting, by `time.monotonic`; None for no such time.

        Raises:
            DeadlinePassed: that time came first (exit 124).
            CompilerGone: its process was ended, or the engine broke down (exit 125).
            HostExhausted: the machine had no memory, process or file left for it (exit 125).
        """
        ends = self._began + self._limits.deadline_s
        is_in_time = self.wait(min(ends, until or ends) - time.monotonic())
        if not is_in_time:
            self.cut()
            self.wait(_LAST_S)
            if until is not None and until < ends:
                raise DeadlinePassed(f"{self._name} was still being compiled at its deadline")
        wall_s = time.monotonic() - self._began
        reply = self._reply or b""
        return verdict_of(reply, self._name, self._limits, wall_s, was_late=not is_in_time)
