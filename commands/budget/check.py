"""`atectl budget check`: whether a host budget can be met, before anything runs."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from atectl.batch.cells.settings import SERVING
from atectl.errors import UsageError
from atectl.units import parse_size

from ..options.compiling import CompileOptions, compile_limits
from ..options.host import HostOptions
from ..options.signature import with_option_groups
from ..options.single import LedgerOption, OutputOption
from ..output.stdout import Output, print_json, print_view

if TYPE_CHECKING:
    from atectl.budget.baseline import Baseline
    from atectl.budget.check import BudgetCheck
    from atectl.budget.file import BudgetFile
    from atectl.capsule.limits import CompileLimits
    from atectl.ledger_store.records import LeaseRecord

STDIN = "-"

HELP = "\n\n".join(
    (
        "Say whether a host budget can be met, before anything runs.",
        "The baseline is measured in a process that loads and instantiates the capsules of the "
        "file and runs none. With --pid or --baseline they are instantiated as well. Options take "
        "precedence over the host table of the file, as they do for `atectl batch`.",
        "Exit status: 1 if the budget is unsatisfiable; with --strict also if there is any "
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

HOST_FORKED = (SERVING,)
"""Those of the process that forks its cells."""


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
            help="Take the size of this running host, without its leases in the ledger, as the "
            "baseline.",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Take this baseline, instead of measuring.")
    ] = None,
    ledger: LedgerOption = None,
    *,
    host: HostOptions,
    compiling: CompileOptions,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Say whether a host budget can be met; `HELP` has the rest."""
    if pid is not None and baseline is not None:
        raise UsageError("--pid and --baseline both set the baseline", remedy="pass one of them")
    stated_bytes = None if baseline is None else parse_size(baseline)
    checked = _checked(file, host, _Told(pid, ledger, stated_bytes), compile_limits(compiling))
    if output is Output.json:
        from atectl.budget.results import check_report

        print_json(check_report(checked))
    else:
        from .check_view import check_view

        print_view(check_view(checked), output)
    if checked.code == "E312" or (strict and checked.findings):
        raise typer.Exit(1)


class _Told(NamedTuple):
    """What the command line says about the baseline: a host's process and ledger, or the size."""

    pid: int | None
    ledger: str | None
    size_bytes: int | None


def _checked(
    file: Path, options: HostOptions, told: _Told, compiling: "CompileLimits"
) -> "BudgetCheck":
    from atectl.budget.check import check_budget

    from ..options.host import settle

    budget = _read(file)
    host = settle(budget.host, options)
    limits = compiling.settled(host.budget().limit_bytes)
    return check_budget(budget, host, _baseline(budget, told, limits))


def _read(file: Path) -> "BudgetFile":
    from atectl.budget.errors import BadBudgetFile
    from atectl.budget.file import load_budget, read_budget
    from atectl.records.files import MAX_FILE_BYTES
    from atectl.units import format_size

    if str(file) != STDIN:
        return load_budget(file)
    place = Path("stdin")
    if sys.stdin.isatty():
        raise BadBudgetFile(
            f"{place} is a terminal, and the budget would be read from it",
            remedy="send it a budget file: < budget.toml",
        )
    content = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise BadBudgetFile(f"{place}: it is larger than {format_size(MAX_FILE_BYTES)}")
    try:
        return read_budget(place, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadBudgetFile(f"{place}: {error}") from None


def _baseline(budget: "BudgetFile", told: _Told, compiling: "CompileLimits") -> "Baseline":
    """The baseline, as the command line asks for it, and which of the capsules cannot start."""
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
        "measuring the baseline",
        lambda: baseline.measure(
            asked, program=HOST_PROGRAM, forked=HOST_FORKED, compiling=compiling
        ),
    )
    if known is None:
        return measured
    if told.pid is not None:
        known = baseline.not_below(known, measured)
    return baseline.with_trials(known, measured)


def _running(ledger: str | None) -> "list[LeaseRecord] | None":
    """The unfinished leases; None if there is no ledger that can be read."""
    from atectl.errors import LedgerError
    from atectl.ledger_store.opening import open_for_reading

    try:
        with closing(open_for_reading(ledger)) as store:
            return store.running()
    except LedgerError:
        if ledger is not None:  # a ledger that the user names must be readable
            raise
        return None
