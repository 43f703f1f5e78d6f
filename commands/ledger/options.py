"""Options that the commands of `atectl ledger` alone share."""

from typing import Annotated

import typer

from atectl.accounting import MAX_PRINCIPALS

from ..options.candidates import complete_label, complete_principal
from .sorting import SortBy

PrincipalArgument = Annotated[
    str, typer.Argument(help="Whose account to show.", autocompletion=complete_principal)
]
PrincipalOption = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Show only this principal.", autocompletion=complete_principal),
]
HostOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Show only what runs, or ran, on this host.")
]
LabelOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Show only this label.", autocompletion=complete_label),
]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="Show only what was heard of within this time."),
]
PerPrincipalOption = Annotated[
    int,
    typer.Option(
        min=0,
        max=MAX_PRINCIPALS,
        metavar="N",
        help="Name the N principals of the highest peaks; 0 names none.",
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Show it live until q is pressed.")
]
SortOption = Annotated[SortBy, typer.Option(help="Sort the accounts by this.")]
