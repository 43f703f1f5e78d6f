"""`atectl budget simulate`: a recorded run, replayed under other rules and limits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from atectl.errors import ReportUnwritable, UnsatisfiableBudget
from atectl.units import parse_size

from .batch_options import Backpressure, PolicyName
from .main import report_warning
from .output import Output, OutputOption, print_json, print_view
from .run_report import check_report_place, replace_file

if TYPE_CHECKING:
    from atectl.replay import Check, Run
    from atectl.trace import Header, Trace


def simulate(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="What `--trace` recorded.")],
    policy: Annotated[
        list[PolicyName] | None, typer.Option(help="Replay under this policy; may be repeated.")
    ] = None,
    backpressure: Annotated[
        list[Backpressure] | None,
        typer.Option(help="Replay under this back-pressure; may be repeated."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Replay under this limit; may be repeated."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the timelines into this SVG file.")
    ] = None,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="List every decision of every run.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Replay a recorded run under other policies and limits, without running anything.

    Shows who would have been parked, spilled and aborted, and when. What was recorded stands
    first; whether its policy still decides the same is checked moment by moment.

    The exit status is 1 if it does not, or if a limit asked for cannot be met.
    """
    from atectl.replay import check
    from atectl.trace import read_trace

    found = read_trace(trace)
    checked = check(found)
    shown = _replay(found, _rules_asked(found.header, policy, backpressure), limit)
    if svg is not None:
        _draw(svg, shown.runs)
    if output is Output.json:
        print_json(simulation_json(shown, checked))
    else:
        from .views.simulation import simulation_view

        print_view(simulation_view(shown.runs, checked, lists_decisions=decisions))
    for error in shown.refused:
        report_warning(error)
    if checked.differences or shown.refused:
        raise typer.Exit(1)


class Simulation(NamedTuple):
    """The runs, the recorded one first, and why others were none."""

    runs: "list[Run]"
    refused: list[UnsatisfiableBudget]


def simulation_json(shown: Simulation, checked: "Check") -> dict[str, Any]:
    """All runs with their decisions, and what the check of the recorded ones found."""
    return {
        "moments_checked": checked.moments,
        "moments_decided_otherwise": [difference.at_s for difference in checked.differences],
        "refused": [{"code": error.code, "message": str(error)} for error in shown.refused],
        "runs": [_run_json(run) for run in shown.runs],
    }


def _run_json(run: "Run") -> dict[str, Any]:
    decisions = [
        {
            "at_s": event.at_s,
            "action": event.action.value,
            "lease": event.lease,
            "bytes": event.bytes,
            "freed_bytes": event.freed_bytes,
            "pressure_bytes": event.pressure.total_bytes,
            "reason": event.reason,
        }
        for event in run.decisions
    ]
    return {
        "recorded": run.is_recorded,
        "backpressure": run.backpressure,
        "policy": run.policy,
        "limit_bytes": run.budget.limit_bytes,
        "soft_bytes": run.budget.soft_bytes,
        **run.summary._asdict(),
        "decisions": decisions,
    }


def _rules_asked(
    header: "Header",
    policies: "list[PolicyName] | None",
    backpressures: "list[Backpressure] | None",
) -> list[tuple[str, str | None]]:
    """Every combination asked for; what is not said is as recorded."""
    knobs = [knob.value for knob in backpressures or ()] or [header.backpressure]
    # A policy recorded under one back-pressure is not what goes with another.
    unsaid = None if backpressures else header.policy
    names: list[str | None] = [name.value for name in policies or ()]
    return list(dict.fromkeys((knob, name) for knob in knobs for name in names or [unsaid]))


def _replay(
    trace: "Trace", asked: list[tuple[str, str | None]], limits: list[str] | None
) -> Simulation:
    from atectl.replay import recorded_run, replayed_run

    budget = trace.header.budget
    sizes = [parse_size(limit) for limit in limits or ()] or [budget.limit_bytes]
    shown = Simulation([recorded_run(trace)], [])
    for size in dict.fromkeys(sizes):
        for backpressure, policy in asked:
            try:
                other = budget._replace(limit_bytes=size)
                shown.runs.append(replayed_run(trace, backpressure, policy, other))
            except UnsatisfiableBudget as error:
                shown.refused.append(error)
                break
    return shown


def _draw(place: Path, runs: "list[Run]") -> None:
    from .timeline_svg import timelines_svg
    from .views.simulation import timeline_of_run

    check_report_place(str(place))
    try:
        replace_file(place, timelines_svg([timeline_of_run(run) for run in runs]))
    except OSError as error:
        raise ReportUnwritable(f"{str(place)!r}: {error.strerror}") from None
