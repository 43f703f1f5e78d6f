"""Single options that many commands have, as annotations for parameters of a command."""

from typing import Annotated

from ..output.stdout import ListOutput, Output
from .output import LIST_OUTPUT, OUTPUT, ROWS
from .places import LEDGER
from .signature import declared

LedgerOption = Annotated[str | None, declared(LEDGER)]
RowsOption = Annotated[int | None, declared(ROWS)]
OutputOption = Annotated[Output, declared(OUTPUT)]
ListOutputOption = Annotated[ListOutput, declared(LIST_OUTPUT)]
