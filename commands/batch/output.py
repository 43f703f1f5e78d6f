"""Writing results to stdout: each as it comes, as a line of JSON or a row of a table."""

import json
import sys
from collections.abc import Callable
from typing import Any, Protocol

from atectl.batch.lines import ResultLine
from atectl.records.as_json import document

from ..output.stdout import Output

Tell = Callable[[ResultLine], None]
"""What is called with each result as it comes."""


class ResultWriter(Protocol):
    """Writes results. The caller flushes stdout when no other result is ready."""

    def write(self, result: ResultLine) -> None: ...


def result_writer(output: Output) -> ResultWriter:
    """The writer for a form of output."""
    return JsonLines() if output is Output.json else TableRows(is_wide=output is Output.wide)


class JsonLines:
    """One line of JSON for each result."""

    def write(self, result: ResultLine) -> None:
        sys.stdout.write(json.dumps(document(result), separators=(",", ":")) + "\n")


class TableRows:
    """One row for each result, below a header.

    A terminal gets the columns that fit, a pipe gets all. If there is no column for errors, the
    error of a job is below its row. If the width of the terminal changes, a new header follows.
    """

    def __init__(self, *, is_wide: bool) -> None:
        from ..output.stdout import stdout_console

        self._console = stdout_console(is_wide=is_wide)
        self._width: int | None = None

    def write(self, result: ResultLine) -> None:
        from .results_view import fitted_columns, row_lines

        width = self._console.width
        if width != self._width:
            self._width, self._fitted = width, fitted_columns(width)
            self._print(self._fitted.header())
        for line in row_lines(self._fitted, result):
            self._print(line)

    def _print(self, line: Any) -> None:
        self._console.print(line, no_wrap=True, overflow="crop", crop=True)
