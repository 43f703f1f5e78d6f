"""How a quantity went lately, as one line of blocks."""

from collections.abc import Sequence

from rich.text import Text

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.:-=+*#"


def sparkline(
    values: Sequence[int | None],
    limit: int,
    warn_above: int,
    width: int,
    *,
    ascii_only: bool = False,
) -> Text:
    """The latest of `values`, a column each, the newest at the right of `width` columns.

    A column is full at `limit`, and blank where there is no value. Columns above `warn_above` are
    yellow, above `limit` red.
    """
    levels = _ASCII if ascii_only else _BLOCKS
    latest = values[-width:]
    line = Text(" " * (width - len(latest)))
    for value in latest:
        if value is None:
            line.append(" ")
            continue
        level = min(value * len(levels) // max(limit, 1), len(levels) - 1)
        style = "bold red" if value > limit else "yellow" if value > warn_above else "green"
        line.append(levels[level], style)
    return line
