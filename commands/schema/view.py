"""The documents that have a schema, as a table."""

from rich.table import Table
from rich.text import Text

from ..drawing.tones import HEADING
from .documents import DocumentList


def documents_table(found: DocumentList) -> Table:
    """A row for each document: its name, what it is, and which command it is of."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=HEADING)
    table.add_column("NAME", no_wrap=True)
    table.add_column("WHAT IT IS")
    table.add_column("WRITTEN OR READ BY")
    for each in found.documents:
        table.add_row(Text(each.name), Text(each.title), Text(each.used_by))
    return table
