"""The page of `ledger serve`: plain HTML that works without scripts, and refreshes itself."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from atectl.accounting import OTHERS
from atectl.errors import AtectlError
from atectl.inert import inert_line
from atectl.ledger_store.export.metrics import OTHER_HOSTS, LedgerState
from atectl.ledger_store.records import AccountRecord, DayRecord, LeaseRecord
from atectl.units import format_duration, rfc3339, show_size

from .document import TITLE, document
from .numbers import show_age, show_count, show_gib_seconds

REFRESH_S = 5
LEASES_SHOWN = 100

_STYLE = Path(__file__).with_name("page.css")


class Cell(NamedTuple):
    """One column of a table: its title, the HTML of a row, and whether it holds a name."""

    title: str
    html: Callable[[Any], str]
    is_name: bool = False


def security_headers() -> list[tuple[str, str]]:
    """What a browser is told of the page: it may load nothing, and only its own style counts."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        (
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
        ),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ]


def ledger_page(state: LedgerState, per_principal: int, now: float) -> str:
    """The page of a ledger.

    Args:
        state: what was read of it.
        per_principal: how many accounts are shown, those of the highest peaks. If any is, the
            running leases are shown, too; or else nothing names a principal.
        now: the time, in seconds since 1970.
    """
    parts = [_summary(state, now), _hosts(state)]
    if per_principal:
        parts += [_accounts(state.accounts, per_principal, now), _leases(state.running, now)]
    return _page(parts)


def failure_page(error: AtectlError) -> str:
    """The page while the ledger cannot be read."""
    told = f'<p class="bad">{error.code}: {_inert(str(error))}</p>'
    return _page([f"<h1>{TITLE}</h1>", told])


def _page(parts: Iterable[str]) -> str:
    return document(_style(), parts, {"refresh": str(REFRESH_S)})


@cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")


def _summary(state: LedgerState, now: float) -> str:
    held = sum(lease.current_bytes for lease in state.running)
    lost = f'<span class="bad">{state.lost}</span>' if state.lost else "0"
    figures = [
        ("running leases", str(len(state.running))),
        ("memory", _size(held)),
        ("hosts", str(len({lease.host for lease in state.running}))),
        ("accounts", str(len(state.accounts))),
        ("lost leases", lost),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    read = f"read at {rfc3339(now)}, again every {REFRESH_S} seconds"
    return f'<h1>{TITLE}</h1>\n<p class="quiet">{read}</p>\n<dl>{listed}</dl>'


class _HostRow(NamedTuple):
    """A host: what it used in all time, and what runs there."""

    total: DayRecord
    running: Sequence[LeaseRecord]

    @property
    def held_bytes(self) -> int:
        return sum(lease.current_bytes for lease in self.running)

    @property
    def quota_bytes(self) -> int:
        return sum(lease.quota_bytes for lease in self.running)


def _hosts(state: LedgerState) -> str:
    known = {total.host for total in state.totals}
    running: dict[str, list[LeaseRecord]] = {}
    for lease in state.running:
        running.setdefault(lease.host if lease.host in known else OTHERS, []).append(lease)
    rows = [_HostRow(total, running.get(total.host, [])) for total in state.totals]
    rows.sort(key=lambda row: (-row.held_bytes, row.total.host))
    cells = [
        Cell("Host", lambda row: _host_name(row.total.host), is_name=True),
        Cell("Running", lambda row: str(len(row.running))),
        Cell("Memory", lambda row: _size(row.held_bytes)),
        Cell("Quota", lambda row: _size(row.quota_bytes)),
        Cell("Used", lambda row: _meter(row.held_bytes, row.quota_bytes)),
        Cell("Leases", lambda row: show_count(row.total.leases)),
        Cell("CPU", lambda row: format_duration(row.total.cpu_us / 1e6)),
        Cell("GiB·s", lambda row: escape(show_gib_seconds(row.total.byte_ms / 1000))),
        Cell("Refused", lambda row: show_count(row.total.refused_growths)),
    ]
    return _table("Hosts", cells, rows, "Nothing has run yet.")


def _host_name(host: str) -> str:
    return OTHER_HOSTS if host == OTHERS else _inert(host)


def _accounts(accounts: Sequence[AccountRecord], count: int, now: float) -> str:
    ranked = sorted(accounts, key=lambda each: (-each.peak_bytes, each.principal))
    cells = [
        Cell("Principal", lambda row: _inert(row.principal), is_name=True),
        Cell("Running", lambda row: str(row.running_leases)),
        Cell("Memory", lambda row: _size(row.current_bytes)),
        Cell("Used", lambda row: _meter(row.current_bytes, row.quota_bytes)),
        Cell("Peak", lambda row: _size(row.peak_bytes)),
        Cell("Leases", lambda row: show_count(row.leases)),
        Cell("CPU", lambda row: format_duration(row.cpu_s)),
        Cell("GiB·s", lambda row: escape(show_gib_seconds(row.byte_seconds))),
        Cell("Refused", lambda row: show_count(row.refused_growths)),
        Cell("Last heard of", lambda row: f"{show_age(row.updated_at, now)} ago"),
    ]
    more = len(ranked) - count
    title = "Principals" if more <= 0 else f"Principals: the {count} highest peaks of {len(ranked)}"
    return _table(title, cells, ranked[:count], "No accounts yet.")


def _leases(running: Sequence[LeaseRecord], now: float) -> str:
    ranked = sorted(running, key=lambda lease: -lease.current_bytes)
    cells = [
        Cell("Principal", lambda row: _inert(row.principal), is_name=True),
        Cell("Capsule", lambda row: _inert(row.capsule), is_name=True),
        Cell("Label", lambda row: _inert(row.label), is_name=True),
        Cell("Host", lambda row: _inert(row.host), is_name=True),
        Cell("State", lambda row: _inert(row.state), is_name=True),
        Cell("Memory", lambda row: _size(row.current_bytes)),
        Cell("Used", lambda row: _meter(row.current_bytes, row.quota_bytes)),
        Cell("Peak", lambda row: _size(row.peak_bytes)),
        Cell("CPU", lambda row: format_duration(row.cpu_s)),
        Cell("Running for", lambda row: show_age(row.started_at, now)),
    ]
    more = len(ranked) - LEASES_SHOWN
    title = "Running leases"
    if more > 0:
        title += f": the {LEASES_SHOWN} largest of {len(ranked)}"
    return _table(title, cells, ranked[:LEASES_SHOWN], "Nothing runs.")


def _table(title: str, cells: Sequence[Cell], rows: Sequence[Any], empty: str) -> str:
    if not rows:
        return f'<h2>{title}</h2>\n<p class="quiet">{empty}</p>'
    head = "".join(f'<th scope="col"{_class(cell)}>{cell.title}</th>' for cell in cells)
    lines = [
        "<tr>" + "".join(f"<td{_class(cell)}>{cell.html(row)}</td>" for cell in cells) + "</tr>"
        for row in rows
    ]
    body = "\n".join(lines)
    return (
        f'<h2>{title}</h2>\n<div class="wide" tabindex="0"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _class(cell: Cell) -> str:
    return ' class="name"' if cell.is_name else ""


def _meter(used: int, quota: int) -> str:
    if not quota:
        return "-"
    share = min(used / quota, 1.0)
    bar = f'<meter min="0" max="1" high="0.8" value="{share:.3f}">{share:.0%}</meter>'
    return f'{bar}<span class="share">{share:.0%}</span>'


def _size(size: int) -> str:
    return escape(show_size(size))


def _inert(text: str) -> str:
    """Text from outside, as it may stand in a page."""
    return escape(inert_line(text))
