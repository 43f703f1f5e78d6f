"""What a process of ours does, as its name tells whoever watches it."""

from atectl.capsule.task import NAME_PREFIX
from atectl.system.libc import libc

_PR_SET_NAME = 15
_prctl = getattr(libc, "prctl", None)


def show_phase(phase: str) -> None:
    """Name this process for what it does."""
    if _prctl is not None:
        _prctl(_PR_SET_NAME, NAME_PREFIX.encode() + phase.encode())
