"""Writing results: each as it comes, as a line of JSON, a row of a table, or what its job wrote."""

import sys
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TextIO

from atectl.batch.lines import ResultLine
from atectl.inert import inert_line, inert_text
from atectl.records.as_json import document
from atectl.records.as_text import json_text

from ..output.folding import folded_on
from ..output.stdout import Output

if TYPE_CHECKING:
    from rich.text import Text


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
        sys.stdout.write(json_text(document(result), is_dense=True) + "\n")


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
            for line in said.removesuffix("\n").split("\n"):
                _write_tagged(stream, tag, line)
        if not result.is_success:
            reason, status = result.ending[:2]
            error = result.error
            told = f"{error.code}: {error.message}" if error else f"{reason} {status}"
            _write_tagged(sys.stderr, tag, inert_line(told))


def _write_tagged(stream: TextIO, tag: str, line: str) -> None:
    """A line behind its label. Where it is too long for a terminal, it is broken between words."""
    told = f"{tag}\t{line}"
    shown = folded_on(stream, told.expandtabs(), indent=2) if stream.isatty() else told
    stream.write(f"{shown}\n")


class TableRows:
    """One row for each result, below a header.

    A terminal gets the columns that fit, a pipe gets all, and so does a terminal if it `is_wide`:
    then nothing is cut, and a row may take several lines. If there is no column for errors, the
    error of a job is below its row. If the width of the terminal changes, a new header follows.
    """

    def __init__(self, *, is_wide: bool) -> None:
        self._is_whole = is_wide or not sys.stdout.isatty()
        self._width: int | None = None

    def write(self, result: ResultLine) -> None:
        from ..output.stdout import stdout_width
        from .results_view import row_lines

        width = stdout_width()
        if width != self._width:
            self._begin(width)
        if self._is_whole:
            self._print(self._fitted.whole(result, self._console))
        else:
            self._print(row_lines(self._fitted, result))

    def _begin(self, width: int) -> None:
        """Go on with rows of `width`, below a header."""
        from ..output.stdout import PIPED_WIDTH, stdout_console
        from .results_view import fitted_columns

        self._width, self._console = width, stdout_console()
        self._fitted = fitted_columns(PIPED_WIDTH if self._is_whole else width)
        if self._is_whole:
            self._print(self._fitted.whole_header(self._console))
        else:
            self._print([self._fitted.header()])

    def _print(self, lines: "Iterable[Text]") -> None:
        for line in lines:
            self._console.print(line, no_wrap=True, overflow="crop", crop=True)
