"""Lists of what a capsule has: a title, the first rows, and how many more there are."""

from collections.abc import Sequence
from typing import TypeVar

from rich.console import RenderableType
from rich.text import Text

from ..drawing.columns import Column, LineTable
from ..drawing.tones import HEADING

Row = TypeVar("Row")

MOST_ROWS = 100
"""How many rows of a list are shown; JSON has more."""


def titled_list(
    title: str, columns: Sequence[Column[Row]], rows: Sequence[Row], count: int
) -> list[RenderableType]:
    """A table below its title; nothing if there are no rows.

    Args:
        count: how many rows there are in all, of which `rows` may be the first.
    """
    if not rows:
        return []
    shown = rows[:MOST_ROWS]
    parts: list[RenderableType] = [title_line(title), LineTable(columns, shown, tells_hidden=True)]
    return parts + more_line(count - len(shown))


def title_line(title: str) -> Text:
    return Text(f"\n{title}", style=HEADING)


def more_line(more: int) -> list[RenderableType]:
    """Says that there are more; nothing if there are not."""
    return [Text(f"… and {more:,} more")] if more > 0 else []
