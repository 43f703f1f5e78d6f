"""A list of records as CSV: a header with the names that JSON has, and a line for each record."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from atectl.inert import inert_line
from atectl.records.as_json import as_json
from atectl.records.types import Record, Without

_FORMULA = re.compile(r"[=+@]|-(?![A-Za-z0-9_-]*$)")
"""How text begins that a spreadsheet would calculate. The name of a principal is never one."""


def csv_lines(result: Record) -> Iterator[str]:
    """The lines of a result that has one field, a list of records; an empty list has a header.

    What is unknown is an empty cell, and sizes and times are those of JSON. Text that a
    spreadsheet would take for a formula has a `'` before it, and control characters are visible.
    """
    [(field, hint)] = get_type_hints(type(result), include_extras=True).items()
    yield _line(_columns(get_args(hint)[0]))
    for record in as_json(result)[field]:
        yield _line([_cell(value) for value in record.values()])


def _columns(annotation: Any) -> list[str]:
    kind, *marks = get_args(annotation) or (annotation,)
    left_out = {name for mark in marks if isinstance(mark, Without) for name in mark.names}
    return [name for name in kind._fields if name not in left_out]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    # Labels and file names are other people's.
    return inert_line(f"'{value}" if _FORMULA.match(value) else value)


def _line(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()
