"""Whom to take memory from, and what an arbiter may do: policies and backpressure by name."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from atectl.arbitration.view import LeaseView, Phase

NO_BACKPRESSURE = "none"
PARK = "park"
SPILL = "spill"
PARK_AND_SPILL = "both"
BACKPRESSURES = (NO_BACKPRESSURE, PARK, SPILL, PARK_AND_SPILL)
"""What an arbiter may do, by the names that users give.

`none` grants everything. `park` holds leases in memory. `spill` writes out at once whoever
stands in the way of a growth. `both` holds them first, and spills while too few run.
"""


class Policy(Protocol):
    """Whom to take something from. Picked by name at run time."""

    @property
    def name(self) -> str: ...

    def victim(self, leases: Sequence[LeaseView], pressure_bytes: int) -> LeaseView | None:
        """The one of `leases`, in the order of registration, that is to give; None for nobody.

        Those that run can be parked, the others are parked already. `pressure_bytes` is how far
        the host is past the gate that tripped.
        """
        ...


class Nobody:
    """Takes nothing from anybody."""

    name = "none"

    def victim(self, leases: Sequence[LeaseView], pressure_bytes: int) -> LeaseView | None:
        return None


class Largest:
    """The lease that is charged most; of equals the newest."""

    name = "largest"

    def victim(self, leases: Sequence[LeaseView], pressure_bytes: int) -> LeaseView | None:
        return max(leases, key=lambda lease: (lease.held_bytes, lease.number), default=None)


class LowestPriority:
    """The lease of the lowest priority, then the one charged most; of equals the oldest."""

    name = "priority"

    def victim(self, leases: Sequence[LeaseView], pressure_bytes: int) -> LeaseView | None:
        return min(
            leases,
            key=lambda lease: (lease.priority, -lease.held_bytes, lease.number),
            default=None,
        )


class ParkFirst:
    """The first lease that can be parked and is not; if all are, whom the inner policy takes."""

    def __init__(self, inner: Policy) -> None:
        self.inner = inner
        self.name = f"park-first:{inner.name}"

    def victim(self, leases: Sequence[LeaseView], pressure_bytes: int) -> LeaseView | None:
        running = (lease for lease in leases if lease.phase is Phase.RUNNING)
        return next(running, None) or self.inner.victim(leases, pressure_bytes)


class Rules(NamedTuple):
    """What an arbiter may do, and whom it chooses."""

    parks: bool
    spills: bool
    policy: Policy


_POLICIES: dict[str, Callable[[str], Policy]] = {
    "largest": lambda _: Largest(),
    "priority": lambda _: LowestPriority(),
    "park-first": lambda backpressure: ParkFirst(
        Largest() if backpressure == PARK_AND_SPILL else LowestPriority()
    ),
    "none": lambda _: Nobody(),
}
_OWN_POLICY = {
    NO_BACKPRESSURE: "none",
    PARK: "park-first",
    SPILL: "priority",
    PARK_AND_SPILL: "park-first",
}

POLICY_NAMES = tuple(_POLICIES)
"""The policies, by the names that users give."""


def rules(backpressure: str, policy_name: str | None = None) -> Rules:
    """The rules of one of `BACKPRESSURES`, with one of `POLICY_NAMES` or the one that goes with it.

    `park-first` is over the largest under `both`, else over the lowest priority.

    Raises:
        KeyError: no such back-pressure, or no such policy.
    """
    name = _OWN_POLICY[backpressure] if policy_name is None else policy_name
    return Rules(
        parks=backpressure in (PARK, PARK_AND_SPILL),
        spills=backpressure in (SPILL, PARK_AND_SPILL),
        policy=_POLICIES[name](backpressure),
    )
