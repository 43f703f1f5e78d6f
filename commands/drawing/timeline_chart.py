"""The chart of a run for a terminal: pressure over time, the limits, and the decisions."""

from collections import Counter
from itertools import pairwise

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from atectl.arbitration.view import Action
from atectl.inert import inert_line
from atectl.units import show_size

from .gates import pressure_style
from .ticks import size_ticks, tick_text, time_ticks
from .timeline import MARKED, Point, Timeline, column_of, in_columns
from .tones import FULL, HEADING, KINDS, NEAR

_ROWS = 10
_LABEL_WIDTH = 14
_COUNT_WIDTH = 6
_LEAST_PLOT_WIDTH = 10

_SIGNS = {
    Action.PARK: ("▾", "p", NEAR),
    Action.SPILL: ("▼", "s", KINDS[0]),
    Action.ABORT: ("✗", "x", FULL),
}
_RESIDENT, _CHARGED, _SOFT_LINE, _LIMIT_LINE = ("█", "░", "╌", "─")
_ASCII = {_RESIDENT: "#", _CHARGED: ":", _SOFT_LINE: "-", _LIMIT_LINE: "="}


class TimelineChart:
    """A timeline for Rich to draw, as wide as the console, or at most `most_width` columns.

    A column is dark up to the resident size, and light from there up to the pressure. Where the
    resident size is unknown, all of it is light.
    """

    def __init__(self, timeline: Timeline, most_width: int | None = None) -> None:
        self._timeline = timeline
        self._most_width = most_width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_ascii = options.ascii_only
        room = min(options.max_width, self._most_width or options.max_width)
        width = max(room - _LABEL_WIDTH - _COUNT_WIDTH, _LEAST_PLOT_WIDTH)
        timeline = self._timeline
        yield _line(Text(inert_line(timeline.title), HEADING))
        columns = in_columns(timeline, width)
        edges = [timeline.top_bytes * row // _ROWS for row in range(_ROWS, -1, -1)]
        ticks = size_ticks(timeline.top_bytes)
        for high, low in pairwise(edges):
            tick = next((size for size in ticks if low < size <= high), None)
            yield _plot_row(timeline, columns, low, high, tick, is_ascii=is_ascii)
        yield _axis(timeline, width)
        counts = Counter(mark.action for mark in timeline.marks)
        for action in MARKED:
            if counts[action]:
                yield _lane(timeline, action, counts[action], width, is_ascii=is_ascii)


def _plot_row(
    timeline: Timeline,
    columns: list[Point | None],
    low: int,
    high: int,
    tick: int | None,
    *,
    is_ascii: bool,
) -> Text:
    """The sizes from `low` to `high`; `tick` is a round one among them, if there is one."""
    budget = timeline.budget
    label, empty, style = "" if tick is None else show_size(tick), " ", ""
    if low < budget.limit_bytes <= high:
        label, empty, style = f"hard {show_size(budget.limit_bytes)}", _LIMIT_LINE, FULL
    elif low < budget.soft_bytes <= high:
        label, empty, style = f"soft {show_size(budget.soft_bytes)}", _SOFT_LINE, NEAR
    middle = (low + high) // 2
    line = Text(_label(label))
    for point in columns:
        sign, colour = empty, style
        if point is not None and (point.resident_bytes or 0) > middle:
            sign, colour = _RESIDENT, pressure_style(budget, point.pressure_bytes)
        elif point is not None and point.pressure_bytes > middle:
            sign, colour = _CHARGED, pressure_style(budget, point.pressure_bytes)
        line.append(_ASCII.get(sign, sign) if is_ascii else sign, colour)
    return _line(line)


def _axis(timeline: Timeline, width: int) -> Text:
    """Round times, each with its first character where it is, as far as they have room."""
    line = ""
    for at_s in time_ticks(timeline.span_s):
        text = tick_text(at_s)
        place = min(column_of(at_s, timeline, width), width - len(text))
        if not line or place > len(line):
            line = line.ljust(place) + text
    return _line(Text(_label("") + line))


def _lane(timeline: Timeline, action: Action, count: int, width: int, *, is_ascii: bool) -> Text:
    """One action: a mark for each time it was taken, and their number."""
    sign, ascii_sign, style = _SIGNS[action]
    marked = {
        column_of(mark.at_s, timeline, width) for mark in timeline.marks if mark.action is action
    }
    signs = "".join(
        (ascii_sign if is_ascii else sign) if place in marked else " " for place in range(width)
    )
    line = Text(_label(action.value))
    line.append(signs, style)
    return _line(line.append(f" {count}"))


def _label(text: str) -> str:
    return text.rjust(_LABEL_WIDTH - 1) + " "


def _line(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "crop"
    line.rstrip()
    return line
