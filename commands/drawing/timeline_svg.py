"""The chart of a run as SVG. It has no script and no font, and adapts to light and dark."""

from collections.abc import Sequence
from pathlib import Path

from atectl.trace.events import Trace
from atectl.units import show_size

from .lanes_svg import lanes_svg
from .plot import Plot, inert, picture
from .timeline import MARKED, Point, Timeline, in_columns, timeline_of

_WIDTH, _HEIGHT = 960, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 120, 110, 56, 300
_ROW_HEIGHT = 18
_BELOW = 16
_COLUMNS = 400
_MOST_LANES = 40

_STYLE = Path(__file__).with_name("timeline.css")


def timeline_svg(trace: Trace) -> str:
    """The chart of a recorded run, as the text of an SVG file."""
    title = f"Memory of the host under {show_size(trace.header.budget.limit_bytes)}"
    return timelines_svg([timeline_of(title, trace.header.budget, trace.events)])


def timelines_svg(timelines: Sequence[Timeline]) -> str:
    """The charts of several runs, one below the other, as the text of an SVG file."""
    charts, height = [], 0
    for timeline in timelines:
        parts, bottom = _chart(timeline)
        charts.append(f'<g transform="translate(0 {height})">\n{parts}\n</g>')
        height += max(bottom + _BELOW, _HEIGHT)
    title = "; ".join(timeline.title for timeline in timelines)
    return picture(_WIDTH, height or _HEIGHT, title, _STYLE, charts)


def _chart(timeline: Timeline) -> tuple[str, int]:
    """The parts of one chart, and where it ends."""
    columns = in_columns(timeline, _COLUMNS)
    pressures = [None if point is None else point.pressure_bytes for point in columns]
    residents = [None if point is None else point.resident_bytes for point in columns]
    plot = Plot(
        _LEFT, _WIDTH - _RIGHT, _TOP, _BOTTOM, span_s=timeline.span_s, top_bytes=timeline.top_bytes
    )
    rows, below = _action_rows(timeline, plot)
    lanes, bottom = lanes_svg(timeline.lanes, plot, below, _MOST_LANES)
    parts = [
        f'<text x="{_LEFT}" y="24" font-size="15">{inert(timeline.title)}</text>',
        *_legend(columns),
        plot.area("charged", pressures),
        plot.area("resident", residents),
        *plot.size_axis(),
        plot.limit("hard", timeline.budget.limit_bytes),
        plot.limit("soft", timeline.budget.soft_bytes),
        plot.frame(),
        *plot.time_axis(),
        *rows,
        *lanes,
    ]
    return "\n".join(parts), bottom


def _legend(columns: Sequence[Point | None]) -> list[str]:
    entries = [("resident", "resident"), ("charged", "pressure: granted or resident")]
    if all(point is None or point.resident_bytes is None for point in columns):
        entries = entries[1:]
    parts, x = [], _LEFT
    for name, label in entries:
        parts.append(f'<rect class="{name}" x="{x}" y="35" width="12" height="12"/>')
        parts.append(f'<text class="quiet" x="{x + 17}" y="45">{label}</text>')
        x += 110
    return parts


def _action_rows(timeline: Timeline, plot: Plot) -> tuple[list[str], int]:
    """A row for each action that was taken, and where what comes below them begins.

    A row has a mark for each time, and their number.
    """
    parts = []
    taken = [action for action in MARKED if any(x.action is action for x in timeline.marks)]
    for place, action in enumerate(taken):
        times = [mark.at_s for mark in timeline.marks if mark.action is action]
        y = _BOTTOM + 26 + place * _ROW_HEIGHT
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 9}" text-anchor="end">{action.value}</text>')
        xs = sorted({round(plot.x(at_s)) for at_s in times})
        path = "".join(f"M{x - 3} {y}h6l-3 9z" for x in xs)
        parts.append(f'<path class="{action.value}" d="{path}"/>')
        parts.append(
            f'<text class="quiet" x="{_WIDTH - _RIGHT + 6}" y="{y + 9}">{len(times)}</text>'
        )
    return parts, _BOTTOM + 30 + len(taken) * _ROW_HEIGHT
