"""`atectl ledger end`: end a lease that runs on this machine."""

from contextlib import closing
from typing import Annotated

import typer

from atectl.inert import inert_line
from atectl.ledger_store.opening import open_for_reading

from ..options.candidates import complete_lease
from ..options.single import LedgerOption
from ..output.stderr import say


def end(
    lease: Annotated[
        str,
        typer.Argument(
            help="The id of the lease, or its beginning.", autocompletion=complete_lease
        ),
    ],
    ledger: LedgerOption = None,
) -> None:
    """End a lease of this machine and user: a run, or one guest of a batch."""
    from atectl.batch.ending import end_lease

    with closing(open_for_reading(ledger)) as store:
        ended = end_lease(store.running(), lease)
    whose = f"{ended.principal}, {ended.capsule}, process {ended.pid}"
    say(inert_line(f"lease {ended.id} was told to end ({whose})"))
