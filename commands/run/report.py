"""The JSON report of a run, for CI: where `--report` writes it, and for which ends of a run."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from atectl.errors import AtectlError, NotStarted, ReportUnwritable
from atectl.records.as_json import document
from atectl.records.as_text import json_text
from atectl.system.files import OutputPlace

from ..output.files import TO_STDERR, ledger_files, output_place, refuse_clashes
from ..terminal.signals import ENDINGS, Ending
from .arguments import RunRequest

if TYPE_CHECKING:
    from atectl.lease.report import Report

    from .finished import FinishedRun


class CutShort(BaseException):
    """A signal came before the guest was started."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.ending = ending


class Reporting:
    """The report of one run. Its place is opened before anything runs.

    Raises:
        ReportUnwritable: it cannot be written there (exit 125).
        BadJob: the file there is an input, or another output (exit 2).
    """

    def __init__(self, path: str, request: RunRequest) -> None:
        self._request = request
        self._place: OutputPlace | None = None
        if path == TO_STDERR:
            return
        others = (
            ("the capsule", request.capsule),
            *ledger_files(request.ledger),
            *(("a file of variables", path) for path in request.env_files),
            ("what the guest reads", 0),
            ("what the guest writes", 1),
            ("where messages go", 2),
        )
        refuse_clashes([("--report", Path(path))], others)
        self._place = output_place(path)

    @contextmanager
    def of_run(self) -> "Iterator[None]":
        """Write a report of a run that does not come to its guest, for as long as this is entered.

        Raises:
            CutShort: a signal ended it.
        """
        before = {number: signal.getsignal(number) for number in ENDINGS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _cut_short)
        try:
            yield
        except AtectlError as error:
            self._refusal(error, None)
            raise
        except CutShort as cut:
            self._refusal(NotStarted("a signal came before the guest was started"), cut.ending)
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def finish(self, finished: "FinishedRun") -> None:
        """Write the report of a run that has ended.

        Raises:
            ReportUnwritable: it could not be written (exit 125).
        """
        from atectl.lease.report import run_report

        lock = None if finished.lock is None else finished.lock.facts()
        self._write(
            run_report(
                finished.lease,
                finished.outcome,
                self._request.capsule,
                finished.warnings,
                lock,
                finished.walls,
            )
        )

    def _refusal(self, error: AtectlError, ending: Ending | None) -> None:
        from atectl.lease.report import refusal_report

        asked = self._request
        self._write(
            refusal_report(error, asked.principal, asked.capsule, asked.quota, asked.label, ending)
        )

    def _write(self, report: "Report") -> None:
        text = json_text(document(report), indent=2) + "\n"
        if self._place is None:
            sys.stderr.write(text)
            return
        try:
            self._place.write(text)
        except OSError as error:
            raise ReportUnwritable(f"{str(self._place.path)!r}: {error.strerror}") from None


def _cut_short(number: int, _frame: FrameType | None) -> NoReturn:
    raise CutShort(ENDINGS[signal.Signals(number)])
