"""`atectl budget check`: whether a host budget can be met, before anything runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atectl.errors import UsageError
from atectl.units import parse_size

from .batch_options import Backpressure, HostOptions, PolicyName
from .output import Output, OutputOption, print_json, print_view

if TYPE_CHECKING:
    from atectl.baseline import Baseline
    from atectl.budget import BudgetFile
    from atectl.budget_check import BudgetCheck

HOST_PROGRAM = (
    "atectl.commands.app",
    "atectl.commands.batch",
    "atectl.commands.batch_run",
    "atectl.batch",
    "atectl.ledger_store.sqlite",
)
"""The modules of `atectl batch`, which are part of its baseline."""


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The host budget file.")],
    pid: Annotated[
        int | None,
        typer.Option(min=1, metavar="PID", help="Take the size of this running host as baseline."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Take this as baseline, and measure none.")
    ] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Most memory of the whole host process.")
    ] = None,
    soft: Annotated[
        float | None, typer.Option(metavar="FRACTION", help="Share of the limit to hold back at.")
    ] = None,
    resume: Annotated[
        float | None, typer.Option(metavar="FRACTION", help="Share of the limit to go on below.")
    ] = None,
    backpressure: Annotated[
        Backpressure | None, typer.Option(help="What is done to leases above soft.")
    ] = None,
    policy: Annotated[
        PolicyName | None, typer.Option(help="Whom it is done to; else as the backpressure says.")
    ] = None,
    spill_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where memory is spilled: on a real disk.")
    ] = None,
    spill_cap: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Most that may be spilled.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, max=4096, metavar="N", help="How many run at once."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Say whether a host budget can be met, before anything runs.

    The baseline is measured in a process that loads and instantiates the capsules of the file
    and runs none. Options stand over [host], as they do for `atectl batch`.

    The exit status is 1 if the budget is unsatisfiable; with --strict also if there is any
    warning, or something could not be measured.
    """
    from atectl.budget import load_budget
    from atectl.budget_check import check_budget

    from .batch_source import settle

    if pid is not None and baseline is not None:
        raise UsageError("--pid and --baseline both say what the baseline is", remedy="pass one")
    stated_bytes = None if baseline is None else parse_size(baseline)
    budget = load_budget(file)
    options = HostOptions(jobs, limit, soft, resume, backpressure, policy, spill_dir, spill_cap)
    host = settle(budget.host, options)
    checked = check_budget(budget, host, _baseline(budget, pid, stated_bytes))
    if output is Output.json:
        print_json(check_json(checked))
    else:
        from .views.budget import check_view

        print_view(check_view(checked))
    if checked.code == "E312" or (strict and checked.findings):
        raise typer.Exit(1)


def check_json(checked: "BudgetCheck") -> dict[str, Any]:
    """A check under the field names that scripts rely on."""
    measured = checked.measured
    budget, demand = measured.budget, measured.demand
    is_known = measured.baseline.resident_bytes is not None
    return {
        "verdict": checked.verdict.value,
        "code": checked.code,
        "limit_bytes": budget.limit_bytes,
        "baseline_bytes": measured.baseline.resident_bytes,
        "soft_bytes": budget.soft_bytes,
        "resume_bytes": budget.resume_bytes,
        "left_bytes": measured.left_bytes if is_known else None,
        "committed_bytes": demand.committed_bytes,
        "leases": demand.leases,
        "overcommit_ratio": measured.overcommit_ratio if is_known else None,
        "largest_lease_bytes": demand.largest and demand.largest.max_mem_bytes,
        "ceiling_bytes": measured.ceiling.size_bytes,
        "spill_room_bytes": measured.spill_room.size_bytes,
        "sources": {
            "limit_bytes": measured.limit_source,
            "baseline_bytes": measured.baseline.source,
            "ceiling_bytes": measured.ceiling.name,
            "spill_room_bytes": measured.spill_room.source,
        },
        "principals": [each._asdict() for each in demand.principals],
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "message": finding.message,
                "remedy": finding.remedy or None,
            }
            for finding in checked.findings
        ],
    }


def _baseline(budget: "BudgetFile", pid: int | None, stated_bytes: int | None) -> "Baseline":
    from atectl import baseline
    from atectl.budget_check import samples

    from .waiting import while_user_waits

    if pid is not None:
        return baseline.of_process(pid)
    if stated_bytes is not None:
        return baseline.stated(stated_bytes)
    asked = samples(budget)
    return while_user_waits(
        "measuring the baseline", lambda: baseline.measure(asked, program=HOST_PROGRAM)
    )
