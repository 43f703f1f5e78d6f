"""`atectl ledger merge`: ledgers in files come to the one on a server."""

from pathlib import Path
from typing import Annotated

import typer

from atectl.inert import inert_line
from atectl.units import counted

from ..options.single import LedgerOption


def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Ledgers in files.")],
    ledger: LedgerOption = None,
) -> None:
    """Add what ledgers in files have counted to the one on a server; again, only what is new."""
    from atectl.ledger_store.merging import merge_files

    for each in merge_files(files, ledger):
        what = f"{counted(each.accounts, 'account')}, {counted(each.days, 'day')} of usage"
        print(f"{inert_line(str(each.path))}: {what}")
