"""The chart of a run as SVG. It has no script and no font, and adapts to light and dark."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from atectl.inert import inert_line
from atectl.trace.events import Trace
from atectl.units import format_duration, show_size

from .timeline import MARKED, Point, Timeline, in_columns, timeline_of

_WIDTH, _HEIGHT = 960, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 110, 56, 300
_LANE_HEIGHT = 18
_COLUMNS = 400

_STYLE = Path(__file__).with_name("timeline.css")


def timeline_svg(trace: Trace) -> str:
    """The chart of a recorded run, as the text of an SVG file."""
    title = f"Memory of the host under {show_size(trace.header.budget.limit_bytes)}"
    return timelines_svg([timeline_of(title, trace.header.budget, trace.events)])


def timelines_svg(timelines: Sequence[Timeline]) -> str:
    """The charts of several runs, one below the other, as the text of an SVG file."""
    height = _HEIGHT * max(len(timelines), 1)
    charts = [
        f'<g transform="translate(0 {place * _HEIGHT})">\n{_chart(timeline)}\n</g>'
        for place, timeline in enumerate(timelines)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            f'width="{_WIDTH}" height="{height}">',
            f"<title>{_text('; '.join(timeline.title for timeline in timelines))}</title>",
            f"<style>{_STYLE.read_text(encoding='utf-8').strip()}</style>",
            f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
            *charts,
            "</svg>\n",
        ]
    )


def _chart(timeline: Timeline) -> str:
    columns = in_columns(timeline, _COLUMNS)
    pressures = [None if point is None else point.pressure_bytes for point in columns]
    residents = [None if point is None else point.resident_bytes for point in columns]
    return "\n".join(
        [
            f'<text x="{_LEFT}" y="24" font-size="15">{_text(timeline.title)}</text>',
            *_legend(columns),
            _area("charged", pressures, timeline),
            _area("resident", residents, timeline),
            _gate("hard", timeline.budget.limit_bytes, timeline),
            _gate("soft", timeline.budget.soft_bytes, timeline),
            f'<rect class="frame" x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" '
            f'height="{_BOTTOM - _TOP}"/>',
            *_time_axis(timeline),
            *_lanes(timeline),
        ]
    )


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


def _area(name: str, sizes: Sequence[int | None], timeline: Timeline) -> str:
    """A filled step line, with gaps where the size is unknown."""
    step = (_WIDTH - _LEFT - _RIGHT) / len(sizes)
    path, is_open = "", False
    for place, size in enumerate(sizes):
        x = _LEFT + place * step
        if size is None:
            path += f"V{_BOTTOM}z" if is_open else ""
        else:
            path += "" if is_open else f"M{x:.1f} {_BOTTOM}"
            path += f"V{_y(size, timeline):.1f}H{x + step:.1f}"
        is_open = size is not None
    return f'<path class="{name}" d="{path}{f"V{_BOTTOM}z" if is_open else ""}"/>'


def _gate(name: str, size: int, timeline: Timeline) -> str:
    y = _y(size, timeline)
    return (
        f'<line class="{name}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>\n'
        f'<text x="{_WIDTH - _RIGHT + 6}" y="{y + 4:.1f}">{name} {_text(show_size(size))}</text>'
    )


def _time_axis(timeline: Timeline) -> list[str]:
    parts = []
    for quarter in range(5):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * quarter / 4
        at_s = timeline.span_s * quarter / 4
        label = "0s" if not quarter else format_duration(at_s)
        place = f'x="{x:.1f}" y="{_BOTTOM + 16}" text-anchor="middle"'
        parts.append(f'<text class="quiet" {place}>{label}</text>')
    return parts


def _lanes(timeline: Timeline) -> list[str]:
    """A row for each action that was taken: a mark for each time, and their number."""
    parts = []
    taken = [action for action in MARKED if any(x.action is action for x in timeline.marks)]
    for place, action in enumerate(taken):
        times = [mark.at_s for mark in timeline.marks if mark.action is action]
        y = _BOTTOM + 26 + place * _LANE_HEIGHT
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 9}" text-anchor="end">{action.value}</text>')
        xs = sorted({round(_x(at_s, timeline)) for at_s in times})
        path = "".join(f"M{x - 3} {y}h6l-3 9z" for x in xs)
        parts.append(f'<path class="{action.value}" d="{path}"/>')
        parts.append(
            f'<text class="quiet" x="{_WIDTH - _RIGHT + 6}" y="{y + 9}">{len(times)}</text>'
        )
    return parts


def _x(at_s: float, timeline: Timeline) -> float:
    share = at_s / timeline.span_s if timeline.span_s > 0 else 0.0
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _y(size: int, timeline: Timeline) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * size / timeline.top_bytes


def _text(text: str) -> str:
    return escape(inert_line(text))
