"""A compilation that runs in another process, seen by the process that waits for it."""

import os
import resource
import select
import time
from contextlib import suppress
from typing import NamedTuple, Protocol

from atectl.capsule.limits import CompileLimits, most_untouched
from atectl.capsule.verdict import Effort, Verdict, effort_of, verdict_of
from atectl.errors import DeadlinePassed
from atectl.system.held import Held, held_by

LOOK_S = 0.01
"""Between two looks at a process that compiles."""

_LAST_S = 5.0
"""How long to wait until a killed process is gone and its memory is free."""

_BLOCK_BYTES = 512

_LEAST_CHANGE_BYTES = 1 << 20
"""The kernel's limit is not corrected for less."""


class Taken(NamedTuple):
    """What a process that compiles has taken: memory of its own, its artifact's included where
    that is in memory, and how much more it may before it is over what it was granted."""

    own_bytes: int
    left_bytes: int


class _Seen(NamedTuple):
    """A process that compiles: what it holds, the kernel's limit on its data, and to what that
    may be raised."""

    pid: int
    held: Held
    limit_bytes: int
    most_bytes: int


class Worker(Protocol):
    """The process that compiles. It was forked by this process or by another."""

    @property
    def pid(self) -> int | None:
        """Its process ID; None while that is not known."""

    @property
    def parent(self) -> int:
        """The ID of the process that forked it."""

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
        granted_bytes: the memory that its process may take at first. The kernel also counts what
            is reserved and not touched. As long as this waits, that is seen and added.
        worker: the process.
        memory: the descriptor of a file in memory, which holds the artifact if the cache does
            not; closed with this.
    """

    def __init__(
        self, name: str, limits: CompileLimits, granted_bytes: int, worker: Worker, memory: int
    ) -> None:
        self.memory = memory
        self.granted_bytes = granted_bytes
        self._untouched_bytes = 0
        """How far the kernel's limit is above the grant."""
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
            with suppress(OSError):  # Ctrl-C may have come while the end was heard
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
        seen = self._seen()
        if seen is None:
            return None
        artifact_bytes = os.fstat(self.memory).st_blocks * _BLOCK_BYTES
        own_bytes = max(seen.held.own_bytes - self._base_bytes(seen), 0)
        return Taken(own_bytes + artifact_bytes, seen.limit_bytes - seen.held.data_bytes)

    def grant(self, added_bytes: int) -> None:
        """Let its process take so much more memory."""
        seen = self._seen()
        if seen is not None:
            self._limit(seen, self.granted_bytes + added_bytes, self._untouched_bytes)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait at most `timeout_s` for the end. Returns whether it is over."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(self._worker.pipe, select.POLLIN)
        while self._reply is None:
            left_s = None if until is None else until - time.monotonic()
            if left_s is not None and left_s <= 0:
                return False
            look_s = LOOK_S if left_s is None else min(left_s, LOOK_S)
            if poll.poll(look_s * 1000):
                self._reply = self._worker.hear()
            else:
                self._leave_out_untouched()
        return True

    def _leave_out_untouched(self) -> None:
        """Correct the kernel's limit by what its process has reserved and not touched."""
        seen = self._seen()
        inherited = held_by(self._worker.parent)
        if seen is None or inherited is None:
            return
        untouched_bytes = max(seen.held.untouched_bytes - inherited.untouched_bytes, 0)
        untouched_bytes = min(untouched_bytes, most_untouched(self.granted_bytes))
        if abs(untouched_bytes - self._untouched_bytes) >= _LEAST_CHANGE_BYTES:
            self._limit(seen, self.granted_bytes, untouched_bytes)

    def _seen(self) -> "_Seen | None":
        """Its process as it is now; None before that has limited itself, and after its end."""
        pid = self.pid
        held = None if pid is None else held_by(pid)
        if pid is None or held is None:
            return None
        with suppress(OSError):
            limit_bytes, most_bytes = resource.prlimit(pid, resource.RLIMIT_DATA)
            if limit_bytes != resource.RLIM_INFINITY:
                return _Seen(pid, held, limit_bytes, most_bytes)
        return None

    def _limit(self, seen: "_Seen", granted_bytes: int, untouched_bytes: int) -> None:
        """Set the kernel's limit to so much beyond what its process began with."""
        base_bytes = self._base_bytes(seen)
        limit_bytes = min(base_bytes + granted_bytes + untouched_bytes, seen.most_bytes)
        with suppress(OSError, ValueError):  # it has ended meanwhile
            resource.prlimit(seen.pid, resource.RLIMIT_DATA, (limit_bytes, seen.most_bytes))
            self.granted_bytes = granted_bytes
            self._untouched_bytes = limit_bytes - base_bytes - granted_bytes

    def _base_bytes(self, seen: "_Seen") -> int:
        """The data that its process began with."""
        return seen.limit_bytes - self.granted_bytes - self._untouched_bytes

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
