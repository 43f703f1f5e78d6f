"""The tables of a stored ledger, and how an older ledger becomes a current one."""

import sqlite3  # noqa: TID253
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from atectl.errors import LedgerCorrupt, LedgerTooNew

APPLICATION_ID = int.from_bytes(b"atec")
"""What the header of a ledger says, so that no other program's database is taken for one."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # `serial` tells an account from an earlier one of the same principal.
        """
        CREATE TABLE accounts (
            serial INTEGER PRIMARY KEY AUTOINCREMENT,
            principal TEXT NOT NULL UNIQUE,
            peak_bytes INTEGER NOT NULL,
            high_water_bytes INTEGER NOT NULL,
            quota_bytes INTEGER NOT NULL,
            refused_growths INTEGER NOT NULL,
            leases INTEGER NOT NULL,
            cpu_s REAL NOT NULL,
            byte_seconds REAL NOT NULL,
            fuel INTEGER NOT NULL,
            traps INTEGER NOT NULL,
            last_capsule TEXT NOT NULL,
            last_started_at REAL NOT NULL,
            since REAL NOT NULL,
            updated_at REAL NOT NULL
        )
        """,
        "CREATE INDEX accounts_by_peak ON accounts (peak_bytes)",
        # `account` is the serial of the account that the lease was last counted in: null if
        # there was none so far, 0 if that account was forgotten by request. `ended_at` is null
        # as long as the lease may still run.
        """
        CREATE TABLE leases (
            id TEXT PRIMARY KEY,
            principal TEXT NOT NULL,
            capsule TEXT NOT NULL,
            label TEXT NOT NULL,
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            process TEXT NOT NULL,
            state TEXT NOT NULL,
            current_bytes INTEGER NOT NULL,
            peak_bytes INTEGER NOT NULL,
            high_water_bytes INTEGER NOT NULL,
            quota_bytes INTEGER NOT NULL,
            refused_growths INTEGER NOT NULL,
            largest_refused_bytes INTEGER NOT NULL,
            cpu_s REAL NOT NULL,
            byte_seconds REAL NOT NULL,
            fuel INTEGER NOT NULL,
            trapped INTEGER NOT NULL,
            started_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            finished_at REAL,
            reason TEXT,
            exit_status INTEGER,
            account INTEGER,
            ended_at REAL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX leases_by_end ON leases (ended_at)",
    ),
    # What compiling took; it is not known for the leases that are there by then.
    (
        "ALTER TABLE accounts ADD COLUMN compile_cpu_s REAL NOT NULL DEFAULT 0.0",
        "ALTER TABLE leases ADD COLUMN sha256 TEXT",
        "ALTER TABLE leases ADD COLUMN cached INTEGER",
        "ALTER TABLE leases ADD COLUMN compile_s REAL NOT NULL DEFAULT 0.0",
        "ALTER TABLE leases ADD COLUMN compile_cpu_s REAL NOT NULL DEFAULT 0.0",
        "ALTER TABLE leases ADD COLUMN compile_peak_bytes INTEGER NOT NULL DEFAULT 0",
    ),
    # What was used on each day of UTC, counted from 1970: sums, never a row a lease.
    (
        """
        CREATE TABLE days (
            day INTEGER NOT NULL,
            principal TEXT NOT NULL,
            host TEXT NOT NULL,
            label TEXT NOT NULL,
            leases INTEGER NOT NULL,
            cpu_us INTEGER NOT NULL,
            byte_ms INTEGER NOT NULL,
            fuel INTEGER NOT NULL,
            refused_growths INTEGER NOT NULL,
            peak_bytes INTEGER NOT NULL,
            PRIMARY KEY (day, principal, host, label)
        ) WITHOUT ROWID
        """,
    ),
    # What tells a ledger from all others, wherever its file is.
    (
        "CREATE TABLE identity (id TEXT NOT NULL)",
        "INSERT INTO identity VALUES (lower(hex(randomblob(16))))",
    ),
    # The boots of each machine that writes the ledger, the newest last.
    (
        """
        CREATE TABLE boots (
            serial INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL,
            machine TEXT NOT NULL,
            UNIQUE (machine, id)
        )
        """,
    ),
)
"""Each entry brings a ledger from the version that is its index to the next."""


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the ledger's tables; 0 for a database with nothing in it.

    Raises:
        LedgerCorrupt: the database is another program's (exit 125).
        LedgerTooNew: the tables are of a later atectl (exit 125).
    """
    application_id, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) "
        "FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if (application_id, version, tables) == (0, 0, 0):
        return 0
    if application_id != APPLICATION_ID:
        raise LedgerCorrupt(f"{path} is a database, but no atectl ledger")
    if version > len(MIGRATIONS):
        raise LedgerTooNew(
            f"{path} has schema version {version}; this atectl knows up to {len(MIGRATIONS)}"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Create or update the tables, one transaction a version; processes may race.

    Raises:
        LedgerCorrupt: the database is another program's (exit 125).
        LedgerTooNew: the tables are of a later atectl (exit 125).
    """
    while schema_version(connection, path) < len(MIGRATIONS):
        with transaction(connection):
            # Looked at again under the lock: another process may have been quicker.
            version = schema_version(connection, path)
            if version == len(MIGRATIONS):
                return
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {version + 1}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock; commit at the end, or leave everything as it was."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some failures have SQLite roll back by itself.
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
