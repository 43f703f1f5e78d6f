"""One lock as it was seen, and its deletion if it still is as it was seen.

`releasing` alone may delete: it holds the order that makes it safe.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from atectl.locks.errors import NoToken, UnknownLock
from atectl.locks.keys import companion_keys, have_one_slot, key_bytes
from atectl.locks.reading import look_of
from atectl.locks.scripts import source_of
from atectl.locks.verdicts import Look
from atectl.redis.errors import RedisSlotMoving, nonsense
from atectl.system.clock import boottime

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

_TOLERANCE_MS = 50
"""How far two readings of the same moment of expiry may differ: the server rounds both."""


class SeenLock(NamedTuple):
    """A lock as it was seen.

    `expires_ms` is the moment at which it expires by the server's clock, in milliseconds since
    1970; -1 if it never does. It stays the same until the lock is renewed.
    """

    key: str
    look: Look
    expires_ms: int

    @property
    def token(self) -> str:
        """The token that a release compares.

        Raises:
            NoToken: there is none, as the key holds no text (exit 1).
        """
        if self.look.token is None:
            raise no_token(self.key)
        return self.look.token


def no_token(key: str) -> NoToken:
    """The error for a key that holds no text."""
    return NoToken(f"{key} holds no text, so there is no token to compare")


class Deletion(StrEnum):
    """What came of an attempt to delete a lock."""

    RELEASED = "released"
    GONE = "gone"
    """There was no lock any more."""
    CHANGED = "changed"
    """The lock had another token: another holder has it."""
    RENEWED = "renewed"
    """Its holder has renewed it since it was seen."""


def see_lock(
    connection: "RedisConnection", key: str, clock: Callable[[], float] = boottime
) -> SeenLock:
    """The lock with this key, as it is now.

    Args:
        connection: where to look.
        key: of the lock.
        clock: seconds of a clock that nobody sets.

    Raises:
        UnknownLock: there is none (exit 1).
        AtectlError: the server cannot be asked (exit 125).
    """
    look = connection.script(source_of("look"))
    sent_at = clock()
    answer = look([key_bytes(key)])
    received_at = clock()
    match answer:
        case [bytes() | None as value, bytes(kind), int(ttl_ms), int(expires_ms)]:
            pass
        case _:
            raise nonsense(connection.address, "the script that looks at a lock")
    seen = look_of(kind if value is None else value, ttl_ms, sent_at, received_at)
    if seen is None:
        raise UnknownLock(f"there is no lock {key}")
    if value is None:
        seen = seen._replace(token=None)
    return SeenLock(key, seen, expires_ms)


def delete_seen(connection: "RedisConnection", seen: SeenLock) -> Deletion:
    """Delete a lock, and the holder record of the same token, if it is as it was seen.

    The server compares the token and the moment of expiry as it deletes. Actor and worker records
    and the fencing number stay as they are.

    Raises:
        NoToken: what was seen has no token to compare (exit 1).
        AtectlError: the server cannot be asked; whether the lock is gone is not known (exit 125).
    """
    token = seen.token
    keys = [key_bytes(key) for key in _keys(seen.key)]
    delete = connection.script(source_of("release_seen"))
    arguments: list[str | bytes | int] = [key_bytes(token), seen.expires_ms, _TOLERANCE_MS]
    try:
        outcome = delete(keys, arguments)
    except RedisSlotMoving:
        # A script with two keys is refused where one of them is missing. The record may stay.
        outcome = delete(keys[:1], arguments)
    if not isinstance(outcome, bytes) or outcome.decode("utf-8", "replace") not in tuple(Deletion):
        raise nonsense(connection.address, "the script that releases a lock")
    return Deletion(outcome.decode())


def _keys(lock: str) -> list[str]:
    return [lock, companion_keys(lock).holder] if have_one_slot(lock) else [lock]
