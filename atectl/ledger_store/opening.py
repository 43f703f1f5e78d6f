"""Opening the stored ledger that the flag, the environment or atectl.toml names."""

import os
from pathlib import Path

from atectl import config
from atectl.errors import LedgerUnavailable
from atectl.ledger_store.records import LedgerStore


def open_for_reading(flag: str | None = None) -> LedgerStore:
    """The ledger, to be read only. The default one reads as empty before anything ran.

    Args:
        flag: what `--ledger` said.

    Raises:
        LedgerError: it cannot be opened; one that was named must exist (exit 125).
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    return _open(_place(flag), read_only=True)


def open_for_writing(flag: str | None = None) -> LedgerStore:
    """The ledger, created if it does not exist.

    Args:
        flag: what `--ledger` said.

    Raises:
        LedgerError: it cannot be opened or created (exit 125).
        BadConfiguration: atectl.toml cannot be used (exit 2).
    """
    return _open(_place(flag), read_only=False)


def _place(flag: str | None) -> Path:
    path = config.ledger_path(flag)
    if path is None:
        raise LedgerUnavailable(
            "no ledger is kept: its place is given as 'none'",
            remedy="name a ledger with --ledger",
        )
    return path


def _open(path: Path, *, read_only: bool) -> LedgerStore:
    from atectl.ledger_store.sqlite.store import SqliteLedgerStore

    return SqliteLedgerStore(
        path,
        host=os.uname().nodename,
        read_only=read_only,
        at_default_place=path == config.default_ledger_path(),
    )
