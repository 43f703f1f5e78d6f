"""One capsule that is being compiled by another process, from the side of who waits for it."""

import os
import select
import time
from typing import Protocol

from atectl.capsule.limits import CompileLimits
from atectl.capsule.verdict import Verdict, verdict_of
from atectl.errors import DeadlinePassed

_LAST_S = 5.0
"""How long a process that was ended may take to be gone, with all the memory that it had."""


class Worker(Protocol):
    """The process that compiles, forked by this one or by another."""

    @property
    def pid(self) -> int | None:
        """Its number; None if it is not known yet."""

    @property
    def pipe(self) -> int:
        """What to wait for before `hear` is called."""

    def hear(self) -> bytes | None:
        """Take in what comes; what it came to if that is all."""

    def cut(self) -> None:
        """End it, if it is not over."""


class Compilation:
    """One capsule that is being compiled, until its `verdict` is in. To be closed.

    Args:
        name: of the capsule's file, for messages.
        limits: what its process is held to, but for the time by the clock: that is done here.
        worker: the process.
        memory: the descriptor of where the artifact is if it is in no file of the cache; closed
            with this.
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
        """Cut it short if it is not over, and give up its artifact; idempotent."""
        if self._reply is None:
            self.cut()
            self.wait(_LAST_S)
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1

    def cut(self) -> None:
        """Cut it short: its verdict is then that its process was ended. Any thread may call it."""
        self._worker.cut()

    @property
    def pid(self) -> int | None:
        """The process that compiles; None if it is not known yet."""
        return self._worker.pid

    def wait(self, timeout_s: float | None) -> bool:
        """Whether it is over, after `timeout_s` at most."""
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
        """What it comes to, once it is over or its time is.

        Args:
            until: when nobody waits for it any more, by `time.monotonic`; None for never.

        Raises:
            DeadlinePassed: that time came (exit 124).
            CompilerGone: its process was ended, or the engine broke down (exit 125).
            HostExhausted: there was no memory, process or file to be had for it (exit 125).
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
