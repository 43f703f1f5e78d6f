"""The table of usage by period."""

from collections.abc import Sequence

from rich.console import RenderableType

from atectl.ledger_store.usage import UsageBy, UsageEntry
from atectl.units import format_duration, show_size

from ..drawing.columns import Column, LineTable
from .numbers import show_count, show_gib_seconds


def usage_table(entries: Sequence[UsageEntry], by: UsageBy) -> RenderableType:
    """One line for each period and principal, host or label."""
    return LineTable(usage_columns(by), entries, tells_hidden=True)


def usage_columns(by: UsageBy) -> list[Column[UsageEntry]]:
    """The columns of what was used in a period."""
    return [
        Column("period", "PERIOD", lambda entry: entry.period, 10, 0),
        Column(by.value, by.value.upper(), _name, 16, 1, grows=True, is_name=True),
        Column("leases", "LEASES", lambda entry: show_count(entry.leases), 6, 5, is_right=True),
        Column("cpu", "CPU", lambda entry: format_duration(entry.cpu_s), 8, 2, is_right=True),
        Column("gibs", "GiB·s", lambda entry: show_gib_seconds(entry.byte_seconds), 6, 3, True),
        Column("fuel", "FUEL", lambda entry: show_count(entry.fuel), 6, 7, is_right=True),
        Column("peak", "PEAK", lambda entry: show_size(entry.peak_bytes), 8, 4, is_right=True),
        Column("refused", "REFUSED", lambda entry: show_count(entry.refused_growths), 7, 6, True),
    ]


def _name(entry: UsageEntry) -> str:
    return "(others)" if entry.is_others else entry.name or "-"
