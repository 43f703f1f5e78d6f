"""`atectl schema`: JSON Schemas of what atectl writes for programs and reads from files."""

import json
import sys
from typing import Annotated

import typer

from ..options.help import CommandGroup
from ..options.single import OutputOption
from ..output.stdout import Output, print_json, print_view
from .documents import DOCUMENTS, find_document, list_documents

app = CommandGroup()


def complete_name(incomplete: str) -> list[str]:
    """The documents whose names begin with `incomplete`."""
    return [document.name for document in DOCUMENTS if document.name.startswith(incomplete)]


@app.command()
def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A document, such as run-report; without it, all are listed.",
            show_default=False,
            autocompletion=complete_name,
        ),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Print the JSON Schema of a document, or list the documents.

    Documents are what -o json and --report write, the lines of `atectl batch`, and the files that
    atectl reads. The schema is one of draft 2020-12.
    """
    if name is not None:
        sys.stdout.write(json.dumps(find_document(name).schema(), indent=2) + "\n")
    elif output is Output.json:
        print_json(list_documents())
    else:
        from .view import documents_table

        print_view(documents_table(list_documents()), output)
