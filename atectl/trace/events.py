"""A trace of arbitration: all that happened to the leases of one host, as JSON lines.

The first line is the header; each line after it is one event, in the order of time. It is
written as it happens, so that the trace of a process that was killed lacks only its last moment.
"""

from collections.abc import Iterable
from typing import NamedTuple

from atectl.accounting import Budget, Pressure
from atectl.arbitration.seat import FAILED
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action, Decision, HostView

SCHEMA_VERSION = 1

HEADER_NAME = "trace"
"""What the first line of a trace says it is."""


class Header(NamedTuple):
    """What the host ran under. `policy` None is the one that goes with the back-pressure."""

    budget: Budget
    backpressure: str
    policy: str | None
    jobs: int
    """How many leases ran at once at most."""
    busy_leases: int | None = None
    """How many running leases kept the machine busy (its cores). None in traces of older versions,
    whose samples do not tell how the leases stood either."""
    spill_room_bytes: int | None = None
    """What the spill disk and its cap took as the run began; None where it is not known."""


class Registered(NamedTuple):
    """A lease began. Times are in seconds since the host did."""

    at_s: float
    lease: int
    priority: int
    principal: str = ""
    label: str = ""
    capsule: str = ""


class Asked(NamedTuple):
    """A lease asked to grow. If no ruling parks it for that, it was granted at once."""

    at_s: float
    lease: int
    held_bytes: int
    asked_bytes: int


class Sampled(NamedTuple):
    """What the host used at one moment, and what no other event tells of its leases."""

    at_s: float
    resident_bytes: int | None
    baseline_bytes: int
    charged_bytes: int
    parking: tuple[int, ...] = ()
    """The leases that were told to park at a tick and had not got there."""
    stalled: tuple[int, ...] = ()
    """Those that reached no tick: they were in a host call."""
    ending: tuple[int, ...] = ()
    """Those that were told to end, by whomever, and had not."""

    @classmethod
    def of(cls, leases: Iterable[Standing], at_s: float, pressure: Pressure) -> "Sampled":
        """What is to be told of `leases`, which are unfinished, at this moment."""
        seen = list(leases)
        return cls(
            at_s,
            *pressure,
            parking=tuple(lease.number for lease in seen if lease.parking),
            stalled=tuple(lease.number for lease in seen if lease.stalled),
            ending=tuple(lease.number for lease in seen if lease.aborting),
        )

    @property
    def pressure(self) -> Pressure:
        return Pressure(self.resident_bytes, self.baseline_bytes, self.charged_bytes)


class Ruled(NamedTuple):
    """A decision was carried out; of a spill this tells once it was done, with `freed_bytes` as
    they were measured."""

    at_s: float
    action: Action
    lease: int
    bytes: int
    freed_bytes: int | None
    reason: str
    resident_bytes: int | None
    baseline_bytes: int
    charged_bytes: int

    @property
    def is_failed_spill(self) -> bool:
        """Whether memory was to be spilled and could not be."""
        return self.reason.startswith(FAILED)

    @property
    def pressure(self) -> Pressure:
        return Pressure(self.resident_bytes, self.baseline_bytes, self.charged_bytes)


class Decided(NamedTuple):
    """What was decided, and the host as it was seen then: enough to decide it again."""

    at_s: float
    resident_bytes: int | None
    baseline_bytes: int
    spill_room_bytes: int
    busy_leases: int
    leases: tuple[Standing, ...]
    decisions: tuple[Decision, ...]

    @classmethod
    def on(cls, host: HostView, at_s: float, decisions: Iterable[Decision]) -> "Decided":
        """The decisions that were made on a view."""
        return cls(
            at_s,
            host.resident_bytes,
            host.baseline_bytes,
            host.spill_room_bytes,
            host.busy_leases,
            host.leases,
            tuple(decisions),
        )

    def host(self, budget: Budget) -> HostView:
        """The view that they were made on."""
        return HostView(
            budget,
            self.resident_bytes,
            self.baseline_bytes,
            self.leases,
            self.spill_room_bytes,
            self.busy_leases,
        )


class Finished(NamedTuple):
    """A lease ended, and its memory is gone."""

    at_s: float
    lease: int


Event = Registered | Asked | Sampled | Ruled | Decided | Finished


class Trace(NamedTuple):
    """A header and its events."""

    header: Header
    events: tuple[Event, ...]


EVENTS: dict[str, type[Event]] = {
    "registered": Registered,
    "asked": Asked,
    "sampled": Sampled,
    "ruled": Ruled,
    "decided": Decided,
    "finished": Finished,
}
"""The events, by the names that a trace gives them."""
EVENT_NAMES = {event: name for name, event in EVENTS.items()}
