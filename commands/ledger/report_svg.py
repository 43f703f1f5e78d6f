"""The report of a ledger as SVG: a table of principals, and the memory of each over time."""

from pathlib import Path

from atectl.ledger_store.export.over_time import (
    LedgerReport,
    PrincipalReport,
    end_of,
    held_in_columns,
)
from atectl.ledger_store.records import AccountRecord
from atectl.units import format_duration, rfc3339, show_size

from ..drawing.lanes import RUNS, Lane, Stretch
from ..drawing.lanes_svg import lanes_svg
from ..drawing.plot import Plot, inert, picture
from .numbers import show_count, show_gib_seconds

_WIDTH, _LEFT = 960, 20
_ROW, _HEAD = 22, 84
_CHART_LEFT, _CHART_RIGHT, _CHART_TOP, _CHART_BOTTOM = 120, 900, 34, 140
_BELOW_TIMES, _BELOW_CHART = 28, 30
_COLUMNS = 400
_MOST_LANES = 12

_STYLE = Path(__file__).parent.parent / "drawing" / "timeline.css"

_TITLES = ("PRINCIPAL", "LEASES", "MEMORY", "PEAK", "CPU", "GiB·s", "REFUSED")
_PLACES = (_LEFT, 420, 520, 620, 720, 820, 940)


def report_svg(report: LedgerReport) -> str:
    """The text of an SVG file. It has no script and no font, and adapts to light and dark."""
    title = f"The ledger from {rfc3339(report.begins_at)} to {rfc3339(report.ends_at)}"
    parts = [f'<text x="{_LEFT}" y="28" font-size="15">{inert(title)}</text>', *_table(report)]
    height = _HEAD + _ROW * len(report.principals) + 10
    for each in report.principals:
        chart, chart_height = _chart(report, each)
        parts += [f'<g transform="translate(0 {height})">', *chart, "</g>"]
        height += chart_height
    return picture(_WIDTH, height, title, _STYLE, parts)


def _table(report: LedgerReport) -> list[str]:
    rows = [_line(_TITLES, 60, "quiet")]
    for place, each in enumerate(report.principals):
        rows.append(_line(_figures(each.account), _HEAD + place * _ROW))
    return rows


def _figures(account: AccountRecord) -> tuple[str, ...]:
    return (
        account.principal,
        show_count(account.leases),
        show_size(account.current_bytes),
        show_size(account.peak_bytes),
        format_duration(account.cpu_s),
        show_gib_seconds(account.byte_seconds),
        show_count(account.refused_growths),
    )


def _line(cells: tuple[str, ...], y: int, style: str = "") -> str:
    """One row of the table: a name at the left, and numbers that end below one another."""
    attribute = f' class="{style}"' if style else ""
    texts = []
    for place, (cell, x) in enumerate(zip(cells, _PLACES, strict=True)):
        anchor = "" if place == 0 else ' text-anchor="end"'
        texts.append(f'<text{attribute} x="{x}" y="{y}"{anchor}>{inert(cell)}</text>')
    return "".join(texts)


def _chart(report: LedgerReport, each: PrincipalReport) -> tuple[list[str], int]:
    """The chart of one principal, with a lane for each lease, and how high it is."""
    held = held_in_columns(each.leases, report.begins_at, report.ends_at, _COLUMNS)
    plot = Plot(
        _CHART_LEFT,
        _CHART_RIGHT,
        _CHART_TOP,
        _CHART_BOTTOM,
        span_s=report.span_s,
        top_bytes=max(max(held) * 105 // 100, 1),
    )
    title = f"{each.account.principal}: memory over time, {show_size(max(held))} at most"
    lanes, bottom = lanes_svg(_lanes(report, each), plot, _CHART_BOTTOM + _BELOW_TIMES, _MOST_LANES)
    parts = [
        f'<text x="{_LEFT}" y="22">{inert(title)}</text>',
        plot.area("resident", list(held)),
        *plot.size_axis(),
        plot.frame(),
        *plot.time_axis_to_now(),
        *lanes,
    ]
    return parts, bottom + _BELOW_CHART


def _lanes(report: LedgerReport, each: PrincipalReport) -> list[Lane]:
    """The leases of a principal, those that began last first."""
    found = []
    # A damaged record has no beginning.
    told = [lease for lease in each.leases if lease.started_at <= report.ends_at]
    for lease in sorted(told, key=lambda lease: lease.started_at, reverse=True):
        ends_at = end_of(lease, report.ends_at)
        stretch = Stretch(lease.started_at - report.begins_at, ends_at - report.begins_at, RUNS)
        found.append(Lane(lease.label or lease.capsule, (stretch,)))
    return found
