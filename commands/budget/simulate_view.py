"""Recorded and replayed runs side by side, with the timeline and the leases of each."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.inert import inert_line
from atectl.trace.check import Check
from atectl.trace.events import Ruled
from atectl.trace.replay import ModelError, RefusedRun, Run, Simulation
from atectl.trace.summary import Fate, Summary
from atectl.units import counted, format_duration, show_size

from ..drawing.columns import Column, LineTable
from ..drawing.timeline import Timeline, on_common_axes, timeline_of
from ..drawing.timeline_chart import TimelineChart
from ..drawing.tones import HEADING

RUN_COLUMNS: tuple[Column[Run | RefusedRun], ...] = (
    Column("run", "RUN", lambda run: _kind(run), 8, 0),
    Column("backpressure", "MODE", lambda run: run.backpressure, 5, 1),
    Column("policy", "POLICY", lambda run: run.policy, 10, 2, grows=True),
    Column("limit", "LIMIT", lambda run: show_size(run.budget.limit_bytes), 8, 3, is_right=True),
    Column("makespan", "TOOK", lambda run: _took(run), 6, 4, is_right=True),
    Column("done", "DONE", lambda run: _done(run), 8, 5, is_right=True),
    Column("aborted", "ABORTED", lambda run: _count(run, "aborted"), 7, 6, is_right=True),
    Column("spilled", "SPILLED", lambda run: _size(run, "spilled_bytes"), 8, 7, is_right=True),
    Column("spills", "SPILLS", lambda run: _count(run, "spills"), 6, 8, is_right=True),
    Column("parks", "PARKS", lambda run: _count(run, "parks"), 5, 9, is_right=True),
    Column("peak", "PEAK", lambda run: _size(run, "peak_bytes"), 8, 10, is_right=True),
)

FATE_COLUMNS: tuple[Column[Fate], ...] = (
    Column("lease", "LEASE", lambda fate: str(fate.begun.lease), 5, 0, is_right=True),
    Column("label", "LABEL", lambda fate: fate.begun.label, 8, 1, grows=True, is_name=True),
    Column(
        "principal", "PRINCIPAL", lambda fate: fate.begun.principal, 9, 8, grows=True, is_name=True
    ),
    Column("capsule", "CAPSULE", lambda fate: fate.begun.capsule, 12, 9, grows=True, is_name=True),
    Column("parks", "PARKS", lambda fate: str(fate.parks), 5, 4, is_right=True),
    Column("first", "FROM", lambda fate: _at(fate.first_held_s), 6, 6, is_right=True),
    Column("held", "HELD", lambda fate: _at(fate.held_s or None), 6, 3, is_right=True),
    Column("spills", "SPILLS", lambda fate: str(fate.spills), 6, 7, is_right=True),
    Column("spilled", "SPILLED", lambda fate: show_size(fate.spilled_bytes), 8, 5, is_right=True),
)

DECISION_COLUMNS: tuple[Column[Ruled], ...] = (
    Column("at", "AT", lambda event: format_duration(event.at_s), 7, 0, is_right=True),
    Column("action", "ACTION", lambda event: event.action.value, 6, 1),
    Column("lease", "LEASE", lambda event: str(event.lease), 5, 2, is_right=True),
    Column("size", "SIZE", lambda event: show_size(event.bytes), 8, 3, is_right=True),
    Column("pressure", "PRESSURE", lambda event: show_size(event.pressure.total_bytes), 8, 5, True),
    Column("reason", "REASON", lambda event: event.reason, 12, 4, grows=True),
)


def simulation_view(
    shown: Simulation, chart_width: int | None = None, *, lists_decisions: bool = False
) -> RenderableType:
    """Each run in detail, and at the end all of them in one table, with remarks below it.

    Args:
        chart_width: the maximum width of a chart in columns; None for the whole terminal.
    """
    parts: list[RenderableType] = []
    timelines = timelines_of_runs(shown.runs)
    for run, timeline in zip(shown.runs, timelines, strict=True):
        parts += [TimelineChart(timeline, chart_width), Text()]
        touched = [fate for fate in run.fates if fate.was_touched]
        if touched:
            parts += [LineTable(_fate_columns(touched), touched), Text()]
        if lists_decisions and run.decisions:
            parts += [LineTable(DECISION_COLUMNS, run.decisions), Text()]
    parts += [LineTable(RUN_COLUMNS, [shown.recorded, *shown.others]), check_line(shown.checked)]
    if shown.model_error is not None:
        parts.append(model_line(shown.model_error))
    parts += gap_lines(shown.recorded.summary)
    return Group(*parts)


def check_line(checked: Check) -> Text:
    """The result of deciding the recorded moments again."""
    different, undecided = len(checked.differences), checked.undecided
    if different:
        first = format_duration(checked.differences[0].at_s)
        return Text(
            f"{different} of {checked.moments + checked.samples} moments are decided otherwise "
            f"than recorded, the first at {first}",
            HEADING,
        )
    if undecided:
        stand = "stands" if len(undecided) == 1 else "stand"
        return Text(
            f"{counted(len(undecided), 'ruling')} {stand} in "
            f"the trace without a decision, the first at {format_duration(undecided[0].at_s)}",
            HEADING,
        )
    samples = f"{_are(checked.samples, 'sample')} again left alone" if checked.samples else ""
    if not checked.moments:
        told = "nothing had to be decided in the recorded run"
        return Text(f"{told}; {samples}" if samples else told)
    told = f"{_are(checked.moments, 'moment')} decided again as recorded"
    return Text(f"{told}; {samples}" if samples else told)


def model_line(error: ModelError) -> Text:
    """How much a replay under the recorded rules differs from what was recorded."""
    recorded_s = error.recorded.makespan_s
    share = round(abs(error.makespan_s) * 100 / recorded_s) if recorded_s > 0 else 0
    time = f"{share}% {'longer' if error.makespan_s > 0 else 'less'}" if share else "as long"
    spilled = "as much"
    if error.spilled_bytes:
        amount = show_size(abs(error.spilled_bytes))
        spilled = f"{amount} {'more' if error.spilled_bytes > 0 else 'less'}"
    return Text(
        f"replays are models: under the recorded rules one takes {time} and spills {spilled}"
    )


def gap_lines(recorded: Summary) -> list[Text]:
    """What replays cannot know, because the recorded run did not get that far."""
    lines = []
    if recorded.unfinished:
        lines.append(
            f"the trace ends at {format_duration(recorded.makespan_s)} with "
            f"{counted(recorded.unfinished, 'lease')} unfinished; replays know no more of them"
        )
    if recorded.aborted:
        lines.append(
            f"{counted(len(recorded.aborted), 'lease')} ended by abort in the recorded run; "
            "replays know nothing of what would have come after"
        )
    return [Text(line, HEADING) for line in lines]


def timelines_of_runs(runs: Sequence[Run]) -> list[Timeline]:
    """The timelines of runs on common axes. The title of each has its rules and limit."""
    return on_common_axes([timeline_of_run(run) for run in runs])


def timeline_of_run(run: Run) -> Timeline:
    """The timeline of a run. Its title has its rules and limit."""
    limit = show_size(run.budget.limit_bytes)
    title = inert_line(f"{_kind(run)}: {run.backpressure}, {run.policy}, limit {limit}")
    return timeline_of(title, run.budget, run.events, run.leases)


def _kind(run: Run | RefusedRun) -> str:
    if isinstance(run, RefusedRun):
        return "refused"
    return "recorded" if run.is_recorded else "replayed"


def _took(run: Run | RefusedRun) -> str:
    """How long it took; for a run that would have been refused, the code of the error."""
    if isinstance(run, RefusedRun):
        return run.error.code
    return format_duration(run.summary.makespan_s)


def _done(run: Run | RefusedRun) -> str:
    if isinstance(run, RefusedRun):
        return "-"
    summary = run.summary
    whole = summary.finished == summary.lease_count
    return str(summary.finished) if whole else f"{summary.finished} of {summary.lease_count}"


def _count(run: Run | RefusedRun, field: str) -> str:
    if isinstance(run, RefusedRun):
        return "-"
    found = getattr(run.summary, field)
    return str(len(found) if isinstance(found, tuple) else found)


def _size(run: Run | RefusedRun, field: str) -> str:
    return "-" if isinstance(run, RefusedRun) else show_size(getattr(run.summary, field))


def _at(seconds: float | None) -> str:
    return "-" if seconds is None else format_duration(seconds)


def _fate_columns(fates: Sequence[Fate]) -> list[Column[Fate]]:
    """The columns for `fates`: one with how each ended, which is never cut, is the last."""
    width = max(len(_ended(fate)) for fate in fates)
    ended = Column[Fate]("ended", "ENDED", _ended, width, 2, is_right=True)
    return [*FATE_COLUMNS, ended]


def _ended(fate: Fate) -> str:
    if fate.aborted_s is not None:
        return f"aborted {format_duration(fate.aborted_s)}"
    return "unfinished" if fate.finished_s is None else format_duration(fate.finished_s)


def _are(count: int, noun: str) -> str:
    return f"{counted(count, noun)} {'is' if count == 1 else 'are'}"
