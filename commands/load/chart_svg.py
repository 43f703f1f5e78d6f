"""The charts of loading as an SVG file, side by side."""

from collections.abc import Sequence
from pathlib import Path

from atectl.load.memory_watch import PHASES
from atectl.units import show_size

from ..drawing.plot import Plot, inert, picture
from .chart import SHOWN, Panel, in_columns, levels

_WIDTH, _HEIGHT = 620, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 96, 64, 320
_COLUMNS = 300
_LEGEND_STEP = 78

_STYLE = Path(__file__).with_name("chart.css")


def charts_svg(panels: Sequence[Panel]) -> str:
    """The text of an SVG file with a chart of each panel."""
    charts = [
        f'<g transform="translate({place * _WIDTH} 0)">\n{_chart(panel)}\n</g>'
        for place, panel in enumerate(panels)
    ]
    title = "; ".join(panel.title for panel in panels)
    return picture(_WIDTH * len(panels), _HEIGHT, title, _STYLE, charts)


def _chart(panel: Panel) -> str:
    plot = Plot(
        _LEFT, _WIDTH - _RIGHT, _TOP, _BOTTOM, span_s=panel.span_s, top_bytes=panel.top_bytes
    )
    columns = [levels(sample) for sample in in_columns(panel, _COLUMNS)]
    peak = max(panel.samples, key=lambda each: each.total_bytes, default=None)
    limit = panel.limit_bytes
    return "\n".join(
        [
            f'<text x="{_LEFT}" y="24" font-size="15">{inert(panel.title)}</text>',
            *_legend(panel),
            *(plot.area(phase, [column[phase] for column in columns]) for phase in SHOWN),
            *([] if limit is None else [plot.limit("limit", limit)]),
            *([] if peak is None else [_peak(plot, peak.total_bytes)]),
            *plot.size_axis(),
            plot.frame(),
            *plot.time_axis(),
        ]
    )


def _peak(plot: Plot, size: int) -> str:
    return (
        f'<text class="quiet" x="{plot.right}" y="24" text-anchor="end">'
        f"peak {inert(show_size(size))}</text>"
    )


def _legend(panel: Panel) -> list[str]:
    held = {phase for sample in panel.samples for phase in sample.by_phase}
    parts, x = [], _LEFT
    for phase in PHASES:
        if phase in held:
            parts.append(f'<rect class="{phase}" x="{x}" y="40" width="12" height="12"/>')
            parts.append(
                f'<text class="quiet" x="{x + 17}" y="50">{inert(panel.names[phase])}</text>'
            )
            x += _LEGEND_STEP if phase != "host" else _LEGEND_STEP + 36
    return parts
