"""Whether a process still runs, even if its process ID (pid) has been used again."""

import os
from functools import cache
from pathlib import Path


def process_identity(pid: int) -> str | None:
    """A text that identifies a process on this machine: boot, pid namespace and start time.

    None if there is no such process, if it has ended and waits to be reaped, or if the system
    does not tell.
    """
    try:
        start = _start_ticks(pid)
        return None if start is None else f"{_boot()}:{_pid_namespace()}:{start}"
    except OSError:
        return None


def own_identity() -> str:
    """The identity of this process; empty if the system does not tell."""
    return _identity_for_life(os.getpid())


@cache
def _identity_for_life(pid: int) -> str:
    # Every lease asks for it, and finding it out reads several files of /proc.
    return process_identity(pid) or ""


def boot_of(identity: str) -> str:
    """The boot in which the process with this identity ran; empty if it does not tell."""
    boot, _, rest = identity.partition(":")
    return boot if rest else ""


def own_boot() -> str | None:
    """What identifies the time since this machine was started; None if the system does not tell."""
    try:
        return _boot()
    except OSError:
        return None


def is_gone(pid: int, identity: str) -> bool:
    """Whether the process with this pid and identity has certainly ended.

    False if the system does not tell, and for a process of another pid namespace: two containers
    may have the same host name, and neither sees the processes of the other.
    """
    boot, _, rest = identity.partition(":")
    namespace, _, start = rest.partition(":")
    try:
        if not start or boot != _boot():
            return bool(start)
        return namespace == _pid_namespace() and start != _start_ticks(pid)
    except OSError:
        return False


def _start_ticks(pid: int) -> str | None:
    """When the process started, in clock ticks since boot; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in b"ZX" else fields[19].decode()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)
