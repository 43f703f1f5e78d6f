"""A compilation that runs in another process, seen by the process that waits for it."""

import os
import resource
import select
import time
from contextlib import suppress
from typing import NamedTuple, Protocol

from atectl.capsule.limits import CompileLimits
from atectl.capsule.verdict import Effort, Verdict, effort_of, verdict_of
from atectl.errors import DeadlinePassed
from atectl.system.held import held_by

_LAST_S = 5.0
"""How long to wait until a killed process is gone and its memory is free."""

_BLOCK_BYTES = 512


class Taken(NamedTuple):
    """What a process that compiles has taken: memory of its own, its artifact's included where
    that is in memory, and how much more it may before it is over what it was granted."""

    own_bytes: int
    left_bytes: int


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
        granted_bytes: the memory that its process may allocate at first.
        worker: the process.
        memory: the descriptor of a file in memory, which holds the artifact if the cache does
            not; closed with this.
    """

    def __init__(
        self, name: str, limits: CompileLimits, granted_bytes: int, worker: Worker, memory: int
    ) -> None:
        self.memory = memory
        self.granted_bytes = granted_bytes
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

    @property
    def is_late(self) -> bool:
        """Whether it takes longer than it may."""
        return time.monotonic() >= self._began + self._limits.deadline_s

    def taken(self) -> Taken | None:
        """What its process has taken so far; None if that cannot be seen."""
        pid = self.pid
        held = None if pid is None else held_by(pid)
        if pid is None or held is None:
            return None
        with suppress(OSError):
            limit_bytes, _ = resource.prlimit(pid, resource.RLIMIT_DATA)
            if limit_bytes != resource.RLIM_INFINITY:  # or it is about to be limited
                base_bytes = limit_bytes - self.granted_bytes
                artifact_bytes = os.fstat(self.memory).st_blocks * _BLOCK_BYTES
                own_bytes = max(held.own_bytes - base_bytes, 0)
                return Taken(own_bytes + artifact_bytes, limit_bytes - held.data_bytes)
        return None

    def grant(self, added_bytes: int) -> None:
        """Let its process take so much more memory."""
        pid = self.pid
        if pid is None:
            return
        with suppress(OSError):  # it has ended meanwhile
            soft, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            resource.prlimit(pid, resource.RLIMIT_DATA, (soft + added_bytes, hard))
            self.granted_bytes += added_bytes

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

    @property
    def effort(self) -> Effort:
        """What it took, whatever it came to, once it is over."""
        return effort_of(self._reply or b"", time.monotonic() - self._began)

    def verdict(self, until: float | None = None) -> Verdict:
        """Wait for its verdict. After the limit of its time that is that it took too long.

        Args:
            until: when to give up waiting, by `time.monotonic`; None for no such time.

        Raises:
            DeadlinePassed: that time came first (exit 124).
            CompilerGone: its process was ended, or the engine broke down (exit 125).
            HostExhausted: the machine had no memory, process or file left for it (exit 125).
            OutgrewGrant: it needs more memory than it was granted, and its limit allows more.
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
        return verdict_of(
            reply, self._name, self._limits, self.granted_bytes, wall_s, was_late=not is_in_time
        )
