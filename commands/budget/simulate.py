"""`atectl budget simulate`: a recorded run, replayed under other rules and limits."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atectl.errors import ReportUnwritable
from atectl.trace.errors import BadTrace
from atectl.units import parse_size

from ..options.host import STDIN, HostOptions
from ..options.signature import declared
from ..options.single import OutputOption
from ..options.table import options_of
from ..output.files import output_place, refuse_clashes
from ..output.stderr import report_error
from ..output.stdout import Output, chart_width, print_json, print_view

if TYPE_CHECKING:
    from atectl.trace.events import Header, Trace
    from atectl.trace.replay import Run

_HOST = options_of(HostOptions)


def simulate(
    trace: Annotated[
        Path, typer.Argument(metavar="TRACE", help="A file of `batch --trace`; - is stdin.")
    ],
    policy: Annotated[
        list[str] | None,
        declared(_HOST["policy"]._replace(help="Replay under this policy.", usually="as recorded")),
    ] = None,
    backpressure: Annotated[
        list[str] | None,
        declared(
            _HOST["backpressure"]._replace(
                help="Replay under this back-pressure.", usually="as recorded"
            )
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Replay under this limit.", show_default="as recorded"),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the timelines into this SVG file.")
    ] = None,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="List every decision of every run.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Replay a recorded run under other policies and limits, without running anything.

    Shows which leases would have been parked, spilled and aborted, and when. Each recorded
    decision is made again and compared; replaying the recorded policy shows how exact replays are.

    Exit status: 1 if a decision differs, or if one of the limits cannot be met.
    """
    from atectl.trace.replay import simulation_of

    if chart is not None:
        read = 0 if str(trace) == STDIN else trace
        others = [("where the trace comes from", read), ("where the results go", 1)]
        refuse_clashes([("--chart", chart)], others)
    found = _read(trace)
    sizes = [parse_size(size) for size in limit or ()] or [found.header.budget.limit_bytes]
    asked = _rules_asked(found.header, policy, backpressure)
    shown = simulation_of(found, asked, list(dict.fromkeys(sizes)))
    if chart is not None:
        _draw(chart, shown.runs)
    if output is Output.json:
        from atectl.trace.results import simulation_report

        print_json(simulation_report(shown))
    else:
        from .simulate_view import simulation_view

        print_view(simulation_view(shown, chart_width(), lists_decisions=decisions))
    for error in shown.refused:
        report_error(error)
    if shown.refused or not shown.checked.is_same:
        raise typer.Exit(1)


def _read(trace: Path) -> "Trace":
    from atectl.trace.reading import read_trace, read_trace_from

    if str(trace) != STDIN:
        return read_trace(trace)
    if sys.stdin.isatty():
        raise BadTrace("stdin is a terminal, and a trace is read from it")
    return read_trace_from(sys.stdin.buffer, "stdin")


def _rules_asked(
    header: "Header",
    policies: list[str] | None,
    backpressures: list[str] | None,
) -> list[tuple[str, str | None]]:
    """Every combination that is asked for; what is not given is as recorded."""
    knobs = backpressures or [header.backpressure]
    # With another back-pressure, its default policy applies, not the recorded one.
    unsaid = None if backpressures else header.policy
    names: Sequence[str | None] = policies or [unsaid]
    return list(dict.fromkeys((knob, name) for knob in knobs for name in names))


def _draw(place: Path, runs: "list[Run]") -> None:
    from ..drawing.timeline_svg import timelines_svg
    from .simulate_view import timelines_of_runs

    chart = output_place(place)
    try:
        chart.write(timelines_svg(timelines_of_runs(runs)))
    except OSError as error:
        raise ReportUnwritable(f"{str(place)!r}: {error.strerror}") from None
