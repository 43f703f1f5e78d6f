"""A recommended host budget, the records that it is based on, and what it would change."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.budget.plan import Change, Plan, PrincipalPlan
from atectl.inert import inert_line
from atectl.units import counted, show_size

from ..drawing.columns import Column, LineTable
from ..drawing.tones import HEADING, WARNING


def plan_view(plan: Plan) -> RenderableType:
    """One line for each principal, and below them how the limit is computed."""
    parts: list[RenderableType] = [
        LineTable(_PLAN_COLUMNS, plan.principals, tells_hidden=True),
        Text(),
    ]
    cut_off = sum(each.is_cut_off for each in plan.principals)
    if cut_off:
        whose = "1 peak was" if cut_off == 1 else f"{cut_off} peaks were"
        parts.append(Text(f"{whose} cut off by refused growth: look again after some runs"))
    parts.append(Text(_limit(plan)))
    return Group(*parts)


def changes_view(changes: Sequence[Change], file: str) -> RenderableType:
    """What the plan would change in a budget file in use."""
    if not changes:
        return Text(f"\n{inert_line(file)} says the same")
    heading = Text(f"\nchanges to {inert_line(file)}", style=HEADING)
    return Group(heading, LineTable(_CHANGE_COLUMNS, changes, tells_hidden=True))


def _limit(plan: Plan) -> str:
    """How the limit is computed, and on the next line how the baseline was measured."""
    together = counted(plan.together_leases, "lease")
    seen = f"{show_size(plan.together_bytes)} at the same time, in {together}"
    if plan.limit_bytes is None or plan.baseline_bytes is None:
        reason = inert_line(plan.baseline_source)
        return (
            f"limit: skipped, since the baseline is not known; at most {seen}\nbaseline: {reason}"
        )
    return (
        f"limit: {show_size(plan.limit_bytes)}, for a baseline of "
        f"{show_size(plan.baseline_bytes)} and at most {seen}\n"
        f"baseline: {inert_line(plan.baseline_source)}"
    )


def _window(plan: PrincipalPlan) -> str:
    """From when to when: days, or years if it is longer than one; JSON has the exact times."""
    since, until = (datetime.fromtimestamp(each, UTC) for each in (plan.since, plan.until))
    if since.date() == until.date():
        return f"{since:%Y-%m-%d}"
    if (until - since).days < 365:
        return f"{since:%m-%d}→{until:%m-%d}"
    return f"{since:%Y}→{until:%Y}"


def _wanted(plan: PrincipalPlan) -> str | Text:
    if plan.wanted_bytes == plan.peak_bytes and not plan.is_cut_off:
        return "-"
    return Text(show_size(plan.wanted_bytes), style=WARNING)


def _size(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else show_size(size_bytes)


def _difference(change: Change) -> str:
    if change.in_use_bytes is None or change.planned_bytes is None:
        return "-"
    more = change.planned_bytes - change.in_use_bytes
    return f"{'+' if more > 0 else '-'}{show_size(abs(more))}"


_PLAN_COLUMNS: list[Column[PrincipalPlan]] = [
    Column("principal", "PRINCIPAL", lambda each: each.principal, 12, 0, grows=True, is_name=True),
    Column("samples", "SAMPLES", lambda each: str(each.samples), 7, 3, is_right=True),
    Column("window", "WINDOW", _window, 11, 5),
    Column("peak", "PEAK", lambda each: show_size(each.peak_bytes), 8, 2, is_right=True),
    Column("refused", "REFUSED", lambda each: str(each.refused_growths), 7, 7, is_right=True),
    Column("wanted", "WANTED", _wanted, 8, 4, is_right=True),
    Column("headroom", "HEADROOM", lambda each: show_size(each.headroom_bytes), 8, 6, True),
    Column("max_mem", "MAX_MEM", lambda each: show_size(each.max_mem_bytes), 8, 1, is_right=True),
]
_CHANGE_COLUMNS: list[Column[Change]] = [
    Column("key", "KEY", lambda each: each.key, 24, 0, grows=True, is_name=True),
    Column("in_use", "IN USE", lambda each: _size(each.in_use_bytes), 8, 1, is_right=True),
    Column("planned", "PLANNED", lambda each: _size(each.planned_bytes), 8, 2, is_right=True),
    Column("change", "CHANGE", _difference, 9, 3, is_right=True),
]
