"""The list of documents that have a schema, as it looks at several widths."""

import pytest

from atectl.commands.schema.documents import DocumentEntry, DocumentList
from atectl.commands.schema.view import documents_table
from tests.support.golden import WIDTHS, assert_looks_like, drawn

FOUND = DocumentList(
    (
        DocumentEntry("run-report", "The report of a run", "atectl run --report"),
        DocumentEntry(
            "budget-plan",
            "What `atectl budget plan` recommends; with `--diff`, also what that would change",
            "atectl budget plan -o json",
        ),
        DocumentEntry("budget-simulate", "A recorded run", "atectl budget simulate -o json"),
    )
)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_documents(width: int) -> None:
    assert_looks_like(f"schema-list-{width}", drawn(documents_table(FOUND), width))
