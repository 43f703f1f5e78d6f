"""What the commands of `atectl ledger` alone share: options, and an error."""

from typing import Annotated

import typer

from atectl.errors import UnknownPrincipal, nearest
from atectl.ledger_store.records import LedgerStore

from ..options.candidates import complete_principal
from .sorting import SortBy

PrincipalArgument = Annotated[
    str, typer.Argument(help="Whose account.", autocompletion=complete_principal)
]
PrincipalOption = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Only this principal's.", autocompletion=complete_principal),
]
SortOption = Annotated[SortBy, typer.Option(help="What the accounts are sorted by.")]


def unknown_principal(principal: str, store: LedgerStore) -> UnknownPrincipal:
    """The error for a principal without an account, with the nearest that has one."""
    known = [account.principal for account in store.accounts()]
    return UnknownPrincipal(f"there is no account of {principal!r}{nearest(principal, known)}")
