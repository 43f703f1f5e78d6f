"""The chart of loading for a terminal: what was held over time, by phase."""

from itertools import pairwise

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from atectl.inert import inert_line
from atectl.load.memory_watch import PHASES, Phase, Sample
from atectl.units import format_duration, show_size

from ..drawing.tones import FULL, HEADING, KINDS, NEAR, ROOM
from .chart import SHOWN, Panel, in_columns, levels

_ROWS = 10
_LABEL_WIDTH = 11
_LEAST_PLOT_WIDTH = 10

_SIGNS: dict[Phase, tuple[str, str, str]] = {
    "host": ("█", "#", ""),
    "read": ("▒", "r", KINDS[2]),
    "decode": ("▒", "d", KINDS[3]),
    "compile": ("▓", "c", KINDS[1]),
    "store": ("▒", "s", ROOM),
    "start": ("▒", "t", NEAR),
}
"""For each phase what it is drawn with, that in ASCII, and its colour."""


class LoadChart:
    """A panel for Rich to draw, as wide as the console, or at most `most_width` columns."""

    def __init__(self, panel: Panel, most_width: int | None = None) -> None:
        self._panel = panel
        self._most_width = most_width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_ascii = options.ascii_only
        room = min(options.max_width, self._most_width or options.max_width)
        width = max(room - _LABEL_WIDTH, _LEAST_PLOT_WIDTH)
        panel = self._panel
        yield _line(Text(inert_line(panel.title), HEADING))
        columns = in_columns(panel, width)
        edges = [panel.top_bytes * row // _ROWS for row in range(_ROWS, -1, -1)]
        for high, low in pairwise(edges):
            yield _row(panel, columns, low, high, is_ascii=is_ascii)
        end = format_duration(panel.span_s)
        yield _line(Text(" " * _LABEL_WIDTH + "0s" + end.rjust(width - 2)))
        yield _legend(panel, is_ascii=is_ascii)


def _row(
    panel: Panel, columns: list[Sample | None], low: int, high: int, *, is_ascii: bool
) -> Text:
    limit = panel.limit_bytes
    is_limit = limit is not None and low < limit <= high
    label = show_size(limit if is_limit and limit else high)
    line = Text(label.rjust(_LABEL_WIDTH - 1) + " ")
    empty = ("=" if is_ascii else "─", FULL) if is_limit else (" ", "")
    middle = (low + high) // 2
    for sample in columns:
        phase = _phase_at(sample, middle)
        sign, style = empty if phase is None else (_SIGNS[phase][is_ascii], _SIGNS[phase][2])
        line.append(sign, style)
    return _line(line)


def _phase_at(sample: Sample | None, size: int) -> Phase | None:
    """What lies at this height."""
    reached = [phase for phase in SHOWN if (levels(sample)[phase] or 0) > size]
    return reached[-1] if reached else None


def _legend(panel: Panel, *, is_ascii: bool) -> Text:
    held = {phase for sample in panel.samples for phase in sample.by_phase}
    line = Text(" " * _LABEL_WIDTH)
    for phase in PHASES:
        if phase in held:
            line.append(_SIGNS[phase][is_ascii], _SIGNS[phase][2])
            line.append(f" {panel.names[phase]}  ")
    return _line(line)


def _line(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "crop"
    line.rstrip()
    return line
