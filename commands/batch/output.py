"""Writing results: each as it comes, as a line of JSON, a row of a table, or what its job wrote."""

import json
import sys
from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from atectl.batch.lines import ResultLine
from atectl.inert import inert_line, inert_text
from atectl.records.as_json import document

from ..output.stdout import Output

if TYPE_CHECKING:
    from ..drawing.columns import Fitted

Tell = Callable[[ResultLine], None]
"""What is called with each result as it comes."""


class ResultWriter(Protocol):
    """Writes results. The caller flushes stdout when no other result is ready."""

    def write(self, result: ResultLine) -> None: ...


def result_writer(output: Output, *, is_tagged: bool = False) -> ResultWriter:
    """The writer for a form of output; `is_tagged` has it write what the jobs wrote instead."""
    if is_tagged:
        return TaggedLines()
    return JsonLines() if output is Output.json else TableRows(is_wide=output is Output.wide)


class JsonLines:
    """One line of JSON for each result."""

    def write(self, result: ResultLine) -> None:
        sys.stdout.write(json.dumps(document(result), separators=(",", ":")) + "\n")


class TaggedLines:
    """What each job wrote, to the stream that it was written to: each line behind its label.

    A job without a label has its number there. On a terminal what it wrote is made inert.
    """

    def write(self, result: ResultLine) -> None:
        tag = inert_line(result.label or str(result.job))
        for stream, kept in ((sys.stdout, result.stdout), (sys.stderr, result.stderr)):
            if kept is None:
                continue
            said = kept.text
            if said is None:
                said = b64decode(kept.base64 or "").decode("utf-8", "backslashreplace")
            if stream.isatty():
                said = inert_text(said)
            stream.writelines(f"{tag}\t{line}\n" for line in said.removesuffix("\n").split("\n"))
        if not result.is_success:
            reason, status = result.ending[:2]
            error = result.error
            told = f"{error.code}: {error.message}" if error else f"{reason} {status}"
            sys.stderr.write(f"{tag}\t{inert_line(told)}\n")


class TableRows:
    """One row for each result, below a header.

    A terminal gets the columns that fit, a pipe gets all. If there is no column for errors, the
    error of a job is below its row. If the width of the terminal changes, a new header follows.
    """

    def __init__(self, *, is_wide: bool) -> None:
        self._is_wide = is_wide
        self._width: int | None = None

    def write(self, result: ResultLine) -> None:
        from ..output.stdout import stdout_width
        from .results_view import fitted_columns, row_lines

        width = stdout_width(is_wide=self._is_wide)
        if width != self._width:
            self._begin(width, fitted_columns(width))
        for line in row_lines(self._fitted, result):
            self._print(line)

    def _begin(self, width: int, fitted: "Fitted[ResultLine]") -> None:
        """Go on with rows of `width`, below a header."""
        from ..output.stdout import stdout_console

        self._width, self._fitted = width, fitted
        self._console = stdout_console(is_wide=self._is_wide)
        self._print(fitted.header())

    def _print(self, line: Any) -> None:
        self._console.print(line, no_wrap=True, overflow="crop", crop=True)
