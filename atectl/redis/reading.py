"""Reading many keys of a Redis server or cluster in few round trips."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

BATCH = 1000
"""How many keys are asked for in one round trip."""


def exchange(connection: "RedisConnection", commands: Sequence[tuple[str, bytes]]) -> list[Any]:
    """The answers to commands of one key each, sent in one round trip.

    If a key has a value of the wrong type for its command, the answer is an exception.

    Raises:
        AtectlError: the server cannot be asked, or refuses a command otherwise (exit 125).
    """
    if not commands:
        return []
    with connection.translated():
        pipeline = connection.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = pipeline.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, Exception) and not str(reply).startswith("WRONGTYPE"):
                raise reply
    return replies


def get_values(connection: "RedisConnection", keys: Sequence[bytes]) -> list[bytes | None]:
    """The values of these keys. None: there is no such key, or its value is not a string.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    if not keys:
        return []
    if connection.kind == "cluster":
        replies = exchange(connection, [("GET", key) for key in keys])
        return [reply if isinstance(reply, bytes) else None for reply in replies]
    # One MGET takes half the time of as many GETs.
    with connection.translated():
        values: Any = connection.client.mget(keys)
    return list(values)


def server_time(connection: "RedisConnection") -> float:
    """The time by the clock of a primary, in seconds since 1970."""
    with connection.translated():
        seconds, microseconds = connection.primaries()[0].time()
    return float(seconds + microseconds / 1e6)


def scan_keys(connection: "RedisConnection", pattern: str) -> Iterator[bytes]:
    """Every key on every primary that matches a pattern, each once.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    seen: set[bytes] = set()
    for keys in scan(connection, pattern):
        for key in keys:
            if key not in seen:
                seen.add(key)
                yield key


def scan(connection: "RedisConnection", pattern: str) -> Iterator[list[bytes]]:
    """The keys on every primary that match a pattern, in batches. A key may come twice."""
    for primary in connection.primaries():
        cursor = -1
        while cursor != 0:
            with connection.translated():
                cursor, keys = primary.scan(max(cursor, 0), match=pattern, count=BATCH)
            yield [key for key in keys if isinstance(key, bytes)]
