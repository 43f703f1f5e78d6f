"""The latest values of a quantity, as one line of blocks."""

from collections.abc import Callable, Sequence

from rich.text import Text

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.:-=+*#"


def sparkline(
    values: Sequence[int | None],
    full_at: int,
    style_of: Callable[[int], str],
    width: int,
    *,
    ascii_only: bool = False,
) -> Text:
    """The latest of `values` in `width` columns, one column each, the newest at the right.

    Args:
        values: the oldest first; None is drawn as a blank.
        full_at: the value that fills a column.
        style_of: the style for a value.
        width: in columns.
        ascii_only: draw with ASCII characters.
    """
    levels = _ASCII if ascii_only else _BLOCKS
    latest = values[-width:]
    line = Text(" " * (width - len(latest)))
    for value in latest:
        if value is None:
            line.append(" ")
            continue
        level = min(value * len(levels) // max(full_at, 1), len(levels) - 1)
        line.append(levels[level], style_of(value))
    return line
