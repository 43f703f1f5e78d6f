"""A trace of arbitration: all that happened to the leases of one host, as JSON lines.

The first line is the header; each line after it is one event, in the order of time. It is
written as it happens, so that of a process that was killed all but the last moment is there.
`trace_reading` reads it back.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from atectl.accounting import Budget, Pressure
from atectl.budget_errors import TraceUnwritable
from atectl.host_view import Action, Decision, HostView, LeaseView

if TYPE_CHECKING:
    from atectl.seats import Ruling, Seat

SCHEMA_VERSION = 1


class Header(NamedTuple):
    """What the host ran under. `policy` None is the one that goes with the back-pressure."""

    budget: Budget
    backpressure: str
    policy: str | None
    jobs: int
    """How many leases ran at once at most."""
    busy_leases: int | None = None
    """How many running leases kept the machine busy (its cores); None where it is not known, and
    then the samples do not say how the leases stood either."""
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
    """A lease asked to grow; unless it was ruled to park for it, it was granted at once."""

    at_s: float
    lease: int
    held_bytes: int
    asked_bytes: int


class Sampled(NamedTuple):
    """What the host used at one moment, and what of its leases no other event tells."""

    at_s: float
    resident_bytes: int | None
    baseline_bytes: int
    charged_bytes: int
    parking: tuple[int, ...] = ()
    """The leases that were told to park at a tick and had not got there."""
    stalled: tuple[int, ...] = ()
    """Those that reached no tick, being in a host call."""
    ending: tuple[int, ...] = ()
    """Those that were told to end, by whomever, and had not."""

    @property
    def pressure(self) -> Pressure:
        return Pressure(self.resident_bytes, self.baseline_bytes, self.charged_bytes)


class Ruled(NamedTuple):
    """A decision was carried out, spilling when it was done. `freed_bytes` is measured."""

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
        return self.reason.startswith("failed")

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
    leases: tuple[LeaseView, ...]
    decisions: tuple[Decision, ...]

    def host(self, budget: Budget) -> HostView:
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
_NAMES = {event: name for name, event in EVENTS.items()}


# Writing


class Recorder:
    """Told by an arbiter of all that happens, makes an event of each and hands it on."""

    def __init__(self, record: Callable[[Event], None]) -> None:
        self._record = record
        self._seats: dict[int, Seat] = {}

    def registered(self, at_s: float, seat: "Seat") -> None:
        self._seats[seat.number] = seat
        whose = seat.tenant
        self._record(
            Registered(
                at_s, seat.number, seat.priority, whose.principal, whose.label, whose.capsule_name
            )
        )

    def asked(self, at_s: float, seat: "Seat", added_bytes: int) -> None:
        self._record(Asked(at_s, seat.number, seat.held_bytes, added_bytes))

    def sampled(self, at_s: float, pressure: Pressure) -> None:
        seats = self._seats.values()
        self._record(
            Sampled(
                at_s,
                *pressure,
                parking=tuple(seat.number for seat in seats if seat.parking),
                stalled=tuple(seat.number for seat in seats if seat.stalled),
                ending=tuple(
                    seat.number for seat in seats if seat.aborting or seat.tenant.is_ending
                ),
            )
        )

    def decided(self, at_s: float, host: HostView, decisions: Sequence[Decision]) -> None:
        self._record(
            Decided(
                at_s,
                host.resident_bytes,
                host.baseline_bytes,
                host.spill_room_bytes,
                host.busy_leases,
                host.leases,
                tuple(decisions),
            )
        )

    def ruled(self, ruling: "Ruling", pressure: Pressure) -> None:
        self._record(
            Ruled(
                ruling.at_s,
                ruling.action,
                ruling.lease,
                ruling.bytes,
                ruling.freed_bytes,
                ruling.reason,
                *pressure,
            )
        )

    def finished(self, at_s: float, seat: "Seat") -> None:
        del self._seats[seat.number]
        self._record(Finished(at_s, seat.number))


class TraceWriter:
    """Writes a trace to a file, event by event. To be closed.

    An event never fails whoever reports it: what went wrong is raised by `close`.

    Raises:
        TraceUnwritable: the file cannot be opened (exit 125).
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._failure: OSError | None = None
        try:
            self._file: TextIO = path.open("w", encoding="utf-8")
        except OSError as error:
            raise _unwritable(path, error) from None
        self._put(header_line(header))

    def write(self, event: Event) -> None:
        self._put(event_line(event))
        # What is seen every few milliseconds waits for the next sample, a twentieth of a second.
        if not isinstance(event, Asked | Registered):
            self._guarded(self._file.flush)

    def close(self) -> None:
        """Close the file; idempotent.

        Raises:
            TraceUnwritable: an event could not be written (exit 125).
        """
        try:
            self._file.close()
        except OSError as error:
            self._failure = self._failure or error
        if self._failure is not None:
            raise _unwritable(self._path, self._failure)

    def _put(self, line: str) -> None:
        self._guarded(lambda: self._file.write(line))

    def _guarded(self, act: Callable[[], object]) -> None:
        if self._failure is None:
            try:
                act()
            except OSError as error:
                self._failure = error


def _unwritable(path: Path, error: OSError) -> TraceUnwritable:
    return TraceUnwritable(f"{path}: {error.strerror or error}")


def header_line(header: Header) -> str:
    record = {
        "event": "trace",
        "schema_version": SCHEMA_VERSION,
        **header.budget._asdict(),
        "backpressure": header.backpressure,
        "policy": header.policy,
        "jobs": header.jobs,
        "busy_leases": header.busy_leases,
        "spill_room_bytes": header.spill_room_bytes,
    }
    return _line(record)


def event_line(event: Event) -> str:
    fields = _compact(event)
    fields["at_s"] = round(event.at_s, 6)
    if isinstance(event, Decided):
        fields["leases"] = [_compact(lease) for lease in event.leases]
        fields["decisions"] = [decision._asdict() for decision in event.decisions]
    return _line({"event": _NAMES[type(event)], **fields})


def _compact(record: LeaseView | Event) -> dict[str, Any]:
    """The fields that are not as they usually are."""
    usual = record._field_defaults
    fields = record._asdict().items()
    return {name: value for name, value in fields if value != usual.get(name, ...)}


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
