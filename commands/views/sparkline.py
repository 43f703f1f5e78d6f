"""How a quantity went lately, as one line of blocks."""

from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text  # noqa: TID253

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.:-=+*#"


def sparkline(
    values: Sequence[int], limit: int, warn_above: int, width: int, *, ascii_only: bool = False
) -> Text:
    """The latest of `values`, a column each, at most `width` of them, the newest at the right.

    A column is full at `limit`. Columns above `warn_above` are yellow, above `limit` red.
    """
    levels = _ASCII if ascii_only else _BLOCKS
    line = Text()
    for value in values[-width:]:
        level = min(value * len(levels) // max(limit, 1), len(levels) - 1)
        style = "bold red" if value > limit else "yellow" if value > warn_above else "green"
        line.append(levels[level], style)
    return line


def sampled(values: Sequence[int], width: int) -> list[int]:
    """`values` in at most `width` columns: the highest of each stretch, so that no peak is lost."""
    if len(values) <= width:
        return list(values)
    edges = [place * len(values) // width for place in range(width + 1)]
    return [max(values[low:high]) for low, high in pairwise(edges)]
