"""A trace of arbitration: all that happened to the leases of one host, as JSON lines.

The first line is the header; each line after it is one event, in the order of time. It is
written as it happens, so that of a process that was killed all but the last moment is there.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

from atectl.accounting import Budget, Pressure
from atectl.arbitration import (
    BACKPRESSURES,
    POLICY_NAMES,
    Action,
    Decision,
    HostView,
    LeaseView,
    Phase,
)
from atectl.errors import BadTrace, TraceUnwritable

SCHEMA_VERSION = 1

_MOST_LINE_CHARACTERS = 16 << 20


class Header(NamedTuple):
    """What the host ran under. `policy` None is the one that goes with the back-pressure."""

    budget: Budget
    backpressure: str
    policy: str | None
    jobs: int
    """How many leases ran at once at most."""


class Registered(NamedTuple):
    """A lease began. Times are in seconds since the host did."""

    at_s: float
    lease: int
    priority: int


class Asked(NamedTuple):
    """A lease asked to grow; unless it was ruled to park for it, it was granted at once."""

    at_s: float
    lease: int
    held_bytes: int
    asked_bytes: int


class Sampled(NamedTuple):
    """What the host used at one moment."""

    at_s: float
    resident_bytes: int | None
    baseline_bytes: int
    charged_bytes: int

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


_EVENTS: dict[str, type[Event]] = {
    "registered": Registered,
    "asked": Asked,
    "sampled": Sampled,
    "ruled": Ruled,
    "decided": Decided,
    "finished": Finished,
}
_NAMES = {event: name for name, event in _EVENTS.items()}


# Writing


class Seat(Protocol):
    """A lease, as its arbiter tells of it."""

    number: int
    priority: int
    held_bytes: int


class Ruling(Protocol):
    """A decision that was carried out, as an arbiter tells of it."""

    @property
    def at_s(self) -> float: ...
    @property
    def action(self) -> Action: ...
    @property
    def lease(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def freed_bytes(self) -> int | None: ...
    @property
    def reason(self) -> str: ...


class Recorder:
    """Told by an arbiter of all that happens, makes an event of each and hands it on."""

    def __init__(self, record: Callable[[Event], None]) -> None:
        self._record = record

    def registered(self, at_s: float, seat: Seat) -> None:
        self._record(Registered(at_s, seat.number, seat.priority))

    def asked(self, at_s: float, seat: Seat, added_bytes: int) -> None:
        self._record(Asked(at_s, seat.number, seat.held_bytes, added_bytes))

    def sampled(self, at_s: float, pressure: Pressure) -> None:
        self._record(Sampled(at_s, *pressure))

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

    def ruled(self, ruling: Ruling, pressure: Pressure) -> None:
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

    def finished(self, at_s: float, seat: Seat) -> None:
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
    }
    return _line(record)


def event_line(event: Event) -> str:
    fields = event._asdict()
    fields["at_s"] = round(event.at_s, 6)
    if isinstance(event, Decided):
        fields["leases"] = [_compact(lease) for lease in event.leases]
        fields["decisions"] = [decision._asdict() for decision in event.decisions]
    return _line({"event": _NAMES[type(event)], **fields})


def _compact(lease: LeaseView) -> dict[str, Any]:
    """The fields of a lease that are not as they usually are."""
    usual = LeaseView._field_defaults
    return {name: value for name, value in lease._asdict().items() if value != usual.get(name, ...)}


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


# Reading


def read_trace(path: Path) -> Trace:
    """The trace in a file; a last line that was cut off is left out.

    Raises:
        BadTrace: no such file, or no trace (exit 2).
    """
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            return _parse(file, str(path))
    except OSError as error:
        raise BadTrace(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BadTrace(f"{path} is not text in UTF-8") from None


def _parse(lines: Iterable[str], name: str) -> Trace:
    header: Header | None = None
    events: list[Event] = []
    registered: set[int] = set()
    at_s = 0.0
    for number, line in enumerate(lines, start=1):
        try:
            if not line.endswith("\n") and header is not None:
                break
            record = _record(line)
            if header is None:
                header = _header(record)
                continue
            event = _event(record)
            _require(event.at_s >= at_s, "goes back in time")
            at_s = event.at_s
            if isinstance(event, Registered):
                registered.add(event.lease)
            elif not isinstance(event, Sampled | Decided):
                _require(event.lease in registered, f"tells of lease {event.lease}, unregistered")
            events.append(event)
        except _Fault as fault:
            raise BadTrace(f"{name}: line {number} {fault}") from None
    if header is None:
        raise BadTrace(f"{name} is empty")
    return Trace(header, tuple(events))


class _Fault(Exception):
    """What is wrong with a line."""


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise _Fault(fault)


def _record(line: str) -> dict[str, Any]:
    _require(len(line) <= _MOST_LINE_CHARACTERS, "is too long")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise _Fault("is no JSON") from None
    _require(isinstance(record, dict), "is no JSON object")
    return record  # type: ignore[no-any-return]


def _header(record: dict[str, Any]) -> Header:
    _require(record.get("event") == "trace", "is no header of a trace")
    version = record.get("schema_version")
    _require(version == SCHEMA_VERSION, f"has schema_version {version!r}, not {SCHEMA_VERSION}")
    limit = _take(record, "limit_bytes")
    soft, resume = (_take(record, name) for name in ("soft", "resume"))
    _require(0 < resume <= soft <= 1, "has no fractions 0 < resume <= soft <= 1")
    return Header(
        Budget(limit, soft, resume),
        *(_take(record, name) for name in ("backpressure", "policy", "jobs")),
    )


def _event(record: dict[str, Any]) -> Event:
    name = record.get("event")
    _require(isinstance(name, str) and name in _EVENTS, "is no event of a trace")
    kind = _EVENTS[str(name)]
    return kind(*(_take(record, field) for field in kind._fields))


def _take(record: dict[str, Any], field: str) -> Any:
    _require(field in record, f"lacks {field}")
    try:
        return _READ[field](record[field])
    except (ValueError, TypeError, KeyError):
        raise _Fault(f"has no right {field}") from None


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _size(value: object) -> int:
    if not 0 <= _whole(value) < 2**63:
        raise ValueError
    return _whole(value)


def _size_or_none(value: object) -> int | None:
    return None if value is None else _size(value)


def _count(value: object) -> int:
    if not 1 <= _whole(value) < 2**31:
        raise ValueError
    return _whole(value)


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    if not (math.isfinite(value) and 0 <= value < 1e12):
        raise ValueError
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _one_of(words: Sequence[str | None]) -> Callable[[object], Any]:
    def read(value: object) -> object:
        if value not in words:
            raise ValueError
        return value

    return read


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _lease(value: Any) -> LeaseView:
    fields = {name: _LEASE[name](each) for name, each in dict(value).items()}
    return LeaseView(**fields)


def _decision(value: Any) -> Decision:
    return Decision(*(_READ[name](value[name]) for name in Decision._fields))


_LEASE: dict[str, Callable[[Any], Any]] = {
    "number": _count,
    "priority": _whole,
    "held_bytes": _size,
    "asked_bytes": _size,
    "phase": Phase,
    **dict.fromkeys(("spillable", "parking", "spilling", "aborting", "stalled"), _flag),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "at_s": _number,
    "lease": _count,
    "priority": _whole,
    "limit_bytes": _size,
    "soft": _number,
    "resume": _number,
    "backpressure": _one_of(BACKPRESSURES),
    "policy": _one_of((None, *POLICY_NAMES)),
    "jobs": _count,
    "busy_leases": _count,
    "action": Action,
    "reason": _text,
    "leases": lambda value: tuple(map(_lease, value)),
    "decisions": lambda value: tuple(map(_decision, value)),
    **dict.fromkeys(("resident_bytes", "freed_bytes"), _size_or_none),
    **dict.fromkeys(
        ("held_bytes", "asked_bytes", "baseline_bytes", "charged_bytes", "spill_room_bytes"), _size
    ),
    "bytes": _size,
}
"""Each field of a header or an event by what reads it."""
