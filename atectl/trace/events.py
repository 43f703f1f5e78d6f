"""A trace of arbitration: all that happened to the leases of one host, as JSON lines.

The first line is the header; each line after it is one event, in the order of time. It is
written as it happens, so that the trace of a process that was killed lacks only its last moment.
"""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from atectl.accounting import Budget, Pressure
from atectl.arbitration.seat import FAILED
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action, Decision, HostView
from atectl.records.types import Mark

SCHEMA_VERSION = 1

HEADER_NAME = "trace"
"""What the first line of a trace says it is."""


class Header(NamedTuple):
    """What the host of a trace ran under."""

    budget: Annotated[Budget, Mark.INLINE]
    """What the host might use."""
    backpressure: str
    """How leases were held back."""
    policy: str | None
    """Whom it met first; null is the one that goes with the back-pressure."""
    jobs: int
    """How many leases ran at once at most."""
    busy_leases: int | None = None
    """How many running leases kept the machine busy (its cores). Null in traces of older versions,
    whose samples do not tell how the leases stood either."""
    spill_room_bytes: int | None = None
    """What the spill disk and its cap took as the run began; null where it is not known."""


class Registered(NamedTuple):
    """A lease began."""

    at_s: float
    """When, since the host began."""
    lease: int
    """Its number."""
    priority: int
    """The higher, the later it was held back."""
    principal: str = ""
    """Who was charged."""
    label: str = ""
    """The note that its job was given."""
    capsule: str = ""
    """The name of the capsule."""
    fixed_bytes: int = 0
    """What it would hold that no spill takes out of memory: the state of its instances."""


class Asked(NamedTuple):
    """A lease asked to grow. If no ruling parks it for that, it was granted at once."""

    at_s: float
    """When, since the host began."""
    lease: int
    """Its number."""
    held_bytes: int
    """What it held."""
    asked_bytes: int
    """What it asked for."""


class Sampled(NamedTuple):
    """What the host used at one moment, and what no other event tells of its leases."""

    at_s: float
    """When, since the host began."""
    resident_bytes: int | None
    """What was resident; null where that cannot be read."""
    baseline_bytes: int
    """What the host takes by itself."""
    charged_bytes: int
    """What its leases held that were not spilled."""
    compiling_bytes: int = 0
    """What might come to be held by the processes that compiled, which is no part of the rest."""
    baseline_of_others_bytes: int = 0
    """The part of the baseline that would be gone if one lease had the host to itself."""
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
        return Pressure(
            self.resident_bytes,
            self.baseline_bytes,
            self.charged_bytes,
            self.compiling_bytes,
            self.baseline_of_others_bytes,
        )


class Ruled(NamedTuple):
    """A decision was carried out; of a spill this tells once it was done, with `freed_bytes` as
    they were measured."""

    at_s: float
    """When, since the host began."""
    action: Action
    """What was done."""
    lease: int
    """To which lease."""
    bytes: int
    """What it is about: the growth that was granted or waits, or what went to disk or came back."""
    freed_bytes: int | None
    """What spilling was measured to have given back; null for other actions."""
    reason: str
    """Why."""
    resident_bytes: int | None
    """What was resident as it was decided; null where that cannot be read."""
    baseline_bytes: int
    """What the host takes by itself."""
    charged_bytes: int
    """What its leases held that were not spilled."""
    compiling_bytes: int = 0
    """What might come to be held by the processes that compiled, which is no part of the rest."""
    baseline_of_others_bytes: int = 0
    """The part of the baseline that would be gone if one lease had the host to itself."""

    @property
    def is_failed_spill(self) -> bool:
        """Whether memory was to be spilled and could not be."""
        return self.reason.startswith(FAILED)

    @property
    def pressure(self) -> Pressure:
        return Pressure(
            self.resident_bytes,
            self.baseline_bytes,
            self.charged_bytes,
            self.compiling_bytes,
            self.baseline_of_others_bytes,
        )


class Decided(NamedTuple):
    """What was decided, and the host as it was seen then: enough to decide it again."""

    at_s: float
    """When, since the host began."""
    resident_bytes: int | None
    """What was resident; null where that cannot be read."""
    baseline_bytes: int
    """What the host takes by itself."""
    spill_room_bytes: int
    """What the spill disk and its cap still took."""
    busy_leases: int
    """How many running leases keep the machine busy (its cores)."""
    leases: tuple[Standing, ...]
    """The leases that had not finished."""
    decisions: tuple[Decision, ...]
    """What was decided."""
    compiling_bytes: int = 0
    """What might come to be held by the processes that compiled, which is no part of the rest."""
    enough_leases: int = 0
    """How many running leases were enough while much memory was on disk; 0 for `busy_leases`."""
    baseline_of_others_bytes: int = 0
    """The part of the baseline that would be gone if one lease had the host to itself."""

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
            host.compiling_bytes,
            host.enough_leases,
            host.baseline_of_others_bytes,
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
            self.compiling_bytes,
            self.enough_leases,
            self.baseline_of_others_bytes,
        )


class Finished(NamedTuple):
    """A lease ended, and its memory is gone."""

    at_s: float
    """When, since the host began."""
    lease: int
    """Its number."""


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
