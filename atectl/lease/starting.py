"""What a capsule needs to start, and its quota does not allow: told before its code is mapped where
that is known by then. Nothing here imports the engine."""

from typing import Protocol

from atectl.accounting import Meter, Quota, charged_state_bytes
from atectl.capsule.creation import Creation
from atectl.errors import InitialMemoryOverQuota
from atectl.units import MAX_SIZE_BYTES, format_size, show_size

_PAGE_BYTES = 65_536
_STATE = "the state of its instances, such as globals and functions, and its types and exports"


class Startable(Protocol):
    """A capsule that is to be started."""

    @property
    def name(self) -> str: ...
    @property
    def creates(self) -> Creation: ...


def state_over_quota(capsule: Startable, quota: Quota) -> InitialMemoryOverQuota | None:
    """The error of a capsule whose state alone is over the quota; None if it is not."""
    state_bytes = charged_state_bytes(capsule.creates.state_bytes)
    return over_quota(capsule, state_bytes, quota) if state_bytes > quota.memory_bytes else None


def refused_state(capsule: Startable, meter: Meter) -> InitialMemoryOverQuota:
    """The error of a capsule whose state is over the quota, counted as a growth that is refused."""
    state_bytes = charged_state_bytes(capsule.creates.state_bytes)
    meter.admit(0, state_bytes)
    return over_quota(capsule, state_bytes, meter.quota)


def over_quota(capsule: Startable, needed_bytes: int, quota: Quota) -> InitialMemoryOverQuota:
    """The error of a capsule that needs so much to start, which is over the quota."""
    needed = format_size(needed_bytes)
    state_bytes = charged_state_bytes(capsule.creates.state_bytes)
    parts = f", {show_size(state_bytes)} of it for {_STATE}" if state_bytes else ""
    remedy = f"raise the quota: --max-mem {needed} or more"
    if quota.memory_bytes < _PAGE_BYTES:
        number = quota.memory_bytes
        remedy = f"{number} is a number of bytes: write --max-mem {number}MiB if that is meant"
    if needed_bytes > MAX_SIZE_BYTES:
        remedy = "no quota is so large: have it declare a smaller memory"
    return InitialMemoryOverQuota(
        f"{capsule.name} needs {_in_bytes(needed_bytes)} to start{parts}; "
        f"its quota is {_in_bytes(quota.memory_bytes)}",
        remedy=remedy,
    )


def _in_bytes(size_bytes: int) -> str:
    """A size in bytes, and with a unit, where that says more."""
    shown = format_size(size_bytes)
    return f"{size_bytes} bytes" + ("" if shown.isdecimal() else f" ({shown})")
