"""The leases of a running batch as rows: unfinished ones first, then the latest finished ones."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from atectl.inert import inert_line
from atectl.units import format_duration, show_size

from ..drawing.bars import usage_bar
from ..drawing.columns import Column, fit
from ..drawing.tones import ALARM
from .tally import CUT_SHORT

_MOST_ENDED = 4
_MOST_LABEL_COLUMNS = 24
_MOST_CAPSULE_COLUMNS = 16
_STATES = ("running", "resuming", "waiting", "parked", "spilled", "ending", "aborted", "done")
"""Those that a lease can have here, in the order of the rows. One that failed has another."""
_ORDER = {state: place for place, state in enumerate(_STATES)}


@dataclass(frozen=True)
class LiveLease:
    """One lease at one moment.

    `state` is that of `atectl.batch.overview.LeaseRow`, or how it ended if `has_ended`.
    `resident_bytes` is None if it is not known.
    """

    number: int
    label: str
    principal: str
    capsule: str
    state: str
    linear_bytes: int
    resident_bytes: int | None
    quota_bytes: int
    elapsed_s: float
    has_ended: bool = False


def lease_lines(
    leases: Sequence[LiveLease], width: int, room: int, *, ascii_only: bool = False
) -> list[Text]:
    """A header, and a row for each lease, in at most `room` lines; nothing if no row fits.

    Of the ended leases, which come in the order they ended, the latest few are shown, and none if
    there is no room. If there is no room for all others, a last line counts the hidden ones.
    """
    if not leases or room < 2:
        return []
    unfinished = sorted((each for each in leases if not each.has_ended), key=_importance)
    shown, hidden = unfinished, unfinished[:0]
    if len(unfinished) > room - 1:
        cut = max(room - 2, 1)
        shown, hidden = unfinished[:cut], unfinished[cut:]
    ended = [each for each in reversed(leases) if each.has_ended]
    rows = [*shown, *ended[: min(room - 1 - len(shown), _MOST_ENDED)]] if not hidden else shown
    fitted = fit(_columns(leases, ascii_only=ascii_only), rows, width)
    more = [_hidden_line(hidden)] if hidden else []
    return [fitted.header(), *map(fitted.line, rows), *more][:room]


def _importance(lease: LiveLease) -> tuple[int, int]:
    return (_ORDER.get(lease.state, len(_ORDER)), lease.number)


def _hidden_line(hidden: Sequence[LiveLease]) -> Text:
    counts = Counter(each.state for each in hidden)
    kinds = ", ".join(f"{count} {inert_line(state)}" for state, count in counts.items())
    return Text(f"  +{len(hidden)} more ({kinds})")


def _columns(leases: Sequence[LiveLease], *, ascii_only: bool) -> list[Column[LiveLease]]:
    """The columns for `leases`. Other columns are left out before a label is cut."""

    def memory(lease: LiveLease) -> Text:
        bar = usage_bar(lease.linear_bytes, lease.quota_bytes, 8, ascii_only=ascii_only)
        return Text.assemble(bar, f" {show_size(lease.linear_bytes):>8}")

    label_width = _longest(leases, lambda x: x.label, 5, _MOST_LABEL_COLUMNS)
    capsule_width = _longest(leases, lambda x: x.capsule, 7, _MOST_CAPSULE_COLUMNS)
    principal_rank = 5 if len({each.principal for each in leases}) > 1 else 8
    columns: list[Column[LiveLease]] = [
        Column("job", "JOB", lambda x: str(x.number), 4, 1, is_right=True, grows=True),
        Column("label", "LABEL", lambda x: x.label, label_width, 3, grows=True, is_name=True),
        Column(
            "principal",
            "PRINCIPAL",
            lambda x: x.principal,
            9,
            principal_rank,
            grows=True,
            is_name=True,
        ),
        Column(
            "capsule", "CAPSULE", lambda x: x.capsule, capsule_width, 6, grows=True, is_name=True
        ),
        Column("state", "STATE", _state, 8, 0, grows=True),
        Column("linear", "LINEAR", memory, 17, 2),
        Column("resident", "RESIDENT", _resident, 8, 4, is_right=True),
        Column("elapsed", "ELAPSED", lambda x: format_duration(x.elapsed_s), 7, 7, is_right=True),
    ]
    has_labels = any(each.label for each in leases)
    return [column for column in columns if has_labels or column.name != "label"]


def _longest(
    leases: Sequence[LiveLease], name: Callable[[LiveLease], str], least: int, most: int
) -> int:
    return min(max(least, *(cell_len(inert_line(name(each))) for each in leases)), most)


def _state(lease: LiveLease) -> Text:
    has_failed = lease.has_ended and lease.state not in (*_STATES, *CUT_SHORT)
    is_alarm = has_failed or lease.state == "aborted"
    return Text(inert_line(lease.state), style=ALARM if is_alarm else "")


def _resident(lease: LiveLease) -> str:
    return "-" if lease.resident_bytes is None else show_size(lease.resident_bytes)
