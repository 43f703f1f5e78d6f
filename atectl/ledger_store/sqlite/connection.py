"""Opening the file of a stored ledger, and naming what SQLite says is wrong with it."""

import os
import sqlite3  # noqa: TID253
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from atectl.errors import LedgerBusy, LedgerCorrupt, LedgerError, LedgerUnavailable
from atectl.ledger_store.sqlite.schema import MIGRATIONS, migrate, schema_version
from atectl.system.identity import Identity, identity_of

_RETRY_S = 0.01

_PRIMARY = 0xFF
"""The bits of a result of SQLite that say what it is; the others say more about it."""

_SMALLEST_PAGE_BYTES = 512
_MAGIC = b"SQLite format 3\0"

_UNCLEAR = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
    }
)
"""Results of SQLite that have several causes: a full disk, permissions, a read-only file system."""

_ERRORS: dict[int, type[LedgerError]] = {
    sqlite3.SQLITE_BUSY: LedgerBusy,
    sqlite3.SQLITE_LOCKED: LedgerBusy,
    sqlite3.SQLITE_PROTOCOL: LedgerBusy,
    sqlite3.SQLITE_CORRUPT: LedgerCorrupt,
    sqlite3.SQLITE_NOTADB: LedgerCorrupt,
    sqlite3.SQLITE_FORMAT: LedgerCorrupt,
    # Our statements are right for our tables: if they fail, the tables are not ours any more.
    sqlite3.SQLITE_ERROR: LedgerCorrupt,
    sqlite3.SQLITE_CONSTRAINT: LedgerCorrupt,
    sqlite3.SQLITE_MISMATCH: LedgerCorrupt,
}


def ledger_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """Our error for one of SQLite's: what stands in the way, or else SQLite's own reason."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return LedgerUnavailable(f"{path}: {error}")
    primary = code & _PRIMARY
    obstacle = _obstacle(path, primary) if primary in _UNCLEAR else None
    return obstacle or _ERRORS.get(primary, LedgerUnavailable)(f"{path}: {error}")


def _obstacle(path: Path, code: int) -> LedgerError | None:
    """What stands in SQLite's way, by what the system says; None if it says nothing."""
    try:
        # Imported by those alone who need it, and who may have no descriptor left for that.
        from atectl.ledger_store.sqlite import obstacles

        return obstacles.behind(path, code, has_log=_has_log(path))
    except OSError as error:
        return LedgerUnavailable(f"{path}: {error.strerror or error}")


def _of_system(path: Path, error: OSError) -> LedgerError:
    try:
        from atectl.ledger_store.sqlite import obstacles
    except OSError:
        return LedgerUnavailable(f"{path}: {error.strerror or error}")
    return obstacles.of_system(path, error)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn every error of SQLite and of the system into a `LedgerError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise ledger_error(path, error) from None
    except UnicodeDecodeError:
        # SQLite quotes the damaged text in its reason, and Python cannot read that.
        raise LedgerCorrupt(f"{path}: database disk image is malformed") from None
    except OSError as error:
        raise _of_system(path, error) from None
    except ValueError as error:
        # A path that no system call takes.
        raise LedgerUnavailable(f"{path}: {error}") from None


def open_writable(path: Path, *, make_folder: bool, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection to the ledger at `path`, created (mode 0600) or brought up to date if need be.

    Args:
        path: the file. What is no ledger is left as it is.
        make_folder: create the folder too, with mode 0700.
        busy_timeout_s: how long to wait for other processes, in seconds.

    Raises:
        LedgerError: whatever stands in the way (exit 125).
    """
    with named_errors(path):
        if make_folder:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create_private(path)
        _require_file(path)
        connection = _connect(path, "rw", busy_timeout_s)
        try:
            _set_up(connection, path, busy_timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection


def open_readable(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection that only reads the ledger at `path`; the file may be read-only.

    An older ledger is brought up to date first, and an empty file reads as an empty ledger.

    Raises:
        LedgerError: whatever stands in the way; a missing file is `LedgerUnavailable` (exit 125).
    """
    with named_errors(path):
        _require_file(path)
        connection, version = _connect_reading(path, busy_timeout_s)
        if version == len(MIGRATIONS):
            return connection
        connection.close()
        if version == 0:
            return empty_ledger()
        open_writable(path, make_folder=False, busy_timeout_s=busy_timeout_s).close()
        return _connect_reading(path, busy_timeout_s)[0]


def file_at(path: Path) -> Identity | None:
    """The file that is at a path now; None if none is."""
    try:
        return identity_of(os.stat(path))  # noqa: PTH116 - at every flush
    except OSError:
        return None


def leave_moved(connection: sqlite3.Connection) -> None:
    """Close the connection to a file that is not at its path any more, with all in it that is
    still in its log."""
    with suppress(sqlite3.Error):  # it may be gone, or be read by others
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def empty_ledger() -> sqlite3.Connection:
    """A connection to an empty ledger that is nowhere on disk."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate(connection, Path(":memory:"))
    return connection


def _create_private(path: Path) -> None:
    if not path.parent.is_dir():
        raise LedgerUnavailable(
            f"{path}: there is no folder {path.parent}",
            remedy="create the folder, or name another place with --ledger or ATECTL_LEDGER",
        )
    # Only a file that was not there is opened and closed here: closing one that another
    # connection of this process has open would drop its locks.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _require_file(path: Path) -> None:
    found = path.stat()
    # SQLite would wait for ever on a FIFO.
    if not stat.S_ISREG(found.st_mode):
        raise LedgerUnavailable(f"{path} is not a regular file")
    # SQLite would take so little for nothing, and write over it.
    if 0 < found.st_size < _SMALLEST_PAGE_BYTES:
        raise LedgerCorrupt(f"{path}: file is not a database")
    # SQLite would take what is missing of a page for nothing. While it writes one, there is a log.
    if found.st_size % _SMALLEST_PAGE_BYTES and not _has_log(path):
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                raise LedgerCorrupt(f"{path}: the file was cut short")


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    escaped = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection = sqlite3.connect(
        f"file://{escaped}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    # Bytes that a damaged page holds are shown, not stumbled over.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def _connect_reading(path: Path, busy_timeout_s: float) -> tuple[sqlite3.Connection, int]:
    try:
        return _connect_checked(path, "ro", busy_timeout_s)
    except sqlite3.OperationalError as error:
        # In a folder that cannot be written, or on a full disk, SQLite has no place for its index
        # of the write-ahead log. Without a log there is nothing to index and nobody who writes.
        if error.sqlite_errorcode & _PRIMARY not in _UNCLEAR or _has_log(path):
            raise
    return _connect_checked(path, "ro&immutable=1", busy_timeout_s)


def _connect_checked(
    path: Path, mode: str, busy_timeout_s: float
) -> tuple[sqlite3.Connection, int]:
    connection = _connect(path, mode, busy_timeout_s)
    try:
        return connection, schema_version(connection, path)
    except BaseException:
        connection.close()
        raise


def _has_log(path: Path) -> bool:
    """Whether there is something in the write-ahead log of a database."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _set_up(connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> None:
    def set_up() -> None:
        # First of all, so that another program's database is not touched.
        schema_version(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        migrate(connection, path)

    until_free(set_up, busy_timeout_s)


def until_free(set_up: Callable[[], None], busy_timeout_s: float) -> None:
    """Set a database up. Of several processes that do so at once, one after another does.

    Args:
        set_up: changes the journal mode; SQLite does not wait by itself for others that do.
        busy_timeout_s: how long to wait for them, in seconds.
    """
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            set_up()
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_S)
