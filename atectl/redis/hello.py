"""What a server says of itself, whatever its user may do."""

import re
from typing import Any, NamedTuple

from redis import Redis  # noqa: TID253 - imported lazily, by the commands that need it
from redis.exceptions import InvalidResponse, ResponseError  # noqa: TID253

from atectl.redis.errors import RedisRefused

OLDEST_VERSION = 6


class Hello(NamedTuple):
    """`mode` is `standalone`, `cluster` or `sentinel`; `role` is `master`, `slave` or `replica`."""

    mode: str
    role: str


def hello(client: Redis, name: str) -> Hello:
    """Ask a server what it is.

    Args:
        client: of the server.
        name: its address, or a clause that says who named it and ends with "which".

    Raises:
        RedisRefused: it is older than version 6 (exit 125).
        InvalidResponse: its answer makes no sense.
        RedisError: it does not answer, or refuses the login.
    """
    try:
        # Every user may send HELLO, whatever its permissions.
        answer = client.execute_command("HELLO")  # type: ignore[no-untyped-call]
    except ResponseError as fault:
        if "unknown command" in str(fault).lower():
            return _by_info(client, name)
        raise
    if not isinstance(answer, list) or len(answer) % 2:
        raise InvalidResponse("an answer that makes no sense")
    words = [_text(word) for word in answer]
    told = dict(zip(words[::2], words[1::2], strict=True))
    return Hello(told.get("mode", "standalone"), told.get("role", ""))


def _by_info(client: Redis, name: str) -> Hello:
    """The same where HELLO was renamed, or is not known as the server is too old."""
    try:
        told: Any = client.info()
    except ResponseError:
        return Hello("standalone", "master")
    if not isinstance(told, dict):
        raise InvalidResponse("an answer that makes no sense")
    version = str(told.get("redis_version", ""))
    number = re.match(r"\d+", version)
    if number is not None and int(number.group()) < OLDEST_VERSION:
        raise RedisRefused(
            f"{name} has version {version[:20]}, and atectl needs {OLDEST_VERSION} or later",
            remedy="upgrade the server",
        )
    return Hello(str(told.get("redis_mode", "standalone")), str(told.get("role", "")))


def _text(word: Any) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
