"""Single options that many commands have, as annotations for parameters of a command."""

from typing import Annotated

from ..output.stdout import ListOutput, Output
from .output import LIMIT, LIST_OUTPUT, OUTPUT
from .places import LEDGER
from .signature import declared

LedgerOption = Annotated[str | None, declared(LEDGER)]
LimitOption = Annotated[int | None, declared(LIMIT)]
OutputOption = Annotated[Output, declared(OUTPUT)]
ListOutputOption = Annotated[ListOutput, declared(LIST_OUTPUT)]
