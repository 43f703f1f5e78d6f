"""A Lua script that the server runs: found by its hash, sent once."""

import re
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from atectl import redis as room
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisUnreachable
from atectl.redis.settings import parse_redis_url
from tests.support.lua_examples import DELETE_OWN
from tests.support.redis_servers import Cluster, Server

KEY = "staging:web"


def connected(url: str, **options: Any) -> RedisConnection:
    return connect(parse_redis_url(url)._replace(**options))


def _fail_after_sending(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Break the connection after each command of a user's is sent; those that were sent."""
    from redis.connection import Connection

    sent: list[str] = []
    send, read = Connection.send_command, Connection.read_response

    def recording_send(self: Any, *words: Any, **options: Any) -> Any:
        if words[0] in ("EVALSHA", "EVAL", "GET"):
            sent.append(words[0])
            self.is_cut = True
        return send(self, *words, **options)

    def broken_read(self: Any, *words: Any, **options: Any) -> Any:
        if getattr(self, "is_cut", False):
            self.is_cut = False
            self.disconnect()
            raise RedisConnectionError("Connection closed by server.")
        return read(self, *words, **options)

    monkeypatch.setattr(Connection, "send_command", recording_send)
    monkeypatch.setattr(Connection, "read_response", broken_read)
    return sent


def test_it_runs_though_the_server_never_saw_it(any_server: Server) -> None:
    with connected(any_server.url) as connection:
        delete_own = connection.script(DELETE_OWN)
        connection.client.set(KEY, "own")
        assert delete_own([KEY], ["own"]) == 1
        assert connection.client.get(KEY) is None


def test_it_runs_again_after_the_server_forgot_it(valkey: Server) -> None:
    with connected(valkey.url) as connection:
        delete_own = connection.script(DELETE_OWN)
        assert delete_own([KEY], ["own"]) == 0
        connection.client.script_flush()
        assert delete_own([KEY], ["own"]) == 0


def test_it_is_sent_once_when_the_connection_breaks(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(valkey.url) as connection:
        delete_own = connection.script(DELETE_OWN)
        delete_own([KEY], ["own"])
        sent = _fail_after_sending(monkeypatch)
        with pytest.raises(RedisUnreachable):
            delete_own([KEY], ["own"])
        assert sent == ["EVALSHA"]


def test_it_is_sent_once_in_a_cluster_too(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(cluster.url) as connection:
        delete_own = connection.script(DELETE_OWN)
        delete_own([KEY], ["own"])
        sent = _fail_after_sending(monkeypatch)
        with pytest.raises(RedisUnreachable):
            delete_own([KEY], ["own"])
        assert sent == ["EVALSHA"]


def test_a_command_is_sent_again_where_a_script_is_not(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(valkey.url, retries=2) as connection:
        connection.client.get("key")
        sent = _fail_after_sending(monkeypatch)
        with pytest.raises(RedisUnreachable), connection.translated():
            connection.client.get("key")
        assert sent == ["GET"] * 3


def test_the_room_of_redis_knows_no_lock() -> None:
    """What its keys and scripts are for is known to the rooms above it alone."""
    for path in Path(room.__path__[0]).glob("*.py"):
        text = path.read_text().replace("threading.Lock", "")
        assert not re.search(r"(?i)\block", text), path.name
