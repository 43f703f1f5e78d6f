"""The table of what runs by host or by capsule."""

from collections.abc import Sequence

from rich.console import RenderableType

from atectl.ledger_store.overview import GroupBy, RunningGroup
from atectl.units import format_duration, show_percent, show_size

from ..drawing.columns import Column, LineTable
from .numbers import show_count


def groups_table(groups: Sequence[RunningGroup], by: GroupBy) -> RenderableType:
    """One line for each host or capsule."""
    return LineTable(group_columns(by), groups, tells_hidden=True)


def group_columns(by: GroupBy) -> list[Column[RunningGroup]]:
    """The columns of what runs on a host, or of a capsule."""

    def used(group: RunningGroup) -> str:
        return show_percent(group.current_bytes, group.quota_bytes)

    return [
        Column(by.value, by.value.upper(), lambda group: group.name, 16, 0, False, True, True),
        Column("principals", "PRINCIPALS", lambda group: show_count(group.principals), 10, 6, True),
        Column("running", "RUN", lambda group: show_count(group.running_leases), 5, 1, True),
        Column("memory", "MEMORY", lambda group: show_size(group.current_bytes), 8, 2, True),
        Column("quota", "QUOTA", lambda group: show_size(group.quota_bytes), 8, 3, True),
        Column("used", "USED", used, 5, 4, True),
        Column("peak", "PEAK", lambda group: show_size(group.peak_bytes), 8, 5, True),
        Column("refused", "REFUSED", lambda group: show_count(group.refused_growths), 7, 8, True),
        Column("cpu", "CPU", lambda group: format_duration(group.cpu_s), 8, 7, True),
    ]
