"""`atectl ledger reset`: forgetting accounts, after asking."""

import sys
from contextlib import closing
from typing import Annotated

import typer

from atectl.errors import ConfirmationNeeded, UsageError
from atectl.inert import inert_line
from atectl.ledger_store.opening import open_for_reading, open_for_writing
from atectl.ledger_store.records import HISTORY_LEASES, LOST, LedgerStore

from ..options.candidates import complete_principal
from ..options.single import LedgerOption
from ..output.stderr import say
from .options import unknown_principal


def reset(
    principal: Annotated[
        str | None,
        typer.Argument(help="Whose account to forget.", autocompletion=complete_principal),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Forget every account.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go ahead without asking.")] = False,
    ledger: LedgerOption = None,
) -> None:
    """Forget one account, or all of them, with their finished leases."""
    if (principal is None) != everyone:
        raise UsageError(
            "reset takes a principal or --all, one of them",
            remedy="`atectl ledger reset PRINCIPAL` or `atectl ledger reset --all`",
        )
    with closing(open_for_reading(ledger)) as store:
        loss = _what_reset_forgets(store, principal)
    if not yes and not _agrees(loss):
        say("nothing was forgotten")
        raise typer.Exit(1)
    with closing(open_for_writing(ledger)) as store:
        forgotten = store.reset(principal)
    print(f"forgot {_counted(forgotten, 'account')}")


def _what_reset_forgets(store: LedgerStore, principal: str | None) -> str:
    """What a reset would forget, as the question names it.

    Raises:
        UnknownPrincipal: there is no such account (exit 1).
    """
    if principal is not None and store.account(principal) is None:
        raise unknown_principal(principal, store)
    ended = len(store.history(principal, HISTORY_LEASES))
    whose = (
        _counted(len(store.accounts()), "account")
        if principal is None
        else f"the account of {inert_line(principal)}"
    )
    running = [x for x in store.running() if x.state != LOST and principal in (None, x.principal)]
    still = f" ({_counted(len(running), 'running lease')} will be kept)" if running else ""
    return f"{whose} and {_counted(ended, 'finished lease')}{still}"


def _agrees(loss: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfirmationNeeded(f"this would forget {loss}")
    return typer.confirm(f"Forget {loss}?", err=True)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
