"""Bringing the ledgers in files to the ledger on a server."""

import os
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from atectl import config
from atectl.accounting import PERIOD_DAYS
from atectl.errors import LedgerUnavailable, UsageError
from atectl.ledger_store.opening import FILE, scheme_of
from atectl.ledger_store.usage import today


class Merged(NamedTuple):
    """What was read of one file."""

    path: Path
    accounts: int
    days: int


def merge_files(paths: list[Path], flag: str | None) -> list[Merged]:
    """Add what ledgers in files have counted to the ledger on a server; the files stay as they are.

    Accounts, usage by day and the totals of hosts are added, and no single leases. What was added
    before is not added again, so a ledger that is still written to can be merged again and again.

    Args:
        paths: the files.
        flag: what `--ledger` said.

    Raises:
        UsageError: the ledger is not on a server (exit 2).
        LedgerError: a file or the server cannot be used (exit 125). Files before it were added.
    """
    from atectl.ledger_store.redis.opening import open_store
    from atectl.ledger_store.sqlite.store import SqliteLedgerStore

    place = config.ledger_place(flag)
    if place is None or scheme_of(place) == FILE:
        raise UsageError(
            "ledgers are merged into one on a server, and none is named",
            remedy="name it with --ledger redis://HOST:PORT, or in ATECTL_LEDGER",
        )
    merged = []
    with closing(open_store(str(place))) as server:
        for path in paths:
            if not path.exists():
                raise LedgerUnavailable(f"{path}: there is no such file")
            store = SqliteLedgerStore(path, host=os.uname().nodename, read_only=True)
            with closing(store):
                # First: if all is forgotten meanwhile, nothing older is taken for the new ledger's.
                identity = store.identity()
                accounts = store.accounts()
                days = store.days(today() - PERIOD_DAYS + 1, today())
                server.merge(identity, accounts, [*store.totals(), *days])
            merged.append(Merged(path, len(accounts), len({day.day for day in days})))
    return merged
