"""`atectl budget plan`: a budget recommended from what the ledger has seen."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atectl.inert import inert_line

from .ledger_options import LedgerOption, say
from .output import Output, OutputOption, print_json, print_view, rfc3339

if TYPE_CHECKING:
    from atectl.budget import BudgetFile
    from atectl.budget_plan import Change, Plan

ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def plan(
    ledger: LedgerOption = None,
    headroom: Annotated[
        int, typer.Option(min=0, max=1000, metavar="PERCENT", help="What to grant over a peak.")
    ] = 15,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as a budget file.")
    ] = None,
    force: ForceOption = False,
    diff: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare it with this budget file.")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Recommend a budget from the peaks that the ledger has seen.

    A principal's quota is the largest peak of its leases and some headroom. Growth that was
    refused shows that a peak was cut off: what was refused counts as wanted.
    """
    from atectl.budget import load_budget
    from atectl.budget_plan import changes
    from atectl.budget_writing import plan_text, write_budget

    in_use = None if diff is None else load_budget(diff)
    recommended = _recommend(ledger, headroom / 100)
    found = None if in_use is None else changes(recommended, in_use)
    if output is Output.json:
        print_json(plan_json(recommended, found))
    elif recommended.principals:
        _show(recommended, found, in_use)
    if not recommended.principals:
        say("the ledger has seen no lease yet; `atectl run` and `atectl batch` tell it of theirs")
    elif write is not None:
        write_budget(write, plan_text(recommended), replace=force)
        say(inert_line(f"wrote {write}"))


def plan_json(plan: "Plan", found: "list[Change] | None") -> dict[str, Any]:
    """A plan, and with `--diff` what it would change; times in RFC 3339."""
    principals = [
        each._asdict()
        | {
            "since": rfc3339(each.since),
            "until": rfc3339(each.until),
            "is_cut_off": each.is_cut_off,
        }
        for each in plan.principals
    ]
    body = plan._asdict() | {"principals": principals}
    if found is not None:
        body["changes"] = [change._asdict() for change in found]
    return body


def _recommend(ledger: str | None, headroom: float) -> "Plan":
    from atectl.baseline import measure
    from atectl.budget_plan import recommend
    from atectl.ledger_store import HISTORY_LEASES
    from atectl.ledger_store.opening import open_for_reading

    from .budget_check import HOST_PROGRAM
    from .waiting import while_user_waits

    with closing(open_for_reading(ledger)) as store:
        accounts = store.accounts()
        leases = [*store.history(limit=HISTORY_LEASES), *store.running()]
    baseline_bytes = None
    if accounts:
        measured = while_user_waits(
            "measuring the baseline", lambda: measure((), program=HOST_PROGRAM)
        )
        baseline_bytes = measured.resident_bytes
    unique = {lease.id: lease for lease in leases}
    return recommend(accounts, unique.values(), headroom=headroom, baseline_bytes=baseline_bytes)


def _show(plan: "Plan", found: "list[Change] | None", in_use: "BudgetFile | None") -> None:
    from .views.budget_plan import changes_view, plan_view

    print_view(plan_view(plan))
    if found is not None and in_use is not None:
        print_view(changes_view(found, str(in_use.path)))
