"""Connecting to the server that a command's options name."""

import pytest

from atectl.commands.options.places import RedisOptions, connected
from atectl.commands.options.table import options_of
from atectl.config import DEFAULT_REDIS_TIMEOUT_S
from atectl.redis.errors import NoRedisNamed, RedisTlsFailed
from atectl.units import duration_text
from tests.support.redis_servers import Server, TlsServer


def test_every_option_reaches_the_connection(tls_server: TlsServer) -> None:
    options = RedisOptions(
        url=[tls_server.url],
        ca=str(tls_server.ca_file),
        cert=str(tls_server.client_cert),
        key=str(tls_server.client_key),
        server_name=tls_server.server_name,
        timeout="7s",
    )
    with connected(options) as connection:
        assert connection.client.ping()
        assert connection.settings.timeout_s == 7
    with pytest.raises(RedisTlsFailed):
        connected(options._replace(server_name="other.example"))


def test_a_server_that_the_environment_names_needs_no_option(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATECTL_REDIS_URL", valkey.url)
    with connected(RedisOptions()) as connection:
        assert connection.address == valkey.address


def test_without_a_server_there_is_no_connection() -> None:
    with pytest.raises(NoRedisNamed):
        connected(RedisOptions())


def test_help_says_the_timeout_that_holds_by_default() -> None:
    told = options_of(RedisOptions)["timeout"].usually
    assert told == duration_text(DEFAULT_REDIS_TIMEOUT_S)
