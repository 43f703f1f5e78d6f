"""Commands that are sent in one go."""

from typing import Any

import pytest
from redis.connection import Connection

from atectl.redis.batch import packed


@pytest.mark.parametrize(
    "commands",
    [
        [],
        [("GET", b"key")],
        [("GET", b"\x00\r\n\xff"), ("PTTL", b"")],
        [("EVALSHA", "a" * 40, 1, "ключ", "0.5", -7)],
        [("MGET", *(b"key-%d" % number for number in range(1000)))],
    ],
    ids=["none", "one", "bytes", "other words", "many words"],
)
def test_they_are_written_as_redis_py_writes_them(commands: list[tuple[Any, ...]]) -> None:
    pack: Any = Connection().pack_commands
    assert packed(commands) == b"".join(pack(commands))
