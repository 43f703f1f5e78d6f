"""Reading a trace of arbitration back: each line checked, and refused with its number."""

from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from atectl.accounting import Budget
from atectl.arbitration.policies import BACKPRESSURES, POLICY_NAMES
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action, Decision
from atectl.records.lines import json_of
from atectl.records.readers import (
    bytes_read,
    exactly,
    flag,
    listed,
    member,
    number,
    one_of,
    optional,
    read_as,
    text,
    whole,
)
from atectl.records.reading import Fault, Field, Reader, Table, Variants, part_of
from atectl.trace.errors import BadTrace
from atectl.trace.events import (
    EVENTS,
    HEADER_NAME,
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
    lines = TextIOWrapper(file, encoding="utf-8", newline="\n")
    try:
        return parse_trace(lines, name)
    except UnicodeDecodeError:
        raise BadTrace(f"{name} is not text in UTF-8") from None
    finally:
        lines.detach()


def parse_trace(lines: Iterable[str], name: str) -> Trace:
    """The trace in `lines`, each with its end; `name` is what errors call it.

    Raises:
        BadTrace: it is none (exit 2).
    """
    header: Header | None = None
    events: list[Event] = []
    leases: set[int] = set()
    at_s = 0.0
    number = 0
    try:
        for line in lines:
            number += 1
            if header is None:
                header = _header(_record(line))
                continue
            if not line.endswith("\n"):
                break
            event = _event(_record(line))
            if event.at_s < at_s:
                raise Fault("it goes back in time")
            at_s = event.at_s
            _follow(event, leases)
            events.append(event)
    except Fault as fault:
        raise BadTrace(str(fault.at(file=name, line=number)), remedy=fault.remedy) from None
    if header is None:
        raise BadTrace(f"{name} is empty")
    return Trace(header, tuple(events))


def _follow(event: Event, leases: set[int]) -> None:
    """Note a lease that begins; refuse an event of one that has not."""
    if isinstance(event, Registered):
        leases.add(event.lease)
    elif not isinstance(event, Sampled | Decided) and event.lease not in leases:
        raise Fault(f"it tells of lease {event.lease}, unregistered")


def _record(line: str) -> dict[str, Any]:
    if len(line) > _MOST_LINE_CHARACTERS:
        raise Fault("it is too long")
    return json_of(line)


def _header(record: dict[str, Any]) -> Header:
    if LINES.choose(record) != HEADER_NAME:
        raise Fault("it is no header of a trace")
    values = HEADER.values(record)
    budget = Budget(**part_of(values, Budget))
    if not 0 < budget.resume <= budget.soft:
        raise Fault("it has no fractions 0 < resume <= soft <= 1")
    return Header(budget, **part_of(values, Header))


def _event(record: dict[str, Any]) -> Event:
    name = LINES.choose(record)
    if name is None or name == HEADER_NAME:
        raise Fault("it is no event of a trace")
    return EVENTS[name](**LINES.tables[name].values(record))


def _standing(**values: Any) -> Standing:
    lease = Standing(**values)
    if not lease.is_possible:
        raise Fault("no lease stands so: held and yet to be parked, or spilling while not parked")
    return lease


# The tables


def _table(record: type[Any], readers: Mapping[str, Reader], *, takes_others: bool) -> Table:
    """The table of a record whose keys are its fields; those with a default may be left out."""
    fields = (
        Field(name, readers[name], is_required=name not in record._field_defaults)
        for name in record._fields
    )
    return Table(record, fields=tuple(fields), takes_others=takes_others)


_VERSION_SAYS = "Raised when something is taken away from traces, not when it is added."

_count = whole(1, 2**31 - 1)
_priority = whole(-(2**63), 2**63 - 1)
_counts = listed(_count, "numbers of leases")
_seconds = number(0, 1e12)

_STANDING = {
    "number": _count,
    "priority": _priority,
    **dict.fromkeys(("held_bytes", "asked_bytes", "stored_bytes", "fixed_bytes"), bytes_read),
    "phase": member(Phase),
    **dict.fromkeys(("spillable", "parking", "spilling", "aborting", "stalled"), flag),
}
_DECISION = {"action": member(Action), "lease": _count, "bytes": bytes_read, "reason": text}
STANDING = _table(Standing, _STANDING, takes_others=False)
DECISION = _table(Decision, _DECISION, takes_others=True)

_EVENT = {
    **_DECISION,
    "at_s": _seconds,
    "priority": _priority,
    "busy_leases": _count,
    "enough_leases": whole(0, 2**31 - 1),
    **dict.fromkeys(("principal", "label", "capsule"), text),
    **dict.fromkeys(("parking", "stalled", "ending"), _counts),
    "leases": listed(read_as(_standing, STANDING), "leases"),
    "decisions": listed(read_as(Decision, DECISION), "decisions"),
    **dict.fromkeys(("resident_bytes", "freed_bytes"), optional(bytes_read)),
    **dict.fromkeys(
        ("held_bytes", "asked_bytes", "baseline_bytes", "charged_bytes", "spill_room_bytes"),
        bytes_read,
    ),
    **dict.fromkeys(("compiling_bytes", "fixed_bytes", "baseline_of_others_bytes"), bytes_read),
}
HEADER = Table(
    Header,
    Budget,
    fields=(
        Field("schema_version", exactly(SCHEMA_VERSION), is_required=True, says=_VERSION_SAYS),
        Field("limit_bytes", bytes_read, is_required=True),
        Field("soft", number(0, 1), is_required=True),
        Field("resume", number(0, 1), is_required=True),
        Field("backpressure", one_of(BACKPRESSURES), is_required=True),
        Field("policy", optional(one_of(POLICY_NAMES)), is_required=True),
        Field("jobs", _count, is_required=True),
        Field("busy_leases", optional(_count)),
        Field("spill_room_bytes", optional(bytes_read)),
    ),
    takes_others=True,
)

LINES = Variants(
    "event",
    {
        HEADER_NAME: HEADER,
        **{name: _table(kind, _EVENT, takes_others=True) for name, kind in EVENTS.items()},
    },
    says="A line of a trace: what the leases of one host did. The first line is the header, each "
    "line after it an event, in the order of time.",
)
"""Every line of a trace, by the name of its event."""
