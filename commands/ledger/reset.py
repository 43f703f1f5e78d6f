"""`atectl ledger reset`: accounts are forgotten, after a question."""

import sys
from contextlib import closing
from typing import Annotated

import typer

from atectl.errors import ConfirmationNeeded, LedgerCorrupt, UsageError
from atectl.inert import inert_line
from atectl.ledger_store.opening import open_for_reading, open_for_writing
from atectl.ledger_store.overview import ResetEffect, effect_of_reset
from atectl.ledger_store.records import LedgerStore
from atectl.units import counted

from ..options.candidates import complete_principal
from ..options.single import LedgerOption
from ..output.stderr import say


def reset(
    principal: Annotated[
        str | None,
        typer.Argument(help="Whose account to forget.", autocompletion=complete_principal),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Forget every account.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    ledger: LedgerOption = None,
) -> None:
    """Forget one account, or all of them, with their finished leases and usage by period."""
    if (principal is None) != everyone:
        raise UsageError(
            "reset takes a principal or --all, and not both",
            remedy="`atectl ledger reset PRINCIPAL` or `atectl ledger reset --all`",
        )
    with closing(open_for_reading(ledger)) as store:
        loss = _loss(store, principal)
    if not yes and not _agrees(loss):
        say("nothing was forgotten")
        raise typer.Exit(1)
    with closing(open_for_writing(ledger)) as store:
        forgotten = store.reset(principal)
    print(f"forgot {counted(forgotten, 'account')}")


def _loss(store: LedgerStore, principal: str | None) -> str:
    try:
        return _in_words(effect_of_reset(store, principal), principal)
    except LedgerCorrupt as damage:  # which a reset may be the remedy of
        whose = "all accounts" if principal is None else f"what there is of {inert_line(principal)}"
        return f"{whose}, which cannot all be read: {damage}"


def _in_words(effect: ResetEffect, principal: str | None) -> str:
    """What would be forgotten, as the question names it."""
    whose = f"the account of {inert_line(principal or '')}"
    if principal is None:
        whose = counted(effect.accounts, "account")
    kept = counted(effect.running_leases, "running lease")
    still = f" ({kept} will be kept)" if effect.running_leases else ""
    finished = counted(effect.finished_leases, "finished lease")
    return f"{whose}, {finished} and the usage by period{still}"


def _agrees(loss: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfirmationNeeded(f"this would forget {loss}")
    return typer.confirm(f"Forget {loss}?", err=True)
