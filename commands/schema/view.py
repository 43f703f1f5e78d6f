"""The documents that have a schema, as a table."""

from rich.console import RenderableType

from ..drawing.columns import Column, LineTable
from .documents import DocumentEntry, DocumentList


def documents_table(found: DocumentList) -> RenderableType:
    """One document a line."""
    return LineTable(_COLUMNS, found.documents)


_COLUMNS: tuple[Column[DocumentEntry], ...] = (
    Column("name", "NAME", lambda each: each.name, 15, 0),
    Column("title", "WHAT IT IS", lambda each: each.title, 24, 2, grows=True),
    Column("used_by", "WRITTEN OR READ BY", lambda each: each.used_by, 30, 1, grows=True),
)
