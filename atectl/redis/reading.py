"""Reading many keys of a Redis server or cluster, in few exchanges."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

BATCH = 1000
"""Keys that are asked for at a time."""


def exchange(connection: "RedisConnection", commands: Sequence[tuple[str, bytes]]) -> list[Any]:
    """The answers to commands of one key each, sent together; a wrong type is an answer too.

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
    """What these keys hold; None where that is nothing, or no text.

    Raises:
        AtectlError: the server cannot be asked (exit 125).
    """
    if not keys:
        return []
    if connection.kind == "cluster":
        replies = exchange(connection, [("GET", key) for key in keys])
        return [reply if isinstance(reply, bytes) else None for reply in replies]
    # Half the time that as many questions take.
    with connection.translated():
        values: Any = connection.client.mget(keys)
    return list(values)


def server_time(connection: "RedisConnection") -> float:
    """Seconds since 1970 by the clock of a primary."""
    with connection.translated():
        seconds, microseconds = connection.primaries()[0].time()
    return float(seconds + microseconds / 1e6)


def scan_keys(connection: "RedisConnection", pattern: str) -> Iterator[bytes]:
    """Every key that matches, once, on every primary.

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
    """The keys that match, in batches; a key may come more than once."""
    for primary in connection.primaries():
        cursor = -1
        while cursor != 0:
            with connection.translated():
                cursor, keys = primary.scan(max(cursor, 0), match=pattern, count=BATCH)
            yield [key for key in keys if isinstance(key, bytes)]
