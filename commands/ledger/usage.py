"""`atectl ledger usage`: what was used in each period."""

from contextlib import closing
from typing import Annotated

import typer

from atectl.ledger_store.opening import open_for_reading
from atectl.ledger_store.usage import UsageBy, parse_period, today, usage_of

from ..options.candidates import complete_principal
from ..options.single import LedgerOption, ListOutputOption, RowsOption
from ..output.stderr import say
from ..output.stdout import ListOutput, print_csv, print_json, print_view


def usage(
    period: Annotated[
        str,
        typer.Option(
            metavar="day|month|YYYY-MM|YYYY-MM-DD",
            help="By day, by month, or in one month or day only. Days are those of UTC.",
        ),
    ] = "month",
    by: Annotated[UsageBy, typer.Option(help="Sum by this.")] = UsageBy.principal,
    principal: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Count only this principal.", autocompletion=complete_principal
        ),
    ] = None,
    ledger: LedgerOption = None,
    output: ListOutputOption = ListOutput.table,
    rows: RowsOption = None,
) -> None:
    """Show what was used by day or month, for the last 400 days."""
    chosen = parse_period(period, today())
    with closing(open_for_reading(ledger)) as store:
        found = usage_of(store, chosen, by, principal)
    found = found._replace(usage=found.usage[:rows])
    if output is ListOutput.json:
        print_json(found)
    elif output is ListOutput.csv:
        print_csv(found)
    elif not found.usage:
        say("nothing was used in this time")
    else:
        from .usage_view import usage_table

        print_view(usage_table(found.usage, by), output)
