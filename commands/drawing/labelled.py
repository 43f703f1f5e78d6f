"""Facts about one thing: a label and its value on each line."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from atectl.inert import inert_line


def labelled(lines: Iterable[tuple[str, str | Text]], columns: int) -> Table:
    """Each value behind its label; what is too long of it goes on below it.

    Args:
        lines: the labels and values. A plain string is made inert; a `Text` is taken as it is.
        columns: where the values begin.
    """
    grid = Table.grid(padding=0)
    grid.add_column(no_wrap=True, width=columns)
    grid.add_column(overflow="fold")
    for label, value in lines:
        grid.add_row(Text(label), value if isinstance(value, Text) else Text(inert_line(value)))
    return grid
