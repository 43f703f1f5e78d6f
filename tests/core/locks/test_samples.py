"""Samples are laid where they are in nobody's way, and only samples are removed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from atectl.locks.errors import SamplesRefused
from atectl.locks.samples import lay_samples, remove_samples, samples
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.settings import redis_settings
from tests.support.redis_servers import Server

SAMPLES = list(samples())
EXPIRING = "lock:actor:demo:mailer"


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def empty_place(request: pytest.FixtureRequest) -> Iterator[RedisConnection]:
    """A connection to each kind of server, with nothing in it."""
    server = request.getfixturevalue(request.param)
    with connect(redis_settings(server.url)) as connection:
        yield connection


@pytest.fixture
def elsewhere(empty: RedisConnection, monkeypatch: pytest.MonkeyPatch) -> RedisConnection:
    """A server whose address is not of this machine."""
    away = empty.settings._replace(host="192.0.2.7")
    monkeypatch.setattr(empty, "settings", away)
    return empty


def held(connection: RedisConnection) -> dict[str, Any]:
    """What each sample key holds."""
    read: dict[str, Callable[[str], Any]] = {
        "string": connection.client.get, "hash": connection.client.hgetall,
    }  # fmt: skip
    return {each.key: read[each.kind](each.key) for each in SAMPLES}


def test_all_are_laid_with_their_ttls(empty_place: RedisConnection) -> None:
    assert lay_samples(empty_place) == len(SAMPLES)
    assert all(held(empty_place).values())
    for each in SAMPLES:
        left_ms = empty_place.client.pttl(each.key)
        assert (0 < left_ms <= each.ttl_ms) if each.ttl_ms else left_ms == -1


def test_they_are_laid_again_with_the_whole_ttl(empty_place: RedisConnection) -> None:
    lay_samples(empty_place)
    empty_place.client.pexpire(EXPIRING, 5_000)
    assert lay_samples(empty_place) == len(SAMPLES)
    assert empty_place.client.pttl(EXPIRING) > 5_000


def test_all_are_removed(empty_place: RedisConnection) -> None:
    lay_samples(empty_place)
    assert remove_samples(empty_place) == (len(SAMPLES), ())
    assert not any(held(empty_place).values())


def test_what_is_no_sample_any_more_is_not_removed(empty: RedisConnection) -> None:
    lay_samples(empty)
    empty.client.set("lock:actor:demo:batch", "another token")
    empty.client.hset("lock:actor:demo:counter", "hits", "4")
    removed = remove_samples(empty)
    assert removed.key_count == len(SAMPLES) - 2
    assert set(removed.left) == {"lock:actor:demo:batch", "lock:actor:demo:counter"}
    assert empty.client.get("lock:actor:demo:batch") == b"another token"


def test_a_server_with_other_keys_is_refused(empty_place: RedisConnection) -> None:
    empty_place.client.set("other", "1")
    with pytest.raises(SamplesRefused, match="has another key"):
        lay_samples(empty_place)
    assert not any(held(empty_place).values())


def test_a_server_with_other_keys_is_taken_if_forced(empty: RedisConnection) -> None:
    empty.client.set("other", "1")
    assert lay_samples(empty, is_forced=True) == len(SAMPLES)
    assert empty.client.get("other") == b"1"


def test_a_server_on_another_machine_is_refused(elsewhere: RedisConnection) -> None:
    with pytest.raises(SamplesRefused, match=r"192\.0\.2\.7"):
        lay_samples(elsewhere)
    assert not any(held(elsewhere).values())


def test_a_server_on_another_machine_is_taken_if_forced(elsewhere: RedisConnection) -> None:
    assert lay_samples(elsewhere, is_forced=True) == len(SAMPLES)


@pytest.mark.parametrize("is_forced", [False, True])
def test_nothing_is_overwritten_even_if_forced(empty: RedisConnection, is_forced: bool) -> None:
    empty.client.set(SAMPLES[-1].key, "of somebody")
    with pytest.raises(SamplesRefused, match="is no sample"):
        lay_samples(empty, is_forced=is_forced)
    assert [value for value in held(empty).values() if value] == [b"of somebody"]


def test_a_socket_is_of_this_machine(valkey: Server) -> None:
    with connect(redis_settings(valkey.unix_url)) as connection:
        assert lay_samples(connection) == len(SAMPLES)
