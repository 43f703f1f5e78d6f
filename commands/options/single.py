"""Single options that many commands have, as annotations for parameters of a command."""

from typing import Annotated

from ..output.stdout import Output
from .output import LIMIT, OUTPUT
from .places import LEDGER
from .signature import declared

LedgerOption = Annotated[str | None, declared(LEDGER)]
LimitOption = Annotated[int | None, declared(LIMIT)]
OutputOption = Annotated[Output, declared(OUTPUT)]
