"""A host at one moment as an arbiter sees it: its leases, what they ask for, what it may decide."""

from enum import StrEnum
from typing import NamedTuple

from atectl.accounting import Budget, Pressure


class Phase(StrEnum):
    """Where a lease stands."""

    RUNNING = "running"
    """On its thread; with `asked_bytes` it has just asked to grow and has no answer yet."""
    PARKED = "parked"
    """Held at a tick; with `asked_bytes`, inside its growth request. Its memory is resident."""
    SPILLED = "spilled"
    """Held, and its memory is on disk: it is charged nothing until it comes back."""


class Action(StrEnum):
    """All that an arbiter does to a lease."""

    GRANT = "grant"
    """Answer its growth request with yes; a spilled lease comes back in full at that."""
    PARK = "park"
    """Leave it waiting inside its growth request, or hold it at its next tick."""
    SPILL = "spill"
    """Write the memory of a parked lease to disk and give its pages back."""
    RESUME = "resume"
    """Let a lease that was held at a tick go on, with its memory back if it was spilled."""
    ABORT = "abort"
    """End it: reason `arbiter`, exit status 137."""


class LeaseView(NamedTuple):
    """One unfinished lease, as `decide` sees it."""

    number: int
    """Its place in the order of registration; unique."""
    priority: int
    """Higher is more important; 0 unless said."""
    held_bytes: int
    """Linear memory granted so far, all its memories together."""
    asked_bytes: int = 0
    """The growth it waits for inside its request; 0 if it waits for none."""
    phase: Phase = Phase.RUNNING
    spillable: bool = False
    """It stands at a safe point, and its memory may be written out. Say no once a spill failed."""
    parking: bool = False
    """It was told to park and has not got there yet."""
    spilling: bool = False
    """It was told to spill and has not finished; it is charged until it has."""
    aborting: bool = False
    """It was told to abort and has not ended; it is charged until it has."""
    stalled: bool = False
    """It reaches no tick (a long host call): it cannot park, and nobody is to wait for it."""
    stored_bytes: int = 0
    """What of its memory is on disk already, and takes no more room there."""

    @property
    def room_needed_bytes(self) -> int:
        """The most that spilling it takes of the disk."""
        return max(self.held_bytes - self.stored_bytes, 0)


class HostView(NamedTuple):
    """The host at one moment."""

    budget: Budget
    resident_bytes: int | None
    """None where it cannot be read; the charge alone serves then. To be read anew after a spill,
    or what was freed seems not to be."""
    baseline_bytes: int
    leases: tuple[LeaseView, ...]
    """The unfinished ones, in the order of registration."""
    spill_room_bytes: int
    """What the spill disk and its cap still take, beyond what is being written now."""
    busy_leases: int = 1
    """How many leases keep the machine busy (its cores). While so many run, a growth that does
    not fit waits for one of them; with fewer, parked leases are spilled for it."""

    @property
    def charged_bytes(self) -> int:
        """What all leases hold that are not spilled."""
        return sum(lease.held_bytes for lease in self.leases if lease.phase is not Phase.SPILLED)

    @property
    def pressure(self) -> Pressure:
        return Pressure(self.resident_bytes, self.baseline_bytes, self.charged_bytes)


class Decision(NamedTuple):
    """One thing to be done now."""

    action: Action
    lease: int
    bytes: int
    """GRANT: the growth granted. PARK: the growth that waits, 0 at a tick. SPILL: what is to go
    to disk. RESUME: what is to come back from disk, 0 if it is resident. ABORT: what it holds."""
    reason: str
