"""How results reach stdout: each as it comes, as a line of JSON or a row of a table."""

import json
import sys
from typing import Any, Protocol

from .output import Output


class ResultWriter(Protocol):
    """Writes results, and flushes each: what reads them waits for no other job."""

    def write(self, result: dict[str, Any]) -> None: ...


def result_writer(output: Output) -> ResultWriter:
    """The writer for a form of output."""
    return JsonLines() if output is Output.json else TableRows()


class JsonLines:
    """A line of JSON a result."""

    def write(self, result: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(result, separators=(",", ":")) + "\n")
        sys.stdout.flush()


class TableRows:
    """A row a result, below a header; the columns that fit the terminal, all of them in a pipe."""

    def __init__(self) -> None:
        from .output import stdout_console
        from .views.batch_results import fitted_columns

        self._console = stdout_console()
        self._fitted = fitted_columns(self._console.width)
        self._has_header = False

    def write(self, result: dict[str, Any]) -> None:
        if not self._has_header:
            self._print(self._fitted.header())
            self._has_header = True
        self._print(self._fitted.line(result))

    def _print(self, line: Any) -> None:
        self._console.print(line, no_wrap=True, overflow="crop", crop=True)
        sys.stdout.flush()
