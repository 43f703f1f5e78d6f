"""How a result reaches stdout: as JSON for programs, as a table for people."""

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from atectl.errors import AtectlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console, RenderableType

    from atectl.records.types import Record

PIPED_WIDTH = 100_000
"""Columns given to a table that goes to a pipe or file, so that nothing is cut off."""


PIPED_CHART_WIDTH = 100
"""Columns given to a chart that goes to a pipe or file, where COLUMNS does not say."""


class Output(StrEnum):
    """The forms every listing takes."""

    table = "table"
    wide = "wide"
    json = "json"


class ListOutput(StrEnum):
    """The forms of a listing that accountants read, too."""

    table = "table"
    wide = "wide"
    json = "json"
    csv = "csv"


def print_csv(result: "Record") -> None:
    """Print a result that is one list of records to stdout as CSV, with a header."""
    from atectl.records.as_csv import csv_lines

    sys.stdout.writelines(csv_lines(result))


def print_json(result: "Record") -> None:
    """Print a result as one JSON object to stdout; indented for a terminal only.

    Without indentation it is one line, and encoded several times as fast.
    """
    from atectl.records.as_json import document
    from atectl.records.as_text import json_text

    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json_text(document(result), indent=indent) + "\n")


def print_json_list(
    name: str, items: "Iterable[Record]", rest: "Callable[[AtectlError | None], Record]"
) -> None:
    """Print a result with one long list, `name`, as one JSON object: each item as it comes.

    An item is a line, and none of them is kept. Whatever happens, the document is whole.

    Args:
        name: of the list.
        items: what is in it.
        rest: the result without its list, once that is printed: given what broke the list off.

    Raises:
        AtectlError: the list was broken off.
    """
    from atectl.records.as_json import SCHEMA_VERSION, as_json
    from atectl.records.as_text import json_text

    write = sys.stdout.write
    write(f'{{\n  "schema_version": {SCHEMA_VERSION},\n  "{name}": [')
    separator, failure = "\n    ", None
    try:
        for item in items:
            write(separator + json_text(as_json(item)))
            separator = ",\n    "
    except AtectlError as error:
        failure = error
    write("\n  ]" if separator.startswith(",") else "]")
    fields: Any = as_json(rest(failure))
    for other, value in fields.items():
        if other != name:
            write(f',\n  "{other}": {json_text(value)}')
    write("\n}\n")
    if failure is not None:
        raise failure


def print_view(view: "RenderableType", output: Output | ListOutput = Output.table) -> None:
    """Draw a view on stdout: as wide as the terminal, in a pipe as wide as it is.

    In a pipe or with `wide`, nothing is left out. On a terminal long rows then take several lines.
    """
    from ..drawing.lines import Unpadded

    stdout_console().print(Unpadded(view), overflow="fold" if _is_wide(output) else None)


def _is_wide(output: Output | ListOutput) -> bool:
    return output in (Output.wide, ListOutput.wide)


def lines_taken(view: "RenderableType", output: Output | ListOutput = Output.table) -> int:
    """How many lines of the terminal `print_view` takes; 0 if there is none."""
    if not sys.stdout.isatty():
        return 0
    from ..drawing.lines import text_lines

    return len(text_lines(view, stdout_width(), is_whole=_is_wide(output)))


def stdout_console() -> "Console":
    """What draws on stdout."""
    from rich.console import Console

    width = stdout_width()
    if not sys.stdout.isatty():
        return Console(width=width, highlight=False)
    from ..terminal.size import terminal_size

    height = terminal_size(sys.stdout.fileno()).lines
    return Console(width=width, height=height, highlight=False)


def stdout_width() -> int:
    """The columns to draw with on stdout now: those of the terminal, or enough for anything."""
    if not sys.stdout.isatty():
        return PIPED_WIDTH
    from ..terminal.size import drawing_width

    return drawing_width(sys.stdout.fileno())


def chart_width() -> int | None:
    """The most columns for a chart on stdout; None for all that the terminal has.

    A chart loses nothing by being narrow, unlike a table.
    """
    if sys.stdout.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    is_said = columns.isascii() and columns.isdecimal() and len(columns) < 5
    return (is_said and int(columns)) or PIPED_CHART_WIDTH
