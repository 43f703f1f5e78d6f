"""A running batch: the pressure of the host, the progress, the leases, and the decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from atectl.accounting import Account, Budget, Pressure
from atectl.units import format_duration, show_size

from ..drawing.bars import usage_bar
from ..drawing.columns import without_middle
from ..drawing.gates import pressure_style
from ..drawing.sparkline import sparkline
from ..drawing.tones import ALARM, HEADING, WARNING
from .decisions_view import LiveDecision, decision_line
from .leases_view import LiveLease, lease_lines

_SPARKLINE_COLUMNS = 30
_MOST_NAME_COLUMNS = 24
_LEAST_BAR_COLUMNS = 10
_MOST_BAR_COLUMNS = 40
_WIDEST_SIZE = len("9.99 GiB")
_WIDEST_GATE = len("  over limit")
_MOST_DECISIONS = 3
_TALL = 16
"""From this height on, `_MOST_DECISIONS` are shown, and the peaks of the principals; below it, only
the latest decision."""


@dataclass(frozen=True)
class LiveBatch:
    """A batch at one moment.

    The ended leases in `leases` are in the order they ended. The oldest of `decisions` is the
    first. `left` is None while the number of jobs is not known. `accounts` are those of the
    principals, the highest peak first.
    """

    leases: tuple[LiveLease, ...]
    pressure: Pressure
    budget: Budget
    on_disk_bytes: int
    decisions: tuple[LiveDecision, ...]
    done: int
    failed: int
    left: int | None
    elapsed_s: float
    accounts: tuple[Account, ...] = ()
    interrupted: int = 0
    is_stopping: bool = False
    ascii_only: bool = False


@dataclass(frozen=True)
class BatchScreen:
    """The batch in at most `height` lines. Where they are few, ended leases are left out first.

    `history` is the highest pressure in each two seconds of the last minute, in bytes, the newest
    last; None where it was not measured.
    """

    batch: LiveBatch
    history: tuple[int | None, ...]
    height: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        batch, width = self.batch, options.max_width
        head = [
            _pressure(batch, width),
            _history(batch, self.history, width),
            _progress(batch, width),
        ]
        if len(batch.accounts) > 1 and self.height >= _TALL:
            head.append(_peaks(batch.accounts, width))
        most = _MOST_DECISIONS if self.height >= _TALL else 1
        decided = [decision_line(each) for each in batch.decisions[-most:]]
        room = self.height - len(head) - len(decided)
        leases = lease_lines(batch.leases, width, room, ascii_only=batch.ascii_only)
        for line in [*head, *leases, *decided][: max(self.height, 0)]:
            line.no_wrap = True
            line.truncate(width, overflow="ellipsis")
            yield line


def _pressure(batch: LiveBatch, width: int) -> Text:
    used, budget = batch.pressure.total_bytes, batch.budget
    amount = f"{show_size(used)} of {show_size(budget.limit_bytes)}"
    soft = f"  soft {show_size(budget.soft_bytes)}"
    gate, style = _gate(batch)
    gap = "  " if gate else ""
    return Text.assemble("pressure ", _pressure_bar(batch, width), amount, gap, (gate, style), soft)


def _pressure_bar(batch: LiveBatch, width: int) -> Text:
    """A bar as wide as the longest text leaves room for, so that its width never changes."""
    used, budget = batch.pressure.total_bytes, batch.budget
    limit, soft = show_size(budget.limit_bytes), show_size(budget.soft_bytes)
    text = len(f"pressure   of {limit}  soft {soft}") + _WIDEST_SIZE + _WIDEST_GATE
    columns = min(width - text, _MOST_BAR_COLUMNS)
    if columns < _LEAST_BAR_COLUMNS:
        return Text()
    style = pressure_style(budget, used)
    bar = usage_bar(used, budget.limit_bytes, columns, ascii_only=batch.ascii_only, style=style)
    place = min(budget.soft_bytes * columns // budget.limit_bytes, columns - 1)
    mark = "|" if batch.ascii_only else "│"
    return Text.assemble(bar[:place], (mark, HEADING), bar[place + 1 :], " ")


def _gate(batch: LiveBatch) -> tuple[str, str]:
    if batch.budget.is_over_limit(batch.pressure):
        return "over limit", ALARM
    if batch.budget.is_over_soft(batch.pressure):
        return "over soft", WARNING
    return "", ""


def _history(batch: LiveBatch, history: tuple[int | None, ...], width: int) -> Text:
    budget, name = batch.budget, "minute   "
    on_disk = f"  on disk {show_size(batch.on_disk_bytes)}"
    columns = max(min(width - len(name) - len(on_disk), _SPARKLINE_COLUMNS), 1)
    line = sparkline(
        history,
        budget.limit_bytes,
        partial(pressure_style, budget),
        columns,
        ascii_only=batch.ascii_only,
    )
    return Text.assemble(name, line, on_disk)


def _progress(batch: LiveBatch, width: int) -> Text:
    finished = batch.done + batch.failed
    counts = [f", {batch.interrupted} interrupted"] if batch.interrupted else []
    if batch.left is not None:
        counts.append(f", {batch.left} left")
    elif not batch.is_stopping:
        counts.append(", more to come")
    rate = finished / batch.elapsed_s if batch.elapsed_s > 0 else 0.0
    line = Text.assemble(
        f"jobs     {batch.done} done, ",
        (f"{batch.failed} failed", ALARM if batch.failed else ""),
        *counts,
        f", {show_rate(rate)}/s, {format_duration(batch.elapsed_s)}",
    )
    if batch.left and rate and not batch.is_stopping:
        to_go = f", about {format_duration(batch.left / rate)} to go"
        line.append(to_go if line.cell_len + len(to_go) <= width else "")
    if batch.is_stopping:
        stopping = "stopping: no more are started"
        if line.cell_len + 2 + len(stopping) > width:
            stopping = "stopping"
        line.append("  ").append(stopping, WARNING)
    return line


def _peaks(accounts: Sequence[Account], width: int) -> Text:
    """What one lease of each principal was charged at most: of as many principals as fit."""
    told = [f"{_short(each.principal)} {show_size(each.peak_bytes)}" for each in accounts]
    for shown in range(len(told), 0, -1):
        more = [f"+{len(told) - shown} more"] if shown < len(told) else []
        line = Text.assemble("peaks    ", ", ".join([*told[:shown], *more]))
        if line.cell_len <= width:
            break
    return line


def _short(principal: str) -> str:
    is_long = cell_len(principal) > _MOST_NAME_COLUMNS
    return without_middle(principal, _MOST_NAME_COLUMNS) if is_long else principal


def show_rate(per_s: float) -> str:
    """A rate for a reader: hundredths below one, then three digits, whole numbers (`1,910`)."""
    if 0 < per_s < 0.01:
        return "<0.01"
    if per_s < 0.995:
        return f"{per_s:.2g}"
    return f"{per_s:.3g}" if per_s < 999.5 else f"{per_s:,.0f}"
