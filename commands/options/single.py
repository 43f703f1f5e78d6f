"""Options that many commands have one by one, as annotations for their parameters."""

from typing import Annotated

from ..output.stdout import Output
from .output import LIMIT, OUTPUT
from .places import LEDGER
from .signature import declared

LedgerOption = Annotated[str | None, declared(LEDGER)]
LimitOption = Annotated[int | None, declared(LIMIT)]
OutputOption = Annotated[Output, declared(OUTPUT)]
