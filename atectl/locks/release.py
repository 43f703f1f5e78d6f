"""Releasing a lock that was seen: that one, and only as it was seen."""

import time
import uuid
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import AtectlError
from atectl.locks.audit import INTENDED, AuditNote, LockAudit, own_origin
from atectl.locks.errors import LockChanged, UnknownLock
from atectl.locks.keys import companion_keys, key_bytes
from atectl.locks.listing import Lock, look_of
from atectl.locks.scripts import source_of
from atectl.locks.verdicts import Look, Verdict
from atectl.system.clock import boottime

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

_TOLERANCE_MS = 50
"""How far two readings of one moment of expiry may lie apart: the server rounds both."""

_NEVER_MS = -1


class SeenLock(NamedTuple):
    """A lock as it was seen. `expires_ms` is when it frees itself, by the server's clock, in
    milliseconds since 1970, -1 if it never does: that stays until it is renewed."""

    key: str
    look: Look
    expires_ms: int


class Outcome(StrEnum):
    """What came of a release."""

    RELEASED = "released"
    GONE = "gone"
    """There was no lock any more."""
    CHANGED = "changed"
    """The lock had another token: another holder's."""
    RENEWED = "renewed"
    """The holder had renewed it since it was seen."""


def see_lock(
    connection: "RedisConnection", key: str, clock: Callable[[], float] = boottime
) -> SeenLock:
    """The lock with this key, as it is now.

    Raises:
        UnknownLock: there is none (exit 1).
        AtectlError: the server cannot be asked (exit 125).
    """
    look = connection.script(source_of("look"))
    sent_at = clock()
    value, kind, ttl_ms, expires_ms = look([key_bytes(key)])
    received_at = clock()
    seen = look_of(kind if value is None else value, ttl_ms, sent_at, received_at)
    if seen is None:
        raise UnknownLock(f"there is no lock {key}")
    if value is None:
        seen = seen._replace(token=None)
    return SeenLock(key, seen, expires_ms)


def token_of(seen: SeenLock) -> str:
    """The token that a release has to compare.

    Raises:
        LockChanged: there is none, as the key holds no text (exit 1).
    """
    if seen.look.token is None:
        raise LockChanged(
            f"{seen.key} holds no text, so there is no token to compare",
            remedy="it is no lock: find out what writes it",
        )
    return seen.look.token


def release_seen(connection: "RedisConnection", seen: SeenLock) -> Outcome:
    """Delete the lock, and the holder record of the same token, if it is as it was seen.

    The token and the moment of expiry are compared by the server as it deletes. Actor and worker
    records and the fencing number stay as they are.

    Raises:
        LockChanged: what was seen has no token to compare (exit 1).
        AtectlError: the server cannot be asked (exit 125).
    """
    token = token_of(seen)
    keys = [key_bytes(key) for key in _keys(seen.key)]
    release = connection.script(source_of("release_seen"))
    outcome = release(keys, [key_bytes(token), seen.expires_ms, _TOLERANCE_MS])
    return Outcome(outcome.decode())


RELEASABLE = frozenset({Verdict.EXPIRING, Verdict.STUCK})
"""Verdicts on which a lock is released without being forced: nobody renews it."""

REFUSED = "refused"
"""The outcome of an attempt that was given up before anything was deleted."""


def audit_note(
    lock: Lock, seen: SeenLock, server: str, *, is_forced: bool, now: float | None = None
) -> AuditNote:
    """The note of an attempt to release a lock, by this process and user.

    Args:
        lock: as it was judged.
        seen: as it was last looked at.
        server: the address that was asked.
        is_forced: whether its holder may be alive.
        now: seconds since 1970; the present, if None.
    """
    holder = lock.holder
    told = None if holder is None else f"{holder.host}/{holder.pid} {holder.command or ''}"
    ttl_s = seen.look.ttl_s
    return AuditNote(
        id=str(uuid.uuid4()),
        at=time.time() if now is None else now,
        outcome=INTENDED,
        is_forced=is_forced,
        **own_origin()._asdict(),
        server=server,
        key=seen.key,
        actor=lock.name,
        token=seen.look.token,
        ttl_ms=None if ttl_s is None else round(ttl_s * 1000),
        verdict=lock.verdict.value,
        holder=told if told is None else told.strip(),
    )


def release_audited(
    connection: "RedisConnection", audit: LockAudit, seen: SeenLock, note: AuditNote
) -> tuple[Outcome, list[AtectlError]]:
    """Release the lock as `release_seen` does, noted before and after.

    Returns:
        What came of it, and what kept one of the places from having its notes.

    Raises:
        AuditUnwritable: no place has the first note, so nothing was released (exit 125).
        AtectlError: the server cannot be asked; whether the lock is gone is not known (exit 125).
    """
    faults = audit.write(note)
    try:
        outcome = release_seen(connection, seen)
    except AtectlError as error:
        _note_outcome(audit, note, f"failed: {error.code}")
        raise
    return outcome, faults + _note_outcome(audit, note, outcome.value)


def note_refusal(audit: LockAudit, note: AuditNote) -> list[AtectlError]:
    """Note an attempt that came to nothing; what kept a place from having it."""
    return _note_outcome(audit, note, REFUSED)


def _note_outcome(audit: LockAudit, note: AuditNote, outcome: str) -> list[AtectlError]:
    try:
        return audit.write(note._replace(outcome=outcome, at=time.time()))
    except AtectlError as error:
        return [error]


def _keys(lock: str) -> list[str]:
    # With braces of its own the key has another hash slot than a holder record would have.
    is_plain = "{" not in lock and "}" not in lock
    return [lock, companion_keys(lock).holder] if is_plain else [lock]
