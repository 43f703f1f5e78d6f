"""Error codes as a table, and one of them as a page."""

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from atectl.lease.bounds import BoundList
from atectl.records.errors import ErrorList, ErrorPage

from ..drawing.tones import HEADING, WARNING


def error_table(found: ErrorList) -> Table:
    """A row for each code: its exit status and its meaning."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=HEADING)
    table.add_column("CODE", no_wrap=True)
    table.add_column("EXIT", justify="right", no_wrap=True)
    table.add_column("MEANING")
    for error in found.errors:
        table.add_row(Text(error.code), Text(str(error.exit_status)), Text(error.meaning))
    return table


def bound_table(found: BoundList) -> Table:
    """A row for each bound; what is not bounded says so."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=HEADING)
    table.add_column("WHAT")
    table.add_column("BOUND")
    table.add_column("SET BY", no_wrap=True)
    for each in found.bounds:
        bound = Text("not bounded", style=WARNING) if each.bound is None else Text(each.bound)
        table.add_row(Text(each.what), bound, Text(each.set_by or "-"))
    return table


def error_page(error: ErrorPage) -> Group:
    """One code: its meaning, an example, what to do, and the exit status."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style=HEADING, no_wrap=True)
    facts.add_column()
    facts.add_row(Text("for example"), Text(error.example))
    facts.add_row(Text("what to do"), Text(error.remedy))
    facts.add_row(Text("exit status"), Text(str(error.exit_status)))
    title = Text.assemble((error.code, HEADING), f": {error.meaning}")
    return Group(title, Padding(facts, (1, 0, 0, 2), expand=False))
