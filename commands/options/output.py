"""The options for the form and the length of a result.

`batch` reads the first by its own table, so nothing here may import Typer.
"""

from ..output.stdout import ListOutput, Output
from .table import Option

OUTPUT = Option(
    "--output",
    "",
    "Table (`wide`: with nothing left out) or JSON.",
    short="-o",
    choices=tuple(Output),
)

LIST_OUTPUT = Option(
    "--output",
    "",
    "Table (`wide`: with nothing left out), JSON or CSV.",
    short="-o",
    choices=tuple(ListOutput),
)

ROWS = Option("--rows", "N", "Show at most N rows.", lowest=1)
