"""Seeing whether a stored ledger is sound, without storing anything in it."""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from atectl.errors import LedgerCorrupt
from atectl.ledger_store.sqlite.connection import named_errors, open_readable, open_writable
from atectl.ledger_store.sqlite.schema import schema_version
from atectl.ledger_store.sqlite.store import BUSY_TIMEOUT_S, SqliteLedgerStore


class LedgerInspection(NamedTuple):
    """A ledger that is sound, and that can be read and written."""

    schema_version: int
    accounts: int


def inspect_ledger(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> LedgerInspection:
    """Read the ledger at `path` through, and take its write lock for a moment.

    An older ledger is brought up to date first, as by any command that reads it. An empty file
    is left as it is.

    Args:
        path: the file, which must exist.
        busy_timeout_s: how long to wait for another process, in seconds.

    Raises:
        LedgerError: it is damaged, or cannot be opened, read or written (exit 125).
    """
    with named_errors(path):
        with closing(open_readable(path, busy_timeout_s=busy_timeout_s)) as connection:
            version = schema_version(connection, path)
            [first_finding, *_] = connection.execute("PRAGMA quick_check(1)").fetchone()
            if first_finding != "ok":
                raise LedgerCorrupt(f"{path}: {first_finding}")
        store = SqliteLedgerStore(path, host="", read_only=True, busy_timeout_s=busy_timeout_s)
        with closing(store):
            accounts = len(store.accounts())
        if path.stat().st_size:
            writable = open_writable(path, make_folder=False, busy_timeout_s=busy_timeout_s)
            with closing(writable) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
    return LedgerInspection(version, accounts)
