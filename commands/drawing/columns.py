"""Tables with one line for each row. Where they are too wide, columns are left out.

Where nothing may be left out, a row that is too long goes on in the next line, between two columns.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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

_INDENT = 2
"""By how much a row is indented that goes on in the next line."""


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
        folds: whether its text is in words. In a table of lines, what is too long of it goes on
            below, and nothing of it is cut.
    """

    name: str
    title: str
    cell: Callable[[Row], str | Text]
    width: int
    rank: int
    is_right: bool = False
    grows: bool = False
    is_name: bool = False
    folds: bool = False


class Fitted(NamedTuple, Generic[Row]):
    """The columns that fit into some width, each with its own width."""

    columns: tuple[tuple[Column[Row], int], ...]

    def header(self) -> Text:
        return _line([(column.title, column, width) for column, width in self.columns], HEADING)

    def line(self, row: Row, style: str = "") -> Text:
        return _line(self._cells(row), style)

    def lines(self, row: Row, console: Console) -> Iterator[Text]:
        """A row, and below it what goes on of the cells that fold."""
        cells = self._cells(row)
        folding = [
            _folded(cell, width, console) if column.folds else [] for cell, column, width in cells
        ]
        for place in range(max([1, *map(len, folding)])):
            yield _line(
                [
                    (_at(folded, place) if folded else "" if place else cell, column, width)
                    for (cell, column, width), folded in zip(cells, folding, strict=True)
                ],
                "",
            )

    def whole(self, row: Row, console: Console) -> Iterator[Text]:
        """A row of which nothing is cut, in lines as wide as `console`."""
        cells = [_padded_whole(*cell) for cell in self._cells(row)]
        yield from _in_lines(cells, console)

    def whole_header(self, console: Console) -> Iterator[Text]:
        """The header above rows that are `whole`."""
        cells = [_padded_whole(column.title, column, width) for column, width in self.columns]
        for line in _in_lines(cells, console):
            line.stylize(HEADING)
            yield line

    def _cells(self, row: Row) -> list[tuple[str | Text, Column[Row], int]]:
        return [(column.cell(row), column, width) for column, width in self.columns]


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

    A column in which nothing is written is left out. With the overflow `fold`, no other one is,
    and no cell is cut.

    Args:
        columns: all that it has.
        rows: what is in it.
        tells_hidden: whether a last line names the columns that were left out, or else those of
            which something was cut.
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
        hidden, cut = _hidden(written, fitted), _cut(fitted, self._rows)
        if options.overflow == "fold" and (hidden or cut):
            yield from self._whole(written, console)
            return
        yield fitted.header()
        for row in self._rows:
            yield from fitted.lines(row, console)
        if self._tells_hidden and hidden:
            yield Text(f"hidden: {hidden} (-o wide)")
        elif self._tells_hidden and cut:
            yield Text(f"shortened: {cut} (-o wide)")

    def _whole(self, written: Sequence[Column[Row]], console: Console) -> RenderResult:
        fitted = fit(written, self._rows, UNLIMITED)
        yield from fitted.whole_header(console)
        for row in self._rows:
            yield from fitted.whole(row, console)


def _hidden(columns: Sequence[Column[Row]], fitted: Fitted[Row]) -> str:
    """The titles of the columns that are left out."""
    shown = {column.name for column, _ in fitted.columns}
    return ", ".join(column.title for column in columns if column.name not in shown)


def _cut(fitted: Fitted[Row], rows: Sequence[Row]) -> str:
    """The titles of the columns in which a cell is cut."""
    return ", ".join(
        column.title
        for column, width in fitted.columns
        if not column.folds and any(_cell_width(column.cell(row)) > width for row in rows)
    )


def _is_written(column: Column[Row], rows: Sequence[Row]) -> bool:
    """Whether something is in the column; it is so if there are no rows."""
    return not rows or any(_cell_width(column.cell(row)) for row in rows)


def _cell_width(cell: str | Text) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(inert_line(cell))


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(inert_line(cell))


def _folded(cell: str | Text, width: int, console: Console) -> list[Text]:
    """The lines that a cell takes which is too long; none if it is not."""
    return list(_text(cell).wrap(console, width)) if _cell_width(cell) > width else []


def _at(lines: Sequence[Text], place: int) -> str | Text:
    return lines[place] if place < len(lines) else ""


def _padded_whole(cell: str | Text, column: Column[Row], width: int) -> Text:
    """A cell in at least `width` columns."""
    text = _text(cell).copy()
    missing = max(width - text.cell_len, 0)
    (text.pad_left if column.is_right else text.pad_right)(missing)
    return text


def _in_lines(cells: Iterable[Text], console: Console) -> Iterator[Text]:
    """The cells of a row in lines as wide as `console`, broken between two cells if they can be."""
    line: Text | None = None
    for cell in cells:
        if line is None:
            line = cell
            continue
        longer = Text.assemble(line, " " * GAP, cell)
        if cell_len(longer.plain.rstrip()) <= console.width:
            line = longer
        else:
            yield from _broken(line, console)
            line = Text.assemble(" " * _INDENT, cell)
    if line is not None:
        yield from _broken(line, console)


def _broken(line: Text, console: Console) -> Iterator[Text]:
    """A line; if a single cell is wider than the screen, that is broken, too."""
    line.rstrip()
    if line.cell_len <= console.width:
        yield line
        return
    for place, each in enumerate(line.wrap(console, max(console.width - _INDENT, 1))):
        each.rstrip()
        yield Text.assemble(" " * _INDENT, each) if place else each


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
