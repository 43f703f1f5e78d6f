"""`atectl budget plan`: a budget that is recommended from what the ledger has recorded."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atectl.budget.plan import DEFAULT_HEADROOM
from atectl.errors import UsageError
from atectl.inert import inert_line
from atectl.units import show_size

from ..options.single import LedgerOption, OutputOption
from ..output.stderr import say
from ..output.stdout import Output, print_json, print_view

if TYPE_CHECKING:
    from atectl.budget.baseline import Baseline
    from atectl.budget.file import BudgetFile
    from atectl.budget.plan import Change, Plan

HELP = "\n\n".join(
    (
        "Recommend a budget from the peaks that the ledger has recorded.",
        "A principal's quota is the most that one of its leases wanted, plus headroom. A lease "
        "wanted its peak, and the largest growth that it was refused. The limit covers what leases "
        "held at the same time, plus what a host itself takes; with --diff the capsules of that "
        "file are loaded to measure this.",
    )
)

ForceOption = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]


def plan(
    ledger: LedgerOption = None,
    headroom: Annotated[
        str, typer.Option(metavar="PERCENT", help="What to add to a peak, in whole percent.")
    ] = f"{DEFAULT_HEADROOM:.0%}",
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as a budget file.")
    ] = None,
    force: ForceOption = False,
    diff: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare it with this budget file.")
    ] = None,
    ignore_refused: Annotated[
        bool, typer.Option("--ignore-refused", help="Leave all refused growths out.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Recommend a budget from the peaks that the ledger has recorded; `HELP` has the rest."""
    from atectl.budget.file import load_budget
    from atectl.budget.plan import ComparedPlan, changes
    from atectl.budget.writing import plan_text, require_place, write_budget

    from ..output.files import ledger_files, refuse_clashes

    share = _share(headroom)
    if write is not None:
        refuse_clashes([("--write", write)], ledger_files(ledger))
        require_place(write, replace=force)
    in_use = None if diff is None else load_budget(diff)
    recommended = _recommend(ledger, share, in_use, ignores_refused=ignore_refused)
    for each in recommended.principals:
        if each.left_out_bytes and not ignore_refused:
            size = show_size(each.left_out_bytes)
            say(
                f"{each.principal}: left out a refused growth of {size}, more than this machine has"
            )
    found = None if in_use is None else changes(recommended, in_use)
    if output is Output.json:
        print_json(recommended if found is None else ComparedPlan(recommended, tuple(found)))
    elif recommended.principals:
        _show(recommended, found, in_use, output)
    if not recommended.principals:
        say("the ledger has no lease yet; `atectl run` and `atectl batch` record theirs in it")
    elif write is not None:
        write_budget(write, plan_text(recommended), replace=force)
        say(inert_line(f"wrote {write}"))


def _share(percent: str) -> float:
    """The headroom as a fraction of a peak.

    Raises:
        UsageError: it is not a whole percent from 0 to 1000 (exit 2).
    """
    number = percent.strip().removesuffix("%").rstrip()
    if not number.isascii() or not number.isdigit() or len(number) > 4 or int(number) > 1000:
        raise UsageError(
            f"--headroom: {percent!r} is no whole percent from 0 to 1000",
            remedy="write 15% for 15 percent over the peak",
        )
    return int(number) / 100


def _recommend(
    ledger: str | None, headroom: float, in_use: "BudgetFile | None", *, ignores_refused: bool
) -> "Plan":
    from atectl.budget.baseline import unmeasured
    from atectl.budget.plan import recommend
    from atectl.ledger_store.opening import open_for_reading
    from atectl.ledger_store.records import HISTORY_LEASES
    from atectl.system.ceilings import ceilings, tightest

    with closing(open_for_reading(ledger)) as store:
        accounts = store.accounts()
        leases = [*store.history(limit=HISTORY_LEASES), *store.running()]
    baseline = _baseline(in_use) if accounts else unmeasured("there is nothing to plan for")
    unique = {lease.id: lease for lease in leases}
    return recommend(
        accounts,
        unique.values(),
        headroom=headroom,
        baseline=baseline,
        ceiling_bytes=tightest(ceilings()).size_bytes,
        ignores_refused=ignores_refused,
    )


def _baseline(in_use: "BudgetFile | None") -> "Baseline":
    """What a host takes with the capsules of the budget in use, or without capsules.

    The ledger has only the names of capsules, so their files cannot be found from it.
    """
    from atectl.budget.baseline import measure
    from atectl.budget.check import samples

    from ..terminal.waiting import while_user_waits
    from .check import HOST_FORKED, HOST_PROGRAM

    # Whether a capsule starts under its smallest quota, `budget check` tells.
    asked = [
        each._replace(least_mem_bytes=each.max_mem_bytes)
        for each in (samples(in_use) if in_use is not None else ())
    ]
    measured = while_user_waits(
        "measuring the baseline", lambda: measure(asked, program=HOST_PROGRAM, forked=HOST_FORKED)
    )
    source = measured.source
    if in_use is None:
        source += ": --diff FILE adds those of a budget file"
    elif measured.refusals:
        source += f", {len(measured.refusals)} could not be"
    return measured._replace(source=source)


def _show(
    plan: "Plan",
    found: "list[Change] | None",
    in_use: "BudgetFile | None",
    output: Output,
) -> None:
    from .plan_view import changes_view, plan_view

    print_view(plan_view(plan), output)
    if found is not None and in_use is not None:
        print_view(changes_view(found, str(in_use.path)), output)
