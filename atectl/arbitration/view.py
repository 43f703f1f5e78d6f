"""A host at one moment, as it is decided upon, and what can be decided."""

from enum import StrEnum
from typing import NamedTuple

from atectl.accounting import Budget, Pressure
from atectl.arbitration.standing import Standing


class Action(StrEnum):
    """All that an arbiter does to a lease."""

    GRANT = "grant"
    """Answer its growth request with yes; memory that was spilled comes back in full at that."""
    PARK = "park"
    """Leave it waiting inside its growth request, or hold it at its next tick."""
    SPILL = "spill"
    """Write the memory of a parked lease to disk and give its pages back."""
    RESUME = "resume"
    """Let a lease that was held at a tick go on, with its memory back if it was spilled."""
    ABORT = "abort"
    """End it: reason `arbiter`, exit status 137."""


class HostState(NamedTuple):
    """The host at one moment, but for its leases."""

    budget: Budget
    pressure: Pressure
    spill_room_bytes: int
    """What the spill disk and its cap still take, beyond what is being written now."""
    busy_leases: int
    enough_leases: int = 0


class HostView(NamedTuple):
    """The host at one moment."""

    budget: Budget
    resident_bytes: int | None
    """None where it cannot be read; the charge alone serves then. To be read anew after a spill,
    or what was freed seems not to be."""
    baseline_bytes: int
    leases: tuple[Standing, ...]
    """The unfinished ones, in the order of registration."""
    spill_room_bytes: int
    """What the spill disk and its cap still take, beyond what is being written now."""
    busy_leases: int = 1
    """How many leases keep the machine busy (its cores). While so many run, a growth that does
    not fit waits for one of them; with fewer, parked leases are spilled for it."""
    compiling_bytes: int = 0
    """What the processes that compile may come to hold. It comes free by itself, and sooner if need
    be: nobody is parked, spilled or aborted for it."""
    enough_leases: int = 0
    """While much memory is on disk, no more leases go on once so many run; 0 if that is
    `busy_leases`. It takes more to keep the machine busy where guests sleep now and then."""
    baseline_of_others_bytes: int = 0
    """The part of the baseline that is gone once one lease has the host to itself."""

    @property
    def charged_bytes(self) -> int:
        """What all leases are charged together."""
        return sum(lease.charged_bytes for lease in self.leases)

    @property
    def pressure(self) -> Pressure:
        return Pressure(
            self.resident_bytes,
            self.baseline_bytes,
            self.charged_bytes,
            self.compiling_bytes,
            self.baseline_of_others_bytes,
        )

    @property
    def state(self) -> HostState:
        return HostState(
            self.budget, self.pressure, self.spill_room_bytes, self.busy_leases, self.enough_leases
        )


class Decision(NamedTuple):
    """One thing to be done now."""

    action: Action
    """What is to be done."""
    lease: int
    """To which lease."""
    bytes: int
    """GRANT: the growth granted. PARK: the growth that waits, 0 at a tick. SPILL: what is to go
    to disk. RESUME: what is to come back from disk, 0 if it is resident. ABORT: what it holds."""
    reason: str
    """Why."""
