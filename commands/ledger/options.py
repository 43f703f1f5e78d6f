"""Options of the commands of `atectl ledger` alone."""

from typing import Annotated

import typer

from .sorting import SortBy

SortOption = Annotated[SortBy, typer.Option(help="What the accounts are sorted by.")]
