"""The cache of compiled capsules as a table."""

from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from atectl.capsule.cache_entries import Entry
from atectl.capsule.cache_list import ArtifactList
from atectl.inert import inert_line
from atectl.units import counted, format_age, show_size

from ..drawing.tones import HEADING

_SHOWN_HASH = 12
"""Digits of the hash that are shown; JSON has all of them."""

_WIDTH_FOR_HASH = 72
_WIDTH_FOR_ENGINE = 104
_GAP = 2
_LEAST_FOR_NAME = 12


def cache_table(found: ArtifactList, *, now: float, width: int) -> Group:
    """A row for each compiled capsule, and below it their total size.

    Args:
        found: the capsules, in the order of the rows.
        now: seconds since 1970.
        width: terminal columns. Where they are few, the engine and then the hash are left out.
    """
    entries = found.artifacts
    summary = (
        f"{counted(len(entries), 'compiled capsule')}, "
        f"{show_size(found.total_bytes)} of {show_size(found.max_bytes)}, "
        f"in {inert_line(str(found.folder))}"
    )
    if not entries:
        return Group(Text(summary))
    headers = ["SIZE", "USED", "KIND"]
    if width >= _WIDTH_FOR_HASH:
        headers.append("SHA-256")
    if width >= _WIDTH_FOR_ENGINE:
        headers.append("ENGINE")
    widths = {
        header: max(len(header), *(len(_cell(entry, header, now)) for entry in entries))
        for header in headers
    }
    left = width - sum(widths.values()) - _GAP * len(headers)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style=HEADING)
    table.add_column(
        "CAPSULE", overflow="ellipsis", no_wrap=True, max_width=max(left, _LEAST_FOR_NAME)
    )
    for header in headers:
        justify: JustifyMethod = "right" if header in ("SIZE", "USED") else "left"
        table.add_column(header, justify=justify, no_wrap=True, min_width=widths[header])
    for entry in entries:
        cells = [_cell(entry, header, now) for header in headers]
        table.add_row(Text(inert_line(entry.capsule)), *map(Text, cells))
    return Group(table, Text(summary))


def _cell(entry: Entry, header: str, now: float) -> str:
    match header:
        case "SIZE":
            return show_size(entry.size_bytes)
        case "USED":
            return f"{format_age(now - entry.used_at)} ago"
        case "KIND":
            return entry.kind
        case "SHA-256":
            return entry.sha256[:_SHOWN_HASH]
    return inert_line(entry.engine)
