"""The ledger's tables: accounts, running leases, finished leases, one account, the host."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.inert import inert_line
from atectl.lease.outcome import EXITED, INTERRUPTED, TERMINATED
from atectl.ledger_store.overview import AccountDetails, Overview
from atectl.ledger_store.records import LOST, AccountRecord, LeaseRecord
from atectl.units import format_duration, show_percent, show_size

from ..drawing.bars import usage_bar, usage_style
from ..drawing.columns import Column, LineTable
from ..drawing.labelled import labelled
from ..drawing.tones import ALARM, HEADING, WARNING
from .numbers import show_age, show_count, show_gib_seconds

_BAR_COLUMNS = 10
_CALM = (EXITED, INTERRUPTED, TERMINATED)
"""Reasons of leases in which nothing went wrong: they ended, or somebody ended them."""


def accounts_table(accounts: Sequence[AccountRecord], now: float) -> RenderableType:
    """One line for each account; `now` is in seconds since 1970."""
    return LineTable(account_columns(now), accounts, tells_hidden=True)


def running_table(
    leases: Sequence[LeaseRecord], now: float, *, ascii_only: bool = False
) -> RenderableType:
    """One line for each unfinished lease."""
    several = len({lease.host for lease in leases}) > 1
    columns = running_columns(now, ascii_only=ascii_only, several_hosts=several)
    return LineTable(columns, leases, tells_hidden=True)


def history_table(leases: Sequence[LeaseRecord], now: float) -> RenderableType:
    """One line for each lease that has finished or is lost."""
    return LineTable(history_columns(now), leases, tells_hidden=True)


def account_view(
    details: AccountDetails, now: float, *, ascii_only: bool = False
) -> RenderableType:
    """One account in full, and its leases."""
    account, running, recent = details
    parts: list[RenderableType] = [labelled(_account_lines(account, now), 16)]
    if running:
        parts += [Text("\nunfinished leases", style=HEADING)]
        parts += [running_table(running, now, ascii_only=ascii_only)]
    if recent:
        parts += [Text("\nrecent leases", style=HEADING), history_table(recent, now)]
    return Group(*parts)


def host_line(overview: Overview, width: int) -> Text:
    """The memory of this machine, and its leases. What does not fit into `width` is left out."""
    memory = overview.memory
    parts = [
        ("leases", f"{len(overview.leases)} running"),
        ("resident", _size_or_unknown(overview.resident_bytes)),
        ("available", f"{show_size(memory.available_bytes)} of {show_size(memory.physical_bytes)}"),
    ]
    if memory.cgroup_limit_bytes is not None:
        used = _size_or_unknown(memory.cgroup_used_bytes)
        parts.append(("cgroup", f"{used} of {show_size(memory.cgroup_limit_bytes)}"))
    line = Text(no_wrap=True, overflow="crop")
    for name, value in parts:
        gap = "   " if line else ""
        if line.cell_len + len(gap) + len(name) + 1 + len(value) > width:
            break
        line.append_text(Text.assemble(gap, f"{name} ", (value, HEADING)))
    return line


def account_columns(now: float) -> list[Column[AccountRecord]]:
    """The columns of an account. Their names are those of the sort orders."""
    return [
        Column("principal", "PRINCIPAL", lambda a: a.principal, 16, 0, grows=True, is_name=True),
        Column("running", "RUN", lambda a: show_count(a.running_leases), 5, 5, is_right=True),
        Column("memory", "MEMORY", lambda a: show_size(a.current_bytes), 8, 1, is_right=True),
        Column("quota", "QUOTA", lambda a: show_size(a.quota_bytes), 8, 2, is_right=True),
        Column(
            "used", "USED", lambda a: _used(a.current_bytes, a.quota_bytes), 5, 3, is_right=True
        ),
        Column("peak", "PEAK", lambda a: show_size(a.peak_bytes), 8, 4, is_right=True),
        Column("refused", "REFUSED", lambda a: _refused(a.refused_growths), 8, 6, is_right=True),
        Column("cpu", "CPU", lambda a: format_duration(a.cpu_s), 8, 7, is_right=True),
        Column(
            "compiling",
            "COMPILING",
            lambda a: format_duration(a.compile_cpu_s),
            9,
            12,
            is_right=True,
        ),
        Column("gibs", "GiB·s", lambda a: show_gib_seconds(a.byte_seconds), 6, 9, is_right=True),
        Column("fuel", "FUEL", lambda a: show_count(a.fuel), 6, 10, is_right=True),
        Column("capsule", "CAPSULE", lambda a: a.last_capsule, 12, 8, grows=True, is_name=True),
        Column("since", "SINCE", lambda a: show_age(a.since, now), 8, 11, is_right=True),
    ]


def running_columns(
    now: float, *, ascii_only: bool = False, several_hosts: bool = False
) -> list[Column[LeaseRecord]]:
    """The columns of an unfinished lease; `several_hosts` has it told apart on which it runs."""

    def memory(lease: LeaseRecord) -> str:
        return "-" if lease.state == LOST else show_size(lease.current_bytes)

    def bar(lease: LeaseRecord) -> str | Text:
        if lease.state == LOST:
            return ""
        used, quota = lease.current_bytes, lease.quota_bytes
        drawn = usage_bar(used, quota, _BAR_COLUMNS, ascii_only=ascii_only)
        return drawn.append(f" {show_percent(used, quota):>4}")

    host_rank = 3 if several_hosts else 13

    def elapsed(lease: LeaseRecord) -> str:
        # It is not known when a lost lease ended: its last update counts as its end.
        return show_age(lease.started_at, lease.updated_at if lease.state == LOST else now)

    return [
        Column("principal", "PRINCIPAL", _principal, 12, 0, grows=True, is_name=True),
        Column("capsule", "CAPSULE", lambda lease: lease.capsule, 12, 1, grows=True, is_name=True),
        Column("label", "LABEL", lambda lease: lease.label, 8, 11, grows=True, is_name=True),
        Column("state", "STATE", _state, 7, 2),
        Column("memory", "MEMORY", memory, 8, 3, is_right=True),
        Column("quota", "QUOTA", lambda lease: show_size(lease.quota_bytes), 8, 6, is_right=True),
        Column("used", "USED", bar, _BAR_COLUMNS + 5, 7),
        Column("peak", "PEAK", lambda lease: show_size(lease.peak_bytes), 8, 8, is_right=True),
        Column("refused", "REFUSED", lambda lease: _refused(lease.refused_growths), 7, 10, True),
        Column("cpu", "CPU", lambda lease: format_duration(lease.cpu_s), 8, 12, is_right=True),
        Column("elapsed", "ELAPSED", elapsed, 8, 9, is_right=True),
        Column("pid", "PID", lambda lease: str(lease.pid), 7, 4, is_right=True),
        Column("host", "HOST", lambda lease: lease.host, 8, host_rank, grows=True, is_name=True),
        Column("id", "ID", lambda lease: lease.id, 21, 5, is_name=True),
    ]


def history_columns(now: float) -> list[Column[LeaseRecord]]:
    """The columns of a lease that has finished or is lost."""

    def ended(lease: LeaseRecord) -> str:
        return show_age(_end(lease), now)

    def wall(lease: LeaseRecord) -> str:
        return format_duration(max(_end(lease) - lease.started_at, 0))

    return [
        Column("ended", "ENDED", lambda lease: f"{ended(lease)} ago", 12, 2),
        Column("principal", "PRINCIPAL", _principal, 12, 0, grows=True, is_name=True),
        Column("capsule", "CAPSULE", lambda lease: lease.capsule, 12, 3, grows=True, is_name=True),
        Column("label", "LABEL", lambda lease: lease.label, 8, 9, grows=True, is_name=True),
        Column("reason", "REASON", _reason, 11, 1),
        Column("status", "STATUS", _status, 6, 4, is_right=True),
        Column("peak", "PEAK", lambda lease: show_size(lease.peak_bytes), 8, 5, is_right=True),
        Column("quota", "QUOTA", lambda lease: show_size(lease.quota_bytes), 8, 6, is_right=True),
        Column("refused", "REFUSED", lambda lease: _refused(lease.refused_growths), 7, 8, True),
        Column("cpu", "CPU", lambda lease: format_duration(lease.cpu_s), 8, 10, is_right=True),
        Column("wall", "WALL", wall, 8, 7, is_right=True),
        Column("compiled", "COMPILED", _compiled, 8, 13, is_right=True),
        Column("host", "HOST", lambda lease: lease.host, 8, 11, grows=True, is_name=True),
        Column("id", "ID", lambda lease: lease.id, 8, 12, grows=True, is_name=True),
    ]


def _account_lines(account: AccountRecord, now: float) -> list[tuple[str, str]]:
    quota = show_size(account.quota_bytes)
    return [
        ("principal", account.principal),
        ("running leases", str(account.running_leases)),
        ("memory now", show_size(account.current_bytes)),
        ("latest quota", quota),
        ("peak", f"{show_size(account.peak_bytes)}, the largest growth of one lease"),
        ("high-water mark", show_size(account.high_water_bytes)),
        ("refused growths", str(account.refused_growths)),
        ("leases", f"{account.leases}, {account.traps} of them trapped"),
        ("CPU", format_duration(account.cpu_s)),
        ("compiling CPU", format_duration(account.compile_cpu_s)),
        ("memory held", f"{show_gib_seconds(account.byte_seconds)} GiB·s"),
        ("fuel", f"{account.fuel:,}"),
        ("last capsule", account.last_capsule),
        ("since", f"{show_age(account.since, now)} ago"),
        ("last update", f"{show_age(account.updated_at, now)} ago"),
    ]


def _principal(lease: LeaseRecord) -> str:
    return lease.principal


def _compiled(lease: LeaseRecord) -> str:
    return "cached" if lease.cached else format_duration(lease.compile_s) if lease.compile_s else ""


def _end(lease: LeaseRecord) -> float:
    return lease.updated_at if lease.finished_at is None else lease.finished_at


def _state(lease: LeaseRecord) -> Text:
    return Text(inert_line(lease.state), style=ALARM if lease.state == LOST else "")


def _reason(lease: LeaseRecord) -> Text:
    reason = lease.reason or "-"
    return Text(inert_line(reason), style="" if reason in _CALM else WARNING)


def _status(lease: LeaseRecord) -> str:
    return "-" if lease.exit_status is None else str(lease.exit_status)


def _used(used: int, quota: int) -> Text:
    return Text(show_percent(used, quota), style=usage_style(used, quota))


def _refused(count: int) -> Text:
    return Text(show_count(count), style=WARNING if count else "")


def _size_or_unknown(size: int | None) -> str:
    return "-" if size is None else show_size(size)
