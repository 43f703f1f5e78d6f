"""The audit of releases: who released which lock, and what was seen.

There are two places for notes: a file of this user, and a stream on the server that has the lock.
An attempt is noted before anything is deleted, and again with its outcome. Both notes have the same
id, and each is written to both places if possible.
"""

import fcntl
import json
import os
import pwd
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from atectl.errors import AtectlError
from atectl.locks.errors import AuditUnreadable, AuditUnwritable
from atectl.records.types import Mark
from atectl.redis.errors import nonsense
from atectl.units import Moment

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

STREAM = "atectl:lock-audit"
STREAM_ENTRIES = 10_000
"""About how many notes the stream keeps: the newest ones."""

INTENDED = "intended"
"""The outcome of an attempt that has none yet. If it stays so, the attempt was interrupted."""

FILE, SHARED = "file", "stream"


class Origin(NamedTuple):
    """Who asks for a release, and from where. Text is empty if it is not known."""

    user: str
    uid: int
    sudo_user: str
    host: str
    tty: str
    ssh_connection: str


class AuditNote(NamedTuple):
    """An attempt to release a lock, at one moment. Text is empty where it is not known."""

    id: str
    """Its id, the same before and after."""
    at: Moment
    """When it was noted."""
    outcome: str
    """What came of it; `intended` until it is known."""
    is_forced: bool
    """Whether it was asked to release the lock of a holder that may be alive."""
    user: str
    """Who asked."""
    uid: int
    """The number of that user."""
    sudo_user: str
    """Who became that user."""
    host: str
    """The machine it was asked on."""
    tty: str
    """The terminal it was asked on."""
    ssh_connection: str
    """Where that was reached from."""
    server: str
    """The address of the server that was asked."""
    key: str
    """The key of the lock."""
    actor: str
    """The actor of the lock."""
    token: str | None
    """The token that was seen; null for a value that is no text."""
    ttl_ms: int | None
    """What was left of the TTL; null for a lock without one."""
    verdict: str
    """What the lock was found to be."""
    holder: str | None
    """Who held it; null where nobody said so."""


class Attempt(NamedTuple):
    """One attempt to release a lock, as its latest note has it."""

    note: Annotated[AuditNote, Mark.INLINE]
    """The note."""
    places: tuple[Annotated[str, (FILE, SHARED)], ...]
    """Where it is noted: in this user's file, in the stream beside the locks."""


def own_origin() -> Origin:
    """Who runs this process, and from where."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = ""
    return Origin(
        user=user,
        uid=uid,
        sudo_user=os.environ.get("SUDO_USER", ""),
        host=os.uname().nodename,
        tty=_own_terminal(),
        ssh_connection=os.environ.get("SSH_CONNECTION", ""),
    )


class LockAudit:
    """The two places for notes.

    Args:
        path: the file of this user.
        connection: to the server with the stream; None if there is none, and the file is enough.
    """

    def __init__(self, path: Path, connection: "RedisConnection | None") -> None:
        self._path = path
        self._connection = connection

    def write(self, note: AuditNote) -> list[AtectlError]:
        """Write a note to both places. Returns why one of them does not have it, if so.

        Raises:
            AuditUnwritable: neither place has it (exit 125).
        """
        line = json.dumps(note._asdict())
        faults: list[AtectlError] = []
        for append in (self._append_to_file, self._append_to_stream):
            try:
                append(line)
            except AtectlError as fault:
                faults.append(fault)
        if len(faults) == 2:
            raise AuditUnwritable("; ".join(map(str, faults)))
        return faults

    def attempts(self) -> tuple[list[Attempt], list[AtectlError]]:
        """All attempts that are noted in a place that can be read, and why another cannot.

        The newest come first.

        Raises:
            AtectlError: neither place can be read (exit 125).
        """
        notes: dict[str, list[AuditNote]] = {}
        faults: list[AtectlError] = []
        for place, read in ((FILE, self._from_file), (SHARED, self._from_stream)):
            try:
                notes[place] = notes_of(read())
            except AtectlError as fault:
                faults.append(fault)
        if not notes:
            raise faults[0]
        return merged(notes), faults

    def _from_file(self) -> list[bytes]:
        return read_lines(self._path)

    def _from_stream(self) -> list[bytes]:
        if self._connection is None:
            return []
        entries: Any = self._connection.client.xrange(STREAM)
        if not isinstance(entries, list):
            raise nonsense(self._connection.address, "XRANGE")
        return [fields.get(b"note", b"") for _, fields in entries if fields is not None]

    def _append_to_file(self, line: str) -> None:
        try:
            append_line(self._path, line.encode())
        except OSError as error:
            reason = error.strerror or str(error)
            raise AuditUnwritable(f"{self._path} cannot be written: {reason}") from None

    def _append_to_stream(self, line: str) -> None:
        if self._connection is None:
            return
        self._connection.client.xadd(
            STREAM, {"note": line}, maxlen=STREAM_ENTRIES, approximate=True
        )


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file that only its owner can read, and wait until it is on disk.

    Lines of several processes never mix. If the last line was cut short by a crash or a full disk,
    a new line is begun.

    Raises:
        OSError: the line cannot be written, or not completely.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        # Without this, a line that another process is writing would look like one cut short.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        is_cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (b"\n" if is_cut else b"") + line + b"\n"
        if os.write(descriptor, data) != len(data):
            raise OSError("it was cut short")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> list[bytes]:
    """The lines of the file; none if there is no such file.

    Raises:
        AuditUnreadable: it cannot be read (exit 125).
    """
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditUnreadable(f"{path} cannot be read: {error.strerror}") from None


def notes_of(lines: Iterable[bytes]) -> list[AuditNote]:
    """The notes in these lines. Lines that are no notes are skipped."""
    return [note for note in map(_decode, lines) if note is not None]


def merged(notes_by_place: dict[str, list[AuditNote]]) -> list[Attempt]:
    """The attempts, the newest first, each with the note of its outcome if there is one."""
    latest: dict[str, AuditNote] = {}
    places: dict[str, set[str]] = {}
    for place, notes in notes_by_place.items():
        for note in notes:
            known = latest.get(note.id)
            if known is None or known.outcome == INTENDED:
                latest[note.id] = note
            places.setdefault(note.id, set()).add(place)
    found = [Attempt(note, tuple(sorted(places[id_]))) for id_, note in latest.items()]
    return sorted(found, key=lambda attempt: -attempt.note.at)


_OPTIONAL_TEXT = frozenset({"token", "holder"})
_NUMBERS: dict[str, tuple[type, ...]] = {
    "at": (int, float),
    "is_forced": (bool,),
    "uid": (int,),
    "ttl_ms": (int, type(None)),
}


def _decode(line: bytes) -> AuditNote | None:
    try:
        fields: Any = json.loads(line)
        # A note that was written by a later version may have more fields.
        note = AuditNote(**{name: fields[name] for name in AuditNote._fields})
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    is_typed = all(isinstance(getattr(note, name), _kinds(name)) for name in AuditNote._fields)
    # Times after the year 9999 cannot be shown.
    return note if is_typed and 0 <= note.at < 253_402_300_800 else None


def _kinds(name: str) -> tuple[type, ...]:
    return _NUMBERS.get(name) or ((str, type(None)) if name in _OPTIONAL_TEXT else (str,))


def _own_terminal() -> str:
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            return os.ttyname(descriptor)
    return ""
