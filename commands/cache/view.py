"""The cache of compiled capsules as a table."""

from rich.console import Group
from rich.text import Text

from atectl.capsule.cache_entries import Entry
from atectl.capsule.cache_list import ArtifactList
from atectl.inert import inert_line
from atectl.units import counted, format_age, show_size

from ..drawing.columns import Column, LineTable

_SHOWN_HASH = 12
"""Digits of the hash that are shown; JSON has all of them."""


def cache_table(found: ArtifactList, *, now: float) -> Group:
    """A row for each compiled capsule, and below it their total size.

    Args:
        found: the capsules, in the order of the rows.
        now: seconds since 1970.
    """
    entries = found.artifacts
    summary = Text(
        f"{counted(len(entries), 'compiled capsule')}, "
        f"{show_size(found.total_bytes)} of {show_size(found.max_bytes)}, "
        f"in {inert_line(str(found.folder))}"
    )
    if not entries:
        return Group(summary)
    return Group(LineTable(_columns(now), entries, tells_hidden=True), summary)


def _columns(now: float) -> list[Column[Entry]]:
    return [
        Column("capsule", "CAPSULE", lambda each: each.capsule, 12, 0, grows=True, is_name=True),
        Column("size", "SIZE", lambda each: show_size(each.size_bytes), 8, 1, is_right=True),
        Column("used", "USED", lambda each: f"{format_age(now - each.used_at)} ago", 10, 2, True),
        Column("kind", "KIND", lambda each: each.kind, 9, 3),
        Column("sha256", "SHA-256", lambda each: each.sha256[:_SHOWN_HASH], _SHOWN_HASH, 4),
        Column("engine", "ENGINE", lambda each: each.engine, 29, 5, grows=True),
    ]
