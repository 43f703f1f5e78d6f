"""Whom to take memory from, and what an arbiter may do: policies and back-pressure by name."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from atectl.arbitration.standing import Phase, Standing

NO_BACKPRESSURE = "none"
PARK = "park"
SPILL = "spill"
PARK_AND_SPILL = "both"


class Policy(Protocol):
    """Whom to take something from. Picked by name at run time."""

    @property
    def name(self) -> str: ...

    def victim(self, leases: Sequence[Standing], pressure_bytes: int) -> Standing | None:
        """The one of `leases`, in the order of registration, that is to give; None for nobody.

        Those that run can be parked, the others are parked already. `pressure_bytes` is how far
        the host is past the gate that tripped.
        """
        ...


class Nobody:
    """Takes nothing from anybody."""

    name = "none"

    def victim(self, leases: Sequence[Standing], pressure_bytes: int) -> Standing | None:
        return None


class Largest:
    """The lease that holds most; of equals the newest."""

    name = "largest"

    def victim(self, leases: Sequence[Standing], pressure_bytes: int) -> Standing | None:
        return max(leases, key=lambda lease: (lease.held_bytes, lease.number), default=None)


class LowestPriority:
    """The lease of the lowest priority, then the one that holds most; of equals the oldest."""

    name = "priority"

    def victim(self, leases: Sequence[Standing], pressure_bytes: int) -> Standing | None:
        return min(
            leases,
            key=lambda lease: (lease.priority, -lease.held_bytes, lease.number),
            default=None,
        )


class ParkFirst:
    """The first lease that runs; if all are parked, the one that the inner policy takes."""

    def __init__(self, inner: Policy) -> None:
        self.inner = inner
        self.name = f"park-first:{inner.name}"

    def victim(self, leases: Sequence[Standing], pressure_bytes: int) -> Standing | None:
        running = (lease for lease in leases if lease.phase is Phase.RUNNING)
        return next(running, None) or self.inner.victim(leases, pressure_bytes)


class Rules(NamedTuple):
    """What an arbiter may do, and whom it chooses."""

    parks: bool
    spills: bool
    policy: Policy

    @property
    def is_guarded(self) -> bool:
        """Whether leases are held back under pressure at all."""
        return self.parks or self.spills


class _Backpressure(NamedTuple):
    """What one back-pressure allows, and the policy that goes with it unless another is named."""

    parks: bool
    spills: bool
    policy_name: str


_BACKPRESSURES = {
    PARK_AND_SPILL: _Backpressure(parks=True, spills=True, policy_name="park-first"),
    PARK: _Backpressure(parks=True, spills=False, policy_name="park-first"),
    SPILL: _Backpressure(parks=False, spills=True, policy_name="priority"),
    NO_BACKPRESSURE: _Backpressure(parks=False, spills=False, policy_name="none"),
}

BACKPRESSURES = tuple(_BACKPRESSURES)
"""What an arbiter may do, by the names that users give.

`both` parks leases first, and spills them while too few run. `park` holds them in memory.
`spill` writes out at once whoever stands in the way of a growth. `none` grants everything.
"""

_POLICIES: dict[str, Callable[[str], Policy]] = {
    "largest": lambda _: Largest(),
    "priority": lambda _: LowestPriority(),
    "park-first": lambda backpressure: ParkFirst(
        Largest() if backpressure == PARK_AND_SPILL else LowestPriority()
    ),
    "none": lambda _: Nobody(),
}
"""Each policy by its name, made for a back-pressure. A policy that is added here is all there is
to add: options, budget files, completions and traces take their choices from this table."""

POLICY_NAMES = tuple(_POLICIES)
"""The policies, by the names that users give."""


def rules(backpressure: str, policy_name: str | None = None) -> Rules:
    """The rules of one of `BACKPRESSURES`, with one of `POLICY_NAMES` or the one that goes with it.

    `park-first` is over the largest under `both`, else over the lowest priority.

    Raises:
        KeyError: no such back-pressure, or no such policy.
    """
    allowed = _BACKPRESSURES[backpressure]
    policy = _POLICIES[policy_name or allowed.policy_name](backpressure)
    return Rules(allowed.parks, allowed.spills, policy)
