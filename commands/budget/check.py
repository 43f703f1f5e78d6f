"""`atectl budget check`: whether a host budget can be met, before anything runs."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from atectl.errors import UsageError
from atectl.units import parse_size

from ..options.host import HostOptions
from ..options.signature import with_option_groups
from ..options.single import LedgerOption, OutputOption
from ..output.stdout import Output, print_json, print_view

if TYPE_CHECKING:
    from atectl.budget.baseline import Baseline
    from atectl.budget.check import BudgetCheck
    from atectl.budget.file import BudgetFile
    from atectl.ledger_store.records import LeaseRecord

STDIN = "-"

HELP = "\n\n".join(
    (
        "Say whether a host budget can be met, before anything runs.",
        "The baseline is measured in a process that loads and instantiates the capsules of the "
        "file and runs none. With --pid or --baseline they are tried all the same. Options stand "
        "over the host table of the file, as they do for `atectl batch`.",
        "The exit status is 1 if the budget is unsatisfiable; with --strict also if there is any "
        "warning, or something could not be found out.",
    )
)

HOST_PROGRAM = (
    "atectl.commands.main",
    "atectl.commands.batch.running",
    "atectl.batch.batch",
    "atectl.ledger_store.sqlite.store",
)
"""The modules of `atectl batch`, which are part of its baseline."""


@with_option_groups
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE|-", help="The host budget file; - is stdin.")
    ],
    pid: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="PID",
            help="Take as baseline the size of this running host, less what its leases hold in the"
            " ledger.",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Take this as baseline, and measure none.")
    ] = None,
    ledger: LedgerOption = None,
    *,
    host: HostOptions,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Say whether a host budget can be met; `HELP` has the rest."""
    if pid is not None and baseline is not None:
        raise UsageError("--pid and --baseline both say what the baseline is", remedy="pass one")
    stated_bytes = None if baseline is None else parse_size(baseline)
    checked = _checked(file, host, _Told(pid, ledger, stated_bytes))
    if output is Output.json:
        from atectl.budget.results import check_report

        print_json(check_report(checked))
    else:
        from .check_view import check_view

        print_view(check_view(checked))
    if checked.code == "E312" or (strict and checked.findings):
        raise typer.Exit(1)


class _Told(NamedTuple):
    """What was said of the baseline: the process that is one, and its ledger; or its size."""

    pid: int | None
    ledger: str | None
    size_bytes: int | None


def _checked(file: Path, options: HostOptions, told: _Told) -> "BudgetCheck":
    from atectl.budget.check import check_budget

    from ..options.host import settle

    budget = _read(file)
    host = settle(budget.host, options)
    return check_budget(budget, host, _baseline(budget, told))


def _read(file: Path) -> "BudgetFile":
    from atectl.budget.errors import BadBudgetFile
    from atectl.budget.file import load_budget, read_budget

    if str(file) != STDIN:
        return load_budget(file)
    place = Path("stdin")
    if sys.stdin.isatty():
        raise BadBudgetFile(f"{place} is a terminal, and the budget is read from it")
    try:
        return read_budget(place, sys.stdin.buffer.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadBudgetFile(f"{place}: {error}") from None


def _baseline(budget: "BudgetFile", told: _Told) -> "Baseline":
    """The baseline, by what was said of it, and which of the capsules can start."""
    from atectl.budget import baseline
    from atectl.budget.check import samples

    from ..terminal.waiting import while_user_waits

    known = None
    if told.pid is not None:
        known = baseline.of_process(told.pid, _running(told.ledger))
    elif told.size_bytes is not None:
        known = baseline.stated(told.size_bytes)
    asked = samples(budget)
    if known is not None and told.pid is None and not asked:
        return known
    measured = while_user_waits(
        "measuring the baseline", lambda: baseline.measure(asked, program=HOST_PROGRAM)
    )
    if known is None:
        return measured
    if told.pid is not None:
        known = baseline.not_below(known, measured)
    return baseline.with_trials(known, measured)


def _running(ledger: str | None) -> "list[LeaseRecord] | None":
    """The unfinished leases; None where there is no ledger that could be read."""
    from atectl.errors import LedgerError
    from atectl.ledger_store.opening import open_for_reading

    try:
        with closing(open_for_reading(ledger)) as store:
            return store.running()
    except LedgerError:
        if ledger is not None:  # a place that was named is to be one
            raise
        return None
