"""What the commands of `atectl ledger` share: options, and what they say beside their results."""

from typing import Annotated

import typer

from atectl.errors import UnknownPrincipal, nearest
from atectl.ledger_store.records import LedgerStore

from .candidates import complete_principal

LedgerOption = Annotated[
    str | None, typer.Option("--ledger", metavar="WHERE", help="The stored ledger.")
]
PrincipalArgument = Annotated[
    str, typer.Argument(help="Whose account.", autocompletion=complete_principal)
]
PrincipalOption = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Only this principal's.", autocompletion=complete_principal),
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Show at most so many rows.")
]


def unknown_principal(principal: str, store: LedgerStore) -> UnknownPrincipal:
    """The error for a principal without an account, with the nearest that has one."""
    known = [account.principal for account in store.accounts()]
    return UnknownPrincipal(f"there is no account of {principal!r}{nearest(principal, known)}")
