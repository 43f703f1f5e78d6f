"""Traces as they are written: one line for each event, to a file."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from atectl.accounting import Pressure
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Decision, HostView
from atectl.records.as_json import as_json
from atectl.system.files import why_unwritable
from atectl.system.opening import open_unbent
from atectl.trace.errors import TraceUnwritable
from atectl.trace.events import (
    EVENT_NAMES,
    HEADER_NAME,
    SCHEMA_VERSION,
    Asked,
    Decided,
    Event,
    Finished,
    Header,
    Registered,
    Ruled,
    Sampled,
)

if TYPE_CHECKING:
    from atectl.arbitration.seat import Ruling, Seat


class Recorder:
    """An observer of an arbiter: makes a trace's event of all it is told, and passes it on."""

    def __init__(self, record: Callable[[Event], None]) -> None:
        self._record = record
        self._seats: dict[int, Seat] = {}

    def registered(self, at_s: float, seat: "Seat") -> None:
        self._seats[seat.number] = seat
        whose, standing = seat.tenant, seat.standing
        self._record(
            Registered(
                at_s,
                seat.number,
                standing.priority,
                whose.principal,
                whose.label,
                whose.capsule_name,
                standing.fixed_bytes,
            )
        )

    def asked(self, at_s: float, seat: "Seat", added_bytes: int) -> None:
        self._record(Asked(at_s, seat.number, seat.held_bytes, added_bytes))

    def sampled(self, at_s: float, pressure: Pressure) -> None:
        leases = (seat.seen() for seat in self._seats.values())
        self._record(Sampled.of(leases, at_s, pressure))

    def decided(self, at_s: float, host: HostView, decisions: Sequence[Decision]) -> None:
        self._record(Decided.on(host, at_s, decisions))

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

    Writing an event raises nothing, so that a full disk does not hurt the lease that the event
    is about: `close` raises what went wrong.

    Raises:
        TraceUnwritable: the file cannot be opened (exit 125).
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._failure: OSError | None = None
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._file: TextIO = os.fdopen(open_unbent(str(path), flags), "w", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise _unwritable(path, error) from None
        self._put(header_line(header))

    def write(self, event: Event) -> None:
        self._put(event_line(event))
        # These come every few milliseconds: they wait in the buffer for the next sample.
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


def _unwritable(path: Path, error: OSError | ValueError) -> TraceUnwritable:
    why = why_unwritable(error) if isinstance(error, OSError) else str(error)
    return TraceUnwritable(f"{path}: {why}")


def header_line(header: Header) -> str:
    # A replay needs the shares of the limit as they were, and not rounded for readers.
    fields = {**as_json(header), **header.budget._asdict()}
    return _line({"event": HEADER_NAME, "schema_version": SCHEMA_VERSION, **fields})


def event_line(event: Event) -> str:
    fields = _compact(event)
    fields["at_s"] = round(event.at_s, 6)
    if isinstance(event, Decided):
        fields["leases"] = [_compact(lease) for lease in event.leases]
        fields["decisions"] = [decision._asdict() for decision in event.decisions]
    return _line({"event": EVENT_NAMES[type(event)], **fields})


def _compact(record: Standing | Event) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    usual = record._field_defaults
    fields = record._asdict().items()
    return {name: value for name, value in fields if value != usual.get(name, ...)}


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
