"""Why SQLite could not use a file. It gives one reason for many causes, so the system is asked."""

import errno
import os
import sqlite3  # noqa: TID253
from pathlib import Path

from atectl.errors import LedgerError, LedgerUnavailable
from atectl.ledger_store.errors import LedgerDiskFull, LedgerForbidden, LedgerLogUnreadable
from atectl.units import show_size

LOG, INDEX = "-wal", "-shm"
"""What SQLite adds to the name of a database for its write-ahead log, and for the log's index."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

_OF_OPENING = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
"""Results of SQLite for files that it could not open, or not for writing."""

_INDEX_BYTES = 32 * 1024
"""The size of the log's index, which SQLite needs before it can read a log or write."""


def beside(path: Path, ending: str) -> Path:
    """The file that SQLite keeps beside a database."""
    return path.with_name(path.name + ending)


def of_system(path: Path, error: OSError) -> LedgerError:
    """The error for a call of the system that failed."""
    return _named(path, error, str(error.strerror or error))


def behind(path: Path, code: int, *, has_log: bool) -> LedgerError | None:
    """What kept SQLite from using a database; None if the system does not know of anything.

    Args:
        path: the database.
        code: the primary result of SQLite, one that can have several causes.
        has_log: there is something in its write-ahead log.
    """
    try:
        if not path.exists():
            return None
        reason = _refusal(path)
        found = _unreadable(path) or _without_room(path, reason)
        if found is None and code in _OF_OPENING:
            found = _without_index(path, reason) if has_log else None
            found = found or _unwritable(path, reason)
    except OSError as error:
        return of_system(path, error)
    if found is None and code == sqlite3.SQLITE_FULL:
        return LedgerDiskFull(f"{path}: there is no room for it")
    return found


def _unreadable(path: Path) -> LedgerError | None:
    """The error for a file of the database that may not be read."""
    for each in _files(path):
        if not _may(each, os.R_OK):
            return LedgerForbidden(f"{each} may not be read: permission denied")
    return None


def _without_room(path: Path, reason: OSError | None) -> LedgerError | None:
    if reason is None or reason.errno not in _NO_ROOM:
        return None
    return _named(path, reason, "")


def _without_index(path: Path, reason: OSError | None) -> LedgerError | None:
    """The error for a log that nobody can index; `reason` is why no file can be made."""
    if reason is None or beside(path, INDEX).exists():
        return None
    return LedgerLogUnreadable(
        f"{path}: its newest entries are in {beside(path, LOG).name}, which cannot be read "
        f"where no file can be made: {_told(reason)}"
    )


def _unwritable(path: Path, reason: OSError | None) -> LedgerError | None:
    """The error for what may be read and not be written."""
    for each in _files(path):
        if not _may(each, os.W_OK):
            return LedgerForbidden(f"{each} may not be written: {_told(reason)}")
    if reason is not None:
        return _named(path, reason, f"no file can be made beside it: {_told(reason)}")
    return None


def _files(path: Path) -> list[Path]:
    """The files of a database that are there."""
    return [each for each in (path, beside(path, LOG), beside(path, INDEX)) if each.exists()]


def _may(path: Path, mode: int) -> bool:
    # The file is not opened: closing it would drop the locks that a connection of this process has.
    return os.access(path, mode, effective_ids=True)


def _refusal(path: Path) -> OSError | None:
    """Why no file as large as the database can be made beside it; None if it can."""
    size = max(each.stat().st_size for each in _files(path))
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        # Some file systems know no files without a name: what they say themselves has to do.
        return _no_room(path) if error.errno in (errno.EOPNOTSUPP, errno.EISDIR) else error
    try:
        os.posix_fallocate(descriptor, size, _INDEX_BYTES)
    except OSError as error:
        return error
    finally:
        os.close(descriptor)
    return None


def _no_room(path: Path) -> OSError | None:
    system = os.statvfs(path.parent)
    if system.f_bavail * system.f_frsize < _INDEX_BYTES:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None


def _named(path: Path, error: OSError, otherwise: str) -> LedgerError:
    """The error for a reason that the system gives; `otherwise` is said where it is not known."""
    if error.errno == errno.ENOSPC:
        return LedgerDiskFull(f"{path}: its disk is full: {_free(path)}")
    if error.errno == errno.EDQUOT:
        return LedgerDiskFull(f"{path}: this user's quota of its disk is used up")
    if error.errno == errno.EFBIG:
        return LedgerDiskFull(
            f"{path} may not grow: it is at the limit on the size of files",
            remedy="raise the limit with `ulimit -f`, or name another place with --ledger",
        )
    kind = LedgerForbidden if error.errno in _FORBIDDEN else LedgerUnavailable
    return kind(f"{path}: {otherwise}")


def _free(path: Path) -> str:
    try:
        system = os.statvfs(path.parent)
    except OSError:
        return "its folder could not be made"
    if system.f_files and not system.f_favail:
        return "it has no inode left for another file"
    return f"{show_size(system.f_bavail * system.f_frsize)} are free"


def _told(reason: OSError | None) -> str:
    return "permission denied" if reason is None else (reason.strerror or str(reason)).lower()
