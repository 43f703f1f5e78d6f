"""A running batch: the pressure of the host, its leases, what was decided, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult  # noqa: TID253
from rich.text import Text  # noqa: TID253

from atectl.accounting import Budget, Pressure
from atectl.inert import inert_line
from atectl.units import format_duration, show_size

from .bars import usage_bar
from .columns import Column, fit
from .sparkline import sampled, sparkline

_SPARKLINE_COLUMNS = 30
_MOST_BAR_COLUMNS = 40
_NUMBERS_COLUMNS = 40
_MOST_DECISIONS = 3
_STATE_STYLES = {
    "waiting": "dim",
    "running": "green",
    "parked": "yellow",
    "spilled": "magenta",
    "resuming": "cyan",
    "ending": "yellow",
    "done": "dim green",
    "failed": "red",
    "refused": "red",
    "aborted": "bold red",
}
_ENDED = frozenset({"done", "failed", "refused", "aborted"})


@dataclass(frozen=True)
class LiveLease:
    """One lease at one moment. `resident_bytes` is None where it is not known."""

    number: int
    label: str
    principal: str
    capsule: str
    state: str
    linear_bytes: int
    resident_bytes: int | None
    quota_bytes: int
    elapsed_s: float


@dataclass(frozen=True)
class LiveDecision:
    """One decision of the arbiter, so many seconds ago."""

    ago_s: float
    action: str
    number: int
    bytes: int
    reason: str


@dataclass(frozen=True)
class LiveBatch:
    """One moment of a batch.

    `history` has the pressure of the last minute in bytes, the oldest first; `decisions` the
    oldest first. `left` is None while it is not known how many jobs there are to come.
    """

    leases: tuple[LiveLease, ...]
    pressure: Pressure
    budget: Budget
    history: tuple[int, ...]
    spilled_bytes: int
    decisions: tuple[LiveDecision, ...]
    done: int
    failed: int
    left: int | None
    elapsed_s: float
    is_stopping: bool = False
    ascii_only: bool = False


@dataclass(frozen=True)
class BatchScreen:
    """The batch in at most `height` lines: what is cut off first are finished leases."""

    batch: LiveBatch
    height: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from batch_lines(self.batch, options.max_width, self.height)


def batch_lines(batch: LiveBatch, width: int, height: int) -> list[Text]:
    """The screen as lines, none wider than `width`."""
    head = [_pressure(batch, width), _history(batch), _progress(batch)]
    decided = [_decision(each) for each in batch.decisions[-_MOST_DECISIONS:]]
    room = height - len(head) - len(decided) - 1
    leases = _shown(batch.leases, room)
    lines = head
    if leases:
        fitted = fit(_columns(ascii_only=batch.ascii_only), leases, width)
        lines = [*lines, fitted.header(), *map(fitted.line, leases)]
    lines = [*lines, *decided][: max(height, 0)]
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return lines


def _shown(leases: Sequence[LiveLease], room: int) -> list[LiveLease]:
    """As many as there is room for: those that hold something first, then the latest ended."""
    if len(leases) <= room:
        return list(leases)
    by_importance = sorted(leases, key=lambda each: (each.state in _ENDED, -each.number))
    kept = {each.number for each in by_importance[: max(room, 0)]}
    return [each for each in leases if each.number in kept]


def _pressure(batch: LiveBatch, width: int) -> Text:
    used, budget = batch.pressure.total_bytes, batch.budget
    columns = min(max(width - _NUMBERS_COLUMNS, 10), _MOST_BAR_COLUMNS)
    bar = usage_bar(used, budget.limit_bytes, columns, ascii_only=batch.ascii_only)
    place = min(budget.soft_bytes * columns // budget.limit_bytes, columns - 1)
    bar = _marked(bar, place, "|" if batch.ascii_only else "│")
    over = (
        ("  over the limit", "bold red")
        if budget.is_over_limit(batch.pressure)
        else ("  over soft", "yellow")
        if budget.is_over_soft(batch.pressure)
        else ("", "")
    )
    return Text.assemble(
        ("pressure ", "dim"),
        bar,
        f" {show_size(used)} of {show_size(budget.limit_bytes)}",
        over,
        (f"  soft {show_size(budget.soft_bytes)}", "dim"),
    )


def _marked(bar: Text, place: int, mark: str) -> Text:
    return Text.assemble(bar[:place], (mark, "bold"), bar[place + 1 :])


def _history(batch: LiveBatch) -> Text:
    budget = batch.budget
    line = sparkline(
        sampled(batch.history, _SPARKLINE_COLUMNS),
        budget.limit_bytes,
        budget.soft_bytes,
        _SPARKLINE_COLUMNS,
        ascii_only=batch.ascii_only,
    )
    spilled = f"  spilled {show_size(batch.spilled_bytes)}"
    return Text.assemble(("minute   ", "dim"), line, spilled)


def _progress(batch: LiveBatch) -> Text:
    finished = batch.done + batch.failed
    failed = (f"{batch.failed} failed", "bold red" if batch.failed else "")
    left = "more to come" if batch.left is None else f"{batch.left} left"
    rate = finished / batch.elapsed_s if batch.elapsed_s > 0 else 0.0
    parts: list[str | tuple[str, str]] = [("jobs     ", "dim"), f"{batch.done} done, ", failed]
    parts += [f", {left}, {rate:.3g}/s, {format_duration(batch.elapsed_s)}"]
    if batch.is_stopping:
        parts.append(("  stopping: no more are started", "bold yellow"))
    return Text.assemble(*parts)


def _decision(decision: LiveDecision) -> Text:
    size = f" {show_size(decision.bytes)}" if decision.bytes else ""
    return Text.assemble(
        (f"{format_duration(decision.ago_s):>7} ago  ", "dim"),
        (f"{decision.action} ", _ACTION_STYLES.get(decision.action, "")),
        f"job {decision.number}{size}",
        (f"  {inert_line(decision.reason)}", "dim"),
    )


_ACTION_STYLES = {"park": "yellow", "spill": "magenta", "resume": "cyan", "abort": "bold red"}


def _columns(*, ascii_only: bool) -> tuple[Column[LiveLease], ...]:
    def memory(lease: LiveLease) -> Text:
        bar = usage_bar(lease.linear_bytes, lease.quota_bytes, 8, ascii_only=ascii_only)
        return Text.assemble(bar, f" {show_size(lease.linear_bytes):>8}")

    return (
        Column("job", "JOB", lambda x: str(x.number), 4, 1, is_right=True, grows=True),
        Column("label", "LABEL", lambda x: x.label, 5, 6, grows=True),
        Column("principal", "PRINCIPAL", lambda x: x.principal, 9, 5, grows=True),
        Column("capsule", "CAPSULE", lambda x: x.capsule, 7, 4, grows=True),
        Column("state", "STATE", _state, 8, 0),
        Column("linear", "LINEAR", memory, 17, 2),
        Column("resident", "RESIDENT", _resident, 8, 3, is_right=True),
        Column("elapsed", "ELAPSED", lambda x: format_duration(x.elapsed_s), 7, 7, is_right=True),
    )


def _state(lease: LiveLease) -> Text:
    return Text(inert_line(lease.state), style=_STATE_STYLES.get(lease.state, ""))


def _resident(lease: LiveLease) -> str:
    return "-" if lease.resident_bytes is None else show_size(lease.resident_bytes)
