"""The result of a compilation, from the answer of its process or from how it died."""

import errno
import re
import signal
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.cache import Made
from atectl.capsule.creation import Creation
from atectl.capsule.limits import CompileLimits
from atectl.capsule.records import decode, unescape
from atectl.capsule.source import exhausted
from atectl.errors import (
    AtectlError,
    CompilerGone,
    InternalError,
)
from atectl.units import format_duration, format_size

if TYPE_CHECKING:
    from atectl.capsule.refusal import Refusal
    from atectl.engine.kind import Kind

_FAILED_ALLOCATION = r"memory allocation of (\d+) bytes failed"
_DIED_FOR_MEMORY = {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS}
_NEAR = 0.5
"""What share of a limit must have been reached for that limit to be the cause."""


class OutgrewGrant(Exception):
    """Compiling takes more memory than was granted for it so far, and may have more."""


class Effort(NamedTuple):
    """What a compilation took: wall-clock time, CPU time of all cores, and memory.

    `peak_bytes` is the most resident bytes of its process, without those that it began with.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0

    def after(self, earlier: "Effort") -> "Effort":
        """What this and an earlier attempt took together."""
        wall_s, cpu_s = self.wall_s + earlier.wall_s, self.cpu_s + earlier.cpu_s
        return Effort(wall_s, cpu_s, max(self.peak_bytes, earlier.peak_bytes))

    def tell(self, error: AtectlError) -> None:
        """Have an error tell what it took until then."""
        error.compile_s, error.compile_cpu_s, error.compile_peak_bytes = self


class Verdict(NamedTuple):
    """The result of a compilation: either `made` or `refusal` is set.

    Neither is there after other work than compiling, if that was done.

    `sha256` is the hash of the capsule's file as it was read; None if the process died before it
    could report it. `unkept` says why the artifact is in memory and not in the cache's file; empty
    if it is in that file.
    """

    sha256: str | None
    effort: Effort
    made: Made | None = None
    unkept: str = ""
    refusal: "Refusal | None" = None


def verdict_of(
    reply: bytes,
    name: str,
    limits: CompileLimits,
    granted_bytes: int,
    wall_s: float,
    *,
    was_late: bool,
) -> Verdict:
    """The verdict in a reply of the process that compiled or of the zygote.

    Args:
        name: of the capsule's file, for messages.
        limits: the limits of the compilation.
        granted_bytes: the memory that it was granted, which may be less than its limit.
        wall_s: how long it took.
        was_late: whether it was ended for taking too long.

    Raises:
        CompilerGone, HostExhausted, InternalError: it says nothing about the capsule (exit 125).
        OutgrewGrant: it needs more memory than it was granted, and its limit allows more.
    """
    record = decode(reply)
    if record is None:
        raise CompilerGone(f"{name}: the process that compiles was ended")
    effort = _effort(record, wall_s)
    sha256 = record.get("sha256")
    if "unkept" in record and sha256 is not None:
        kind: Kind = "component" if record["kind"] == "component" else "module"
        has_start = record["start"] == "yes"
        made = Made(sha256, kind, Creation.read(record["creates"]), has_start, record["artifact"])
        return Verdict(sha256, effort, made, unescape(record["unkept"]))
    if "written" in record:
        return Verdict(sha256, effort)
    from atectl.capsule.refusal import Refusal

    if "code" in record:
        return Verdict(sha256, effort, refusal=Refusal.read(record))
    if was_late or int(record.get("status", 0)) == -signal.SIGXCPU:
        return Verdict(sha256, effort, refusal=_out_of_time(limits, effort))
    refusal = _out_of_memory(record, granted_bytes, effort)
    if refusal is not None:
        if granted_bytes < (limits.memory_bytes or 0):
            raise OutgrewGrant
        return Verdict(sha256, effort, refusal=refusal)
    raise _fault(name, record)


def effort_of(reply: bytes, wall_s: float) -> Effort:
    """What a compilation took, whatever it came to; nothing if that is not known.

    Args:
        reply: as for `verdict_of`.
        wall_s: how long it took.
    """
    record = decode(reply)
    return Effort() if record is None else _effort(record, wall_s)


def _effort(record: dict[str, str], wall_s: float) -> Effort:
    # It shares what it began with with the process that forked it.
    taken_bytes = int(record.get("peak", 0)) - int(record.get("began_with", 0))
    return Effort(wall_s, float(record.get("cpu", 0)), max(0, taken_bytes))


def _out_of_time(limits: CompileLimits, effort: Effort) -> "Refusal":
    from atectl.capsule.errors import CompileTime
    from atectl.capsule.refusal import Refusal

    return Refusal(
        CompileTime.code,
        f" takes longer than {format_duration(limits.deadline_s)} to compile",
        CompileTime.default_remedy,
        limit=limits.deadline_s,
        # On a busy machine, other processes may have slowed it down.
        is_certain=effort.cpu_s >= _NEAR * limits.deadline_s,
    )


def _out_of_memory(record: dict[str, str], limit_bytes: int, effort: Effort) -> "Refusal | None":
    """The verdict that it took too much memory; None if that is not what ended it."""
    from atectl.capsule.errors import CompileMemory
    from atectl.capsule.refusal import Refusal

    asked_bytes = 0
    fault = record.get("fault")
    if fault is None and int(record["status"]) in _DIED_FOR_MEMORY:
        failed = re.search(_FAILED_ALLOCATION, unescape(record["messages"]))
        asked_bytes = int(failed[1]) if failed else 0
    elif fault != "memory" and (fault, record.get("errno")) != ("system", str(errno.EFBIG)):
        return None
    # A failure far below the limit has another cause, such as too little memory in the system.
    is_near = effort.peak_bytes + asked_bytes >= _NEAR * limit_bytes
    if fault is None and not is_near:
        return None
    return Refusal(
        CompileMemory.code,
        f" takes more than {format_size(limit_bytes)} of memory to compile",
        CompileMemory.default_remedy,
        limit=limit_bytes,
        is_certain=is_near,
    )


def _fault(name: str, record: dict[str, str]) -> AtectlError:
    """The error that prevented a verdict on the capsule."""
    fault = record.get("fault")
    if fault == "system":
        return exhausted(name, int(record["errno"]))
    if fault == "other":
        return InternalError(f"{name}: {unescape(record['said'])}")
    status, said = int(record["status"]), unescape(record["messages"])
    if re.search(_FAILED_ALLOCATION, said):
        return exhausted(name, errno.ENOMEM)
    if status == -signal.SIGKILL:
        return CompilerGone(f"{name}: the process that compiled it was ended by SIGKILL")
    how = signal.Signals(-status).name if status < 0 else f"status {status}"
    why = next((line.strip() for line in said.splitlines() if line.strip()), "no reason given")
    return CompilerGone(
        f"{name}: the engine broke down as it compiled it ({how}): {why}",
        remedy="that is a fault of the engine: report it to wasmtime's makers with the capsule",
    )
