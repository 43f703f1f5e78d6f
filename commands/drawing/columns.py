"""Tables with one line for each row. Where they are too wide, columns are left out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from atectl.inert import inert_line

from .tones import HEADING

Row = TypeVar("Row")

GAP = 2
"""Spaces between two columns."""

UNLIMITED = 10_000
"""From this width on, no cell is cut: nobody has such a terminal, it is a pipe or a file."""


class Column(NamedTuple, Generic[Row]):
    """One column of a table.

    Attributes:
        name: what it is called elsewhere, such as the field or the sort order.
        title: its header.
        cell: its text for a row. A plain string is made inert; a `Text` is taken as it is.
        width: its minimum width, in terminal columns.
        rank: the column with the highest rank is left out first.
        is_right: whether its text is aligned to the right.
        grows: whether it gets the width of its longest cell, where there is room.
        is_name: whether its text is a name. Where it is too long, its middle is left out: names
            often differ at their ends alone.
    """

    name: str
    title: str
    cell: Callable[[Row], str | Text]
    width: int
    rank: int
    is_right: bool = False
    grows: bool = False
    is_name: bool = False


class Fitted(NamedTuple, Generic[Row]):
    """The columns that fit into some width, each with its own width."""

    columns: tuple[tuple[Column[Row], int], ...]

    def header(self) -> Text:
        return _line([(column.title, column, width) for column, width in self.columns], HEADING)

    def line(self, row: Row, style: str = "") -> Text:
        cells = [(column.cell(row), column, width) for column, width in self.columns]
        return _line(cells, style)


def fit(columns: Sequence[Column[Row]], rows: Iterable[Row], width: int) -> Fitted[Row]:
    """The columns with the lowest ranks, as many as fit into `width`, in their order.

    What is left of the width goes to the columns that grow, in the order of their ranks.
    """
    left = width + GAP
    kept: dict[Column[Row], int] = {}
    for column in sorted(columns, key=lambda column: column.rank):
        left -= column.width + GAP
        if left < 0 and kept:
            left += column.width + GAP
            break
        kept[column] = min(column.width, width)
    held = list(rows)
    for column in [column for column in kept if column.grows or width >= UNLIMITED]:
        longest = max((_cell_width(column.cell(row)) for row in held), default=0)
        more = max(min(longest - column.width, left), 0)
        kept[column] += more
        left -= more
    return Fitted(tuple((column, kept[column]) for column in columns if column in kept))


class LineTable(Generic[Row]):
    """A table for Rich to draw: its header, and a line for each row.

    A column in which nothing is written is left out.

    Args:
        columns: all that it has.
        rows: what is in it.
        tells_hidden: whether a last line names the columns that were left out.
    """

    def __init__(
        self, columns: Sequence[Column[Row]], rows: Sequence[Row], *, tells_hidden: bool = False
    ) -> None:
        self._columns = columns
        self._rows = rows
        self._tells_hidden = tells_hidden

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        written = [each for each in self._columns if _is_written(each, self._rows)]
        fitted = fit(written, self._rows, options.max_width)
        yield fitted.header()
        for row in self._rows:
            yield fitted.line(row)
        hidden = _hidden(written, fitted)
        if hidden and self._tells_hidden:
            yield Text(f"hidden: {hidden} (-o wide)")


def _hidden(columns: Sequence[Column[Row]], fitted: Fitted[Row]) -> str:
    """The titles of the columns that are left out."""
    shown = {column.name for column, _ in fitted.columns}
    return ", ".join(column.title for column in columns if column.name not in shown)


def _is_written(column: Column[Row], rows: Sequence[Row]) -> bool:
    """Whether something is in the column; it is so if there are no rows."""
    return not rows or any(_cell_width(column.cell(row)) for row in rows)


def _cell_width(cell: str | Text) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(inert_line(cell))


def _line(cells: Iterable[tuple[str | Text, Column[Row], int]], style: str) -> Text:
    line = Text(style=style, no_wrap=True, overflow="crop")
    for place, (cell, column, width) in enumerate(cells):
        if place:
            line.append(" " * GAP)
        if isinstance(cell, Text):
            cell = cell.copy()
            cell.truncate(width, overflow="ellipsis")
            padding = " " * max(width - cell.cell_len, 0)
            line.append(padding if column.is_right else "")
            line.append_text(cell)
            line.append("" if column.is_right else padding)
        else:
            line.append(_padded(inert_line(cell), width, column))
    line.rstrip()
    return line


def _padded(cell: str, width: int, column: Column[Row]) -> str:
    length = cell_len(cell)
    if length > width:
        if column.is_name:
            return without_middle(cell, width)
        return set_cell_size(cell, width - 1) + "…"
    padding = " " * (width - length)
    return padding + cell if column.is_right else cell + padding


def without_middle(cell: str, width: int) -> str:
    """A name that is too long in `width` columns: its beginning, and as much of its end."""
    end_width = (width - 1) // 2
    begin = set_cell_size(cell, width - 1 - end_width).rstrip()
    end = cell
    while cell_len(end) > end_width:
        end = end[1:]
    shown = f"{begin}…{end}"
    return shown + " " * (width - cell_len(shown))
