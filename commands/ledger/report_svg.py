"""The report of a ledger as SVG: a table of principals, and the memory of each over time."""

from pathlib import Path

from atectl.ledger_store.export.over_time import LedgerReport, PrincipalReport, held_in_columns
from atectl.ledger_store.records import AccountRecord
from atectl.units import format_duration, rfc3339, show_size

from ..drawing.plot import Plot, inert, picture
from .numbers import show_count, show_gib_seconds

_WIDTH, _LEFT, _RIGHT = 960, 20, 120
_ROW, _HEAD = 22, 84
_CHART, _CHART_TOP, _CHART_BOTTOM = 190, 34, 140
_COLUMNS = 400

_STYLE = Path(__file__).parent.parent / "drawing" / "timeline.css"

_TITLES = ("PRINCIPAL", "LEASES", "MEMORY", "PEAK", "CPU", "GiB·s", "REFUSED")
_PLACES = (_LEFT, 420, 520, 620, 720, 820, 940)


def report_svg(report: LedgerReport) -> str:
    """The text of an SVG file. It has no script and no font, and adapts to light and dark."""
    title = f"The ledger from {rfc3339(report.begins_at)} to {rfc3339(report.ends_at)}"
    charts_top = _HEAD + _ROW * len(report.principals) + 10
    height = charts_top + _CHART * len(report.principals)
    parts = [f'<text x="{_LEFT}" y="28" font-size="15">{inert(title)}</text>', *_table(report)]
    for place, each in enumerate(report.principals):
        parts.append(f'<g transform="translate(0 {charts_top + place * _CHART})">')
        parts += [*_chart(report, each), "</g>"]
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


def _chart(report: LedgerReport, each: PrincipalReport) -> list[str]:
    held = held_in_columns(each.leases, report.begins_at, report.ends_at, _COLUMNS)
    top = max(max(held), 1)
    plot = Plot(
        _LEFT, _WIDTH - _RIGHT, _CHART_TOP, _CHART_BOTTOM, span_s=report.span_s, top_bytes=top
    )
    return [
        f'<text x="{_LEFT}" y="22">{inert(each.account.principal)}: memory over time</text>',
        plot.area("resident", list(held)),
        plot.frame(),
        f'<text class="quiet" x="{plot.right + 6}" y="{_CHART_TOP + 10}">'
        f"{inert(show_size(max(held)))}</text>",
        *plot.time_axis(),
    ]
