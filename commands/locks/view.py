"""The view of a list of locks: a table with one lock a line, and their verdicts counted below."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.inert import inert_line
from atectl.locks.charged import ChargedLock
from atectl.locks.verdicts import Look, Verdict
from atectl.units import format_duration, show_size

from ..drawing.bars import usage_bar
from ..drawing.columns import Column, LineTable
from ..drawing.tones import ALARM, HEADING, KINDS, WARNING

_BAR_COLUMNS = 8
_TOKEN_CHARACTERS = 8
UNKNOWN = "-"

_VERDICT_STYLES = {
    Verdict.RENEWING: "",
    Verdict.HELD: "",
    Verdict.FINISHING: "",
    Verdict.EXPIRING: WARNING,
    Verdict.STUCK: ALARM,
    Verdict.FOREIGN: ALARM,
    Verdict.STRANDED: ALARM,
}


def locks_view(
    rows: Sequence[ChargedLock], lock_ttl_s: float, *, ascii_only: bool = False
) -> RenderableType:
    """A table of all rows, and how many there are of each verdict."""
    table = LineTable(lock_columns(lock_ttl_s, ascii_only=ascii_only), rows, tells_hidden=True)
    return Group(table, Text(), counted(rows))


def counted(rows: Sequence[ChargedLock]) -> Text:
    """A line that says how many rows there are, and how many of each verdict."""
    counts = Counter(row.lock.verdict for row in rows)
    line = Text(f"{len(rows)} listed", no_wrap=True, overflow="ellipsis")
    separator = ": "
    for verdict in Verdict:
        if counts[verdict]:
            line.append(f"{separator}{counts[verdict]} {verdict.value}")
            separator = ", "
    return line


def lock_columns(lock_ttl_s: float, *, ascii_only: bool = False) -> list[Column[ChargedLock]]:
    """The columns of the table. They have the names of the orders of locks."""

    def ttl(row: ChargedLock) -> Text:
        return ttl_cell(row.lock.look, lock_ttl_s, ascii_only=ascii_only)

    return [
        Column("actor", "ACTOR", lambda row: row.lock.actor, 12, 0, grows=True, is_name=True),
        Column("atespace", "ATESPACE", _atespace, 8, 4, grows=True),
        Column("verdict", "VERDICT", lambda row: verdict_text(row.lock.verdict), 9, 1),
        Column("ttl", "TTL LEFT", ttl, _BAR_COLUMNS + 7, 2),
        Column("age", "HELD FOR", _age, 8, 7, is_right=True),
        Column("status", "ACTOR IS", _status, 11, 3),
        Column("holder", "HOLDER", holder_text, 16, 5, grows=True),
        Column("token", "TOKEN", _token, _TOKEN_CHARACTERS, 6),
        Column("worker", "WORKER", _worker, 12, 8, grows=True, is_name=True),
        Column("memory", "MEMORY", lambda row: _size(row.current_bytes), 8, 9, is_right=True),
        Column("peak", "PEAK", lambda row: _size(row.peak_bytes), 8, 10, is_right=True),
    ]


def verdict_text(verdict: Verdict) -> Text:
    """A verdict in its colour."""
    return Text(verdict.value, style=_VERDICT_STYLES[verdict])


def ttl_cell(look: Look | None, lock_ttl_s: float, *, ascii_only: bool = False) -> Text:
    """What is left of a TTL, as a bar and in seconds. A full bar is the TTL that holders give."""
    if look is None:
        return Text(UNKNOWN)
    if look.ttl_s is None:
        return Text("never expires", style=ALARM)
    left, whole = round(look.ttl_s * 1000), round(lock_ttl_s * 1000)
    bar = usage_bar(left, whole, _BAR_COLUMNS, ascii_only=ascii_only, style=KINDS[0])
    return bar.append(f" {format_duration(look.ttl_s):>6}")


def holder_text(row: ChargedLock) -> str:
    """Who holds the lock: what its record says, else the worker of its actor."""
    holder = row.lock.holder
    if holder is None:
        return _worker(row)
    parts = [f"{holder.host or '?'}/{holder.pid or '?'}", holder.command or ""]
    return " ".join(part for part in parts if part)


def _atespace(row: ChargedLock) -> str:
    if row.lock.atespace is not None:
        return row.lock.atespace
    # The key leaves the atespace out: show those of all actors of the name.
    return "|".join(actor.name.atespace or "" for actor in row.lock.actors) or UNKNOWN


def _status(row: ChargedLock) -> Text:
    status = row.actor_status
    if status is None:
        return Text("several" if row.lock.actors else UNKNOWN)
    is_transitional = row.lock.actors[0].record.is_transitional
    return Text(inert_line(status.lower()), style=HEADING if is_transitional else "")


def _worker(row: ChargedLock) -> str:
    return row.worker or UNKNOWN


def _token(row: ChargedLock) -> str:
    token = row.lock.look.token if row.lock.look is not None else None
    return token[:_TOKEN_CHARACTERS] if token else UNKNOWN


def _age(row: ChargedLock) -> str:
    return UNKNOWN if row.lock.age_s is None else format_duration(row.lock.age_s)


def _size(size: int | None) -> str:
    return UNKNOWN if size is None else show_size(size)
