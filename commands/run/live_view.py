"""The table below the output of a running guest: its lease, and the pressure of the host."""

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.accounting import Budget, Pressure
from atectl.units import format_duration, show_size

from ..drawing.bars import usage_bar
from ..drawing.columns import Column, LineTable
from ..drawing.tones import ALARM, HEADING, WARNING

_BAR_COLUMNS = 8


@dataclass(frozen=True)
class LiveRun:
    """A lease at one moment, and its host. `ascii_only`: the terminal shows ASCII only."""

    principal: str
    capsule: str
    state: str
    current_bytes: int
    quota_bytes: int
    peak_bytes: int
    refused_growths: int
    cpu_s: float
    elapsed_s: float
    pressure: Pressure
    budget: Budget
    ascii_only: bool = False


def live_run(sample: LiveRun) -> RenderableType:
    """The lease as a row, and a line about the host."""
    return Group(LineTable(_COLUMNS, [sample]), _host(sample))


def _memory(sample: LiveRun) -> Text:
    bar = usage_bar(
        sample.current_bytes, sample.quota_bytes, _BAR_COLUMNS, ascii_only=sample.ascii_only
    )
    numbers = f" {show_size(sample.current_bytes)} / {show_size(sample.quota_bytes)}"
    return Text.assemble(bar, numbers)


def _state(sample: LiveRun) -> Text:
    return Text(sample.state, style="" if sample.state == "running" else HEADING)


def _refused(sample: LiveRun) -> Text:
    return Text(str(sample.refused_growths), style=WARNING if sample.refused_growths else "")


_COLUMNS: tuple[Column[LiveRun], ...] = (
    Column("principal", "PRINCIPAL", lambda s: s.principal, 9, 1, grows=True, is_name=True),
    Column("capsule", "CAPSULE", lambda s: s.capsule, 12, 3, grows=True, is_name=True),
    Column("state", "STATE", _state, 7, 6),
    Column("memory", "MEMORY", _memory, _BAR_COLUMNS + 20, 0),
    Column("peak", "PEAK", lambda s: show_size(s.peak_bytes), 8, 4, is_right=True),
    Column("refused", "REFUSED", _refused, 7, 2, is_right=True),
    Column("cpu", "CPU", lambda s: format_duration(s.cpu_s), 6, 7, is_right=True),
    Column("elapsed", "ELAPSED", lambda s: format_duration(s.elapsed_s), 7, 5, is_right=True),
)


def _host(sample: LiveRun) -> Text:
    total, budget = sample.pressure.total_bytes, sample.budget
    if budget.is_over_limit(sample.pressure):
        state, style = "over the limit", ALARM
    elif budget.is_over_soft(sample.pressure):
        state, style = "over the soft limit", WARNING
    else:
        state, style = "below the soft limit", ""
    limit, soft = show_size(budget.limit_bytes), show_size(budget.soft_bytes)
    return Text.assemble(
        f"host pressure {show_size(total)} of {limit}, ",
        (f"{state} of {soft}" if "soft" in state else state, style),
        no_wrap=True,
        overflow="ellipsis",
    )
