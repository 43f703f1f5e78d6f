"""How a quantity went lately, as one line of blocks."""

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
    """The latest of `values`, a column each, the newest at the right of `width` columns.

    A column is full at `full_at`, and blank where there is no value. Each is drawn in the style
    that `style_of` has for its value.
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
