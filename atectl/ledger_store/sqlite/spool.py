"""Leases that wait in a file of this machine until the server of the ledger can be reached."""

import json
import sqlite3  # noqa: TID253
from collections.abc import Iterable
from pathlib import Path

from atectl.ledger_store.records import HISTORY_LEASES, LeaseRecord
from atectl.ledger_store.sqlite.connection import (
    file_at,
    leave_moved,
    named_errors,
    until_free,
)
from atectl.ledger_store.sqlite.schema import transaction
from atectl.system.identity import Identity

_TABLES = (
    "PRAGMA journal_mode = WAL",
    "CREATE TABLE IF NOT EXISTS waiting ("
    "number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS dropped (leases INTEGER NOT NULL)",
)

_ROW = "INTO waiting (id, record) VALUES (?, ?)"

BUSY_TIMEOUT_S = 1.0


class Spool:
    """The last state of each lease, in the order in which it was told. It is made when needed.

    If the file is removed or moved away, what is told then goes to a new one. It may be used by
    several processes at once. Every method raises a `LedgerError` for whatever is wrong with the
    file (exit 125).

    Args:
        path: the file; its folder is created with mode 0700.
        capacity: how many leases it has at most. Those that were told first are dropped.
    """

    def __init__(self, path: Path, *, capacity: int = HISTORY_LEASES) -> None:
        self.path = path
        self._capacity = capacity
        self._connection: sqlite3.Connection | None = None
        self._file: Identity | None = None  # the one that is open

    def keep(self, leases: Iterable[LeaseRecord], older: Iterable[LeaseRecord] = ()) -> None:
        """Have these leases wait: all of them or none.

        Args:
            older: have these wait, too, if nothing else of them does.
        """
        with named_errors(self.path):
            connection = self._opened()
            with transaction(connection):
                connection.executemany(f"INSERT OR IGNORE {_ROW}", map(_row, older))
                connection.executemany(f"INSERT OR REPLACE {_ROW}", map(_row, leases))
                gone = connection.execute(
                    "DELETE FROM waiting WHERE number IN ("
                    "SELECT number FROM waiting ORDER BY number DESC LIMIT -1 OFFSET ?)",
                    (self._capacity,),
                ).rowcount
                if gone:
                    connection.execute("INSERT INTO dropped VALUES (?)", (gone,))

    def first(self, count: int) -> list[tuple[int, LeaseRecord]]:
        """The leases that wait for longest, each with its number."""
        if file_at(self.path) is None:
            return []
        with named_errors(self.path):
            rows = self._opened().execute(
                "SELECT number, record FROM waiting ORDER BY number LIMIT ?", (count,)
            )
            return [(number, LeaseRecord._make(json.loads(record))) for number, record in rows]

    def delivered(self, numbers: Iterable[int]) -> None:
        """These wait no longer. One that was told anew meanwhile has another number, and does.

        In another file than they were read from, other leases have these numbers.
        """
        if not self._is_at_its_path():
            return
        with named_errors(self.path):
            connection = self._opened()
            with transaction(connection):
                connection.executemany(
                    "DELETE FROM waiting WHERE number = ?", [(number,) for number in numbers]
                )

    def count(self) -> int:
        """How many leases wait."""
        return self._number("SELECT count(*) FROM waiting")

    def dropped(self) -> int:
        """How many leases were dropped since this was last told."""
        return self._number("SELECT ifnull(sum(leases), 0) FROM dropped")

    def forget_dropped(self) -> None:
        """The number of dropped leases has been told."""
        with named_errors(self.path):
            self._opened().execute("DELETE FROM dropped")

    def close(self) -> None:
        """Let go of the file; idempotent."""
        if self._connection is None:
            return
        with named_errors(self.path):
            if self._is_at_its_path():
                self._connection.close()
            else:
                leave_moved(self._connection)

    def _number(self, query: str) -> int:
        if file_at(self.path) is None:
            return 0
        with named_errors(self.path):
            return int(self._opened().execute(query).fetchone()[0])

    def _is_at_its_path(self) -> bool:
        """Whether the file that is open, if any is, is the one that others find at the path."""
        return self._file is not None and file_at(self.path) == self._file

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and not self._is_at_its_path():
            leave_moved(self._connection)
            self._connection = None
        if self._connection is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                until_free(lambda: _make_tables(connection), BUSY_TIMEOUT_S)
            except BaseException:
                connection.close()
                raise
            self._connection, self._file = connection, file_at(self.path)
        return self._connection


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


def _row(lease: LeaseRecord) -> tuple[str, str]:
    return lease.id, json.dumps(lease, separators=(",", ":"))
