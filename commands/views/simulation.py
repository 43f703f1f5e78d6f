"""Recorded and replayed runs side by side, with the timeline of each."""

from collections.abc import Sequence

from rich.console import Group, RenderableType  # noqa: TID253
from rich.text import Text  # noqa: TID253

from atectl.arbitration import Action
from atectl.inert import inert_line
from atectl.replay import Check, Run
from atectl.trace import Ruled
from atectl.units import format_duration, show_size

from ..timeline import Timeline, timeline_of  # noqa: TID252
from .columns import Column, LineTable
from .timeline import TimelineChart

RUN_COLUMNS: tuple[Column[Run], ...] = (
    Column("run", "run", lambda run: "recorded" if run.is_recorded else "replayed", 8, 0),
    Column("backpressure", "mode", lambda run: run.backpressure, 5, 1),
    Column("policy", "policy", lambda run: run.policy, 10, 2, grows=True),
    Column("limit", "limit", lambda run: show_size(run.budget.limit_bytes), 8, 3, is_right=True),
    Column(
        "makespan", "took", lambda run: format_duration(run.summary.makespan_s), 6, 4, is_right=True
    ),
    Column(
        "spilled", "spilled", lambda run: show_size(run.summary.spilled_bytes), 8, 6, is_right=True
    ),
    Column("aborted", "aborted", lambda run: _count(len(run.summary.aborted)), 7, 5, is_right=True),
    Column("peak", "peak", lambda run: show_size(run.summary.peak_bytes), 8, 7, is_right=True),
    Column("parks", "parks", lambda run: _count(run.summary.parks), 5, 8, is_right=True),
    Column("spills", "spills", lambda run: _count(run.summary.spills), 6, 9, is_right=True),
    Column("done", "done", lambda run: _count(run.summary.finished), 5, 10, is_right=True),
)

DECISION_COLUMNS: tuple[Column[Ruled], ...] = (
    Column("at", "at", lambda event: format_duration(event.at_s), 7, 0, is_right=True),
    Column("action", "action", lambda event: event.action.value, 6, 1),
    Column("lease", "lease", lambda event: _count(event.lease), 5, 2, is_right=True),
    Column("size", "size", lambda event: show_size(event.bytes), 8, 3, is_right=True),
    Column(
        "pressure",
        "pressure",
        lambda event: show_size(event.pressure.total_bytes),
        8,
        5,
        is_right=True,
    ),
    Column("reason", "reason", lambda event: event.reason, 12, 4, grows=True),
)


def simulation_view(
    runs: Sequence[Run], checked: Check, *, lists_decisions: bool = False
) -> RenderableType:
    """The table of the runs, whether the recorded one is decided the same, and each in detail."""
    parts: list[RenderableType] = [LineTable(RUN_COLUMNS, runs), check_line(checked)]
    for run in runs:
        parts += [Text(), TimelineChart(timeline_of_run(run))]
        aborted = [event for event in run.decisions if event.action is Action.ABORT]
        listed = run.decisions if lists_decisions else aborted
        if listed:
            parts += [Text(), LineTable(DECISION_COLUMNS, listed)]
    return Group(*parts)


def check_line(checked: Check) -> Text:
    """What came of deciding the recorded moments again."""
    different = len(checked.differences)
    if not checked.moments:
        return Text("nothing had to be decided in the recorded run", "dim")
    if not different:
        count = "1 moment is" if checked.moments == 1 else f"{checked.moments} moments are"
        return Text(f"{count} decided again as recorded", "green")
    first = format_duration(checked.differences[0].at_s)
    return Text(
        f"{different} of {checked.moments} moments are decided otherwise than recorded, "
        f"the first at {first}",
        "bold red",
    )


def timeline_of_run(run: Run) -> Timeline:
    """The timeline of a run, titled with what sets it apart."""
    source = "recorded" if run.is_recorded else "replayed"
    limit = show_size(run.budget.limit_bytes)
    title = inert_line(f"{source}: {run.backpressure}, {run.policy}, limit {limit}")
    return timeline_of(title, run.budget, run.events)


def _count(number: int) -> str:
    return str(number)
