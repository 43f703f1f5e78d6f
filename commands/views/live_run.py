"""The table under a running guest's output: its lease, and the pressure of the host."""

from dataclasses import dataclass

from rich.console import Group, RenderableType  # noqa: TID253
from rich.table import Table  # noqa: TID253
from rich.text import Text  # noqa: TID253

from atectl.accounting import Budget, Pressure
from atectl.inert import inert_line
from atectl.units import format_duration, show_size

from .bars import usage_bar

_BAR_COLUMNS = 12


@dataclass(frozen=True)
class LiveRun:
    """One moment of one lease, and of the host it runs on."""

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


def live_run(sample: LiveRun) -> RenderableType:
    """The lease as one row, and a line on the host."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("PRINCIPAL", no_wrap=True, overflow="ellipsis", max_width=20)
    table.add_column("CAPSULE", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("STATE", no_wrap=True)
    table.add_column("MEMORY", no_wrap=True)
    for name in ("PEAK", "REFUSED", "CPU", "ELAPSED"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(
        Text(inert_line(sample.principal)),
        Text(inert_line(sample.capsule)),
        Text(sample.state, style="green" if sample.state == "running" else "yellow"),
        _memory(sample),
        show_size(sample.peak_bytes),
        Text(str(sample.refused_growths), style="bold red" if sample.refused_growths else ""),
        format_duration(sample.cpu_s),
        format_duration(sample.elapsed_s),
    )
    return Group(table, _host(sample))


def _memory(sample: LiveRun) -> Text:
    bar = usage_bar(sample.current_bytes, sample.quota_bytes, _BAR_COLUMNS)
    numbers = f" {show_size(sample.current_bytes)} / {show_size(sample.quota_bytes)}"
    return Text.assemble(bar, numbers)


def _host(sample: LiveRun) -> Text:
    total, budget = sample.pressure.total_bytes, sample.budget
    if budget.is_over_limit(sample.pressure):
        state, style = "over the limit", "bold red"
    elif budget.is_over_soft(sample.pressure):
        state, style = "over the soft limit", "yellow"
    else:
        state, style = "below the soft limit", "dim"
    limit, soft = show_size(budget.limit_bytes), show_size(budget.soft_bytes)
    return Text.assemble(
        ("host pressure ", "dim"),
        f"{show_size(total)} of {limit}",
        (f", {state} of {soft}" if "soft" in state else f", {state}", style),
        no_wrap=True,
        overflow="ellipsis",
    )
