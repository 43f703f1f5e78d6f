"""Reading a trace of arbitration back: each line checked, and refused with its number."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from atectl.accounting import Budget
from atectl.arbitration.policies import BACKPRESSURES, POLICY_NAMES
from atectl.arbitration.view import Action, Decision, LeaseView, Phase
from atectl.trace.errors import BadTrace
from atectl.trace.events import (
    EVENTS,
    SCHEMA_VERSION,
    Decided,
    Event,
    Header,
    Registered,
    Sampled,
    Trace,
)

_MOST_LINE_CHARACTERS = 16 << 20


def read_trace(path: Path) -> Trace:
    """The trace in a file; a last line that was cut off is left out.

    Raises:
        BadTrace: no such file, or no trace (exit 2).
    """
    try:
        with path.open("rb") as file:
            return read_trace_from(file, str(path))
    except OSError as error:
        raise BadTrace(f"{path}: {error.strerror or error}") from None


def read_trace_from(file: BinaryIO, name: str) -> Trace:
    """The trace in an open file, which errors call `name`; like `read_trace`.

    Raises:
        BadTrace: it is no trace (exit 2).
    """
    text = TextIOWrapper(file, encoding="utf-8", newline="\n")
    try:
        return parse_trace(text, name)
    except UnicodeDecodeError:
        raise BadTrace(f"{name} is not text in UTF-8") from None
    finally:
        text.detach()


def parse_trace(lines: Iterable[str], name: str) -> Trace:
    """The trace in `lines`, each with its end; `name` is what errors call it.

    Raises:
        BadTrace: it is none (exit 2).
    """
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
        *(
            None if record.get(name) is None else _take(record, name)
            for name in ("busy_leases", "spill_room_bytes")
        ),
    )


def _event(record: dict[str, Any]) -> Event:
    name = record.get("event")
    _require(isinstance(name, str) and name in EVENTS, "is no event of a trace")
    kind = EVENTS[str(name)]
    usual = kind._field_defaults
    return kind(
        **{
            field: _take(record, field)
            for field in kind._fields
            if field in record or field not in usual
        }
    )


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
    **dict.fromkeys(("held_bytes", "asked_bytes", "stored_bytes"), _size),
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
    **dict.fromkeys(("reason", "principal", "label", "capsule"), _text),
    **dict.fromkeys(("parking", "stalled", "ending"), lambda value: tuple(map(_count, value))),
    "leases": lambda value: tuple(map(_lease, value)),
    "decisions": lambda value: tuple(map(_decision, value)),
    **dict.fromkeys(("resident_bytes", "freed_bytes"), _size_or_none),
    **dict.fromkeys(
        ("held_bytes", "asked_bytes", "baseline_bytes", "charged_bytes", "spill_room_bytes"), _size
    ),
    "bytes": _size,
}
"""Each field of a header or an event by what reads it."""
