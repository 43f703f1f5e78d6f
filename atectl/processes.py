"""Telling one process from another that had its number, and whether it still runs."""

import os
from pathlib import Path


def process_identity(pid: int) -> str | None:
    """What no other process of this machine shares: the boot and the start time within it.

    None if there is no such process, or it has ended and waits to be reaped.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, start_ticks = fields[0], fields[19]
    return None if state in b"ZX" else f"{boot}:{start_ticks.decode()}"


def own_identity() -> str:
    """The identity of this process; empty where the system does not tell."""
    return process_identity(os.getpid()) or ""


def is_gone(pid: int, identity: str) -> bool:
    """Whether the process that was `pid` with this identity has ended, for certain.

    False where the system does not tell identities at all.
    """
    return bool(identity) and process_identity(pid) != identity
