"""The lanes of jobs below a plot, as parts of an SVG file."""

from collections.abc import Sequence

from .lanes import Lane, in_parts, shown_of
from .plot import Plot, inert, without_middle

LANE_HEIGHT = 14
_BAR = 9
_NAME_LENGTH = 16


def lanes_svg(lanes: Sequence[Lane], plot: Plot, top: int, most: int) -> tuple[list[str], int]:
    """Lanes of at most so many jobs from `top` down, and where what comes below them begins.

    The name of each is to the left of the plot. A line tells how many more there are.
    """
    shown = shown_of(lanes, most)
    parts = []
    for place, lane in enumerate(shown):
        parts += _lane(lane, plot, top + place * LANE_HEIGHT)
    bottom = top + len(shown) * LANE_HEIGHT
    if len(lanes) > len(shown):
        text = f"and {len(lanes) - len(shown)} more"
        parts.append(f'<text class="quiet" x="{plot.left}" y="{bottom + _BAR}">{text}</text>')
        bottom += LANE_HEIGHT
    return parts, bottom


def _lane(lane: Lane, plot: Plot, y: int) -> list[str]:
    name = inert(without_middle(lane.name, _NAME_LENGTH))
    parts = [
        f'<text class="quiet" x="{plot.left - 8}" y="{y + _BAR}" font-size="11" '
        f'text-anchor="end">{name}</text>'
    ]
    paths: dict[str, str] = {}
    for begin, end, state in in_parts(lane, plot.span_s, plot.right - plot.left):
        path = f"M{plot.left + begin} {y}h{end - begin}v{_BAR}h{begin - end}z"
        paths[state] = paths.get(state, "") + path
    parts += [f'<path class="lane {state}" d="{path}"/>' for state, path in paths.items()]
    if lane.aborted_s is not None:
        x = round(plot.x(lane.aborted_s))
        parts.append(f'<path class="lane abort" d="M{x - 2} {y}h4v{_BAR}h-4z"/>')
    return parts
