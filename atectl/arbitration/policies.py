"""Whom to take memory from, and what an arbiter may do: policies and back-pressure by name."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from atectl.arbitration.roster import Order
from atectl.arbitration.standing import Phase, Standing

NO_BACKPRESSURE = "none"
PARK = "park"
SPILL = "spill"
PARK_AND_SPILL = "both"


class Policy(NamedTuple):
    """Which lease gives up memory: the first in an order."""

    name: str
    order: Order | None
    """The order of leases that give up memory. Running leases are parked first, and parked ones
    spilled. None: memory is taken from no lease."""
    takes_first_running: bool = False
    """Whether the first that runs, in the order of registration, comes before all others."""

    def victim(self, leases: Iterable[Standing]) -> Standing | None:
        """The one of `leases` that is to give; None for nobody."""
        return None if self.order is None else min(leases, key=self.order, default=None)


def _largest(lease: Standing) -> tuple[int, ...]:
    """The lease that holds most; of equals the newest."""
    return (-lease.held_bytes, -lease.number)


def _lowest_priority(lease: Standing) -> tuple[int, ...]:
    """The lease of the lowest priority, then the one that holds most; of equals the oldest."""
    return (lease.priority, -lease.held_bytes, lease.number)


def _park_first(name: str, order_of_parked: Order) -> Policy:
    """The first lease that runs; if all are parked, the one that comes first in another order."""

    def order(lease: Standing) -> tuple[int, ...]:
        is_running = lease.phase is Phase.RUNNING
        return (0, lease.number) if is_running else (1, *order_of_parked(lease))

    return Policy(f"park-first:{name}", order, takes_first_running=True)


class Rules(NamedTuple):
    """What an arbiter may do, and whom it chooses."""

    parks: bool
    spills: bool
    policy: Policy

    @property
    def is_guarded(self) -> bool:
        """Whether leases are held back under pressure at all."""
        return self.parks or self.spills

    @property
    def spill_order(self) -> Order | None:
        """In which order leases are spilled; None if none ever is."""
        return self.policy.order if self.spills else None


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
    "largest": lambda _: Policy("largest", _largest),
    "priority": lambda _: Policy("priority", _lowest_priority),
    "park-first": lambda backpressure: (
        _park_first("largest", _largest)
        if backpressure == PARK_AND_SPILL
        else _park_first("priority", _lowest_priority)
    ),
    "none": lambda _: Policy("none", None),
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
