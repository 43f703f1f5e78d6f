"""Servers with locks in them, for the tests of what reads locks."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from atectl.redis.connection import RedisConnection, connect
from atectl.redis.settings import redis_settings
from tests.support.lock_examples import load_examples
from tests.support.redis_servers import Server


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def server(request: pytest.FixtureRequest) -> Any:
    """Each kind of server, with the examples in it."""
    server = request.getfixturevalue(request.param)
    with closing(server.client()) as client:
        load_examples(client)
    return server


@pytest.fixture
def place(server: Any) -> Iterator[RedisConnection]:
    """A connection to each kind of server, with the examples in it."""
    with connect(redis_settings(server.url)) as connection:
        yield connection


@pytest.fixture
def empty(valkey: Server) -> Iterator[RedisConnection]:
    """A server without any key."""
    with connect(redis_settings(valkey.url)) as connection:
        yield connection
