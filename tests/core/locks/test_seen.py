"""Deleting a lock as it was seen, and no other, whatever happens in between."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from atectl.locks.errors import NoToken, UnknownLock
from atectl.locks.seen import Deletion, delete_seen, see_lock
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.settings import redis_settings
from tests.conftest import ROOT
from tests.support.lock_examples import token
from tests.support.redis_servers import Server
from tests.support.waiting import wait_until

KEY = "lock:actor:demo:web"
HOLDER, FENCE = f"{{{KEY}}}:holder", f"{{{KEY}}}:fence"

RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def place(request: pytest.FixtureRequest) -> Iterator[RedisConnection]:
    server: Any = request.getfixturevalue(request.param)
    with connect(redis_settings(server.url)) as connection:
        yield connection


@pytest.fixture
def held(place: RedisConnection) -> RedisConnection:
    """A lock with a holder record and a fence, and records that are none of ours."""
    client = place.client
    client.set(KEY, token(1), px=20_000)
    client.hset(HOLDER, mapping={"token": token(1), "host": "node-1"})
    client.set(FENCE, 7)
    client.set("actor:demo:web", "{}")
    client.set("worker:uid", "{}")
    return place


def remaining(place: RedisConnection) -> set[str]:
    keys = (KEY, HOLDER, FENCE, "actor:demo:web", "worker:uid")
    return {key for key in keys if place.client.exists(key)}


def test_a_lock_that_is_as_it_was_seen_goes_with_its_holder_record_alone(
    held: RedisConnection,
) -> None:
    assert delete_seen(held, see_lock(held, KEY)) is Deletion.RELEASED
    assert remaining(held) == {FENCE, "actor:demo:web", "worker:uid"}


def test_it_is_released_long_after_it_was_seen_if_nobody_renewed_it(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    wait_until(lambda: held.client.pttl(KEY) < 19_500)
    assert delete_seen(held, seen) is Deletion.RELEASED


def test_a_holder_record_of_another_token_stays(held: RedisConnection) -> None:
    held.client.hset(HOLDER, "token", token(2))
    assert delete_seen(held, see_lock(held, KEY)) is Deletion.RELEASED
    assert HOLDER in remaining(held)


def test_a_holder_record_that_is_no_hash_stays(held: RedisConnection) -> None:
    held.client.set(HOLDER, "not a hash")
    assert delete_seen(held, see_lock(held, KEY)) is Deletion.RELEASED
    assert HOLDER in remaining(held)


def test_a_lock_that_has_gone_is_told(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    held.client.delete(KEY)
    assert delete_seen(held, seen) is Deletion.GONE


def test_a_successors_lock_stays(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    held.client.set(KEY, token(2), px=20_000)
    assert delete_seen(held, seen) is Deletion.CHANGED
    assert held.client.get(KEY) == token(2).encode()


def test_a_lock_that_turned_into_something_else_stays(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    held.client.delete(KEY)
    held.client.lpush(KEY, token(1))
    assert delete_seen(held, seen) is Deletion.CHANGED
    assert held.client.exists(KEY)


@pytest.mark.parametrize("ttl_ms", [20_200, 30_000])
def test_a_lock_that_was_renewed_stays(held: RedisConnection, ttl_ms: int) -> None:
    seen = see_lock(held, KEY)
    held.client.pexpire(KEY, ttl_ms)
    assert delete_seen(held, seen) is Deletion.RENEWED
    assert held.client.exists(KEY)


def test_a_lock_that_was_renewed_stays_though_less_is_left_than_was_seen(
    held: RedisConnection,
) -> None:
    seen = see_lock(held, KEY)
    wait_until(lambda: held.client.pttl(KEY) < 19_000)
    held.client.pexpire(KEY, 19_900)
    assert delete_seen(held, seen) is Deletion.RENEWED


def test_a_lock_without_a_ttl_is_released_as_such(held: RedisConnection) -> None:
    held.client.persist(KEY)
    assert delete_seen(held, see_lock(held, KEY)) is Deletion.RELEASED


def test_a_lock_that_gained_or_lost_its_ttl_stays(held: RedisConnection) -> None:
    with_ttl = see_lock(held, KEY)
    held.client.persist(KEY)
    assert delete_seen(held, with_ttl) is Deletion.RENEWED
    without = see_lock(held, KEY)
    held.client.pexpire(KEY, 20_000)
    assert delete_seen(held, without) is Deletion.RENEWED


def test_what_holds_no_text_is_not_released(held: RedisConnection) -> None:
    held.client.delete(KEY)
    held.client.hset(KEY, "hits", "3")
    seen = see_lock(held, KEY)
    assert seen.look.token is None
    with pytest.raises(NoToken, match="no token to compare"):
        delete_seen(held, seen)


def test_a_key_with_braces_is_released_without_companions(place: RedisConnection) -> None:
    place.client.set("lock:actor:{x}:y", token(1), px=20_000)
    seen = see_lock(place, "lock:actor:{x}:y")
    assert delete_seen(place, seen) is Deletion.RELEASED


def test_there_has_to_be_a_lock_to_see(place: RedisConnection) -> None:
    with pytest.raises(UnknownLock):
        see_lock(place, KEY)


def test_a_thousand_races_with_renewals_and_successors_delete_no_lock_of_the_living(
    any_server: Server,
) -> None:
    """In each of four threads a releaser races what a holder or a successor may do."""
    outcomes: Counter[tuple[str, bool, str]] = Counter()
    failures: list[str] = []

    def race(thread: int) -> None:
        chance = random.Random(thread)
        holder, connection = any_server.client(), connect(redis_settings(any_server.url))
        renew = holder.register_script(RENEW)
        for number in range(250):
            key, own, other = f"lock:actor:demo:{thread}", token(2 * number), token(2 * number + 1)
            holder.set(key, own, px=20_000)
            seen = see_lock(connection, key)
            deed = chance.choice(["renew", "succeed"])
            begin = threading.Barrier(2)
            done: list[bool] = []

            def act(
                key: str = key,
                own: str = own,
                other: str = other,
                deed: str = deed,
                begin: threading.Barrier = begin,
                done: list[bool] = done,
                delay_s: float = chance.random() * 0.001,
            ) -> None:
                begin.wait()
                time.sleep(delay_s)
                if deed == "renew":
                    done.append(bool(renew([key], [own, 30_000])))
                else:
                    # With less left than was seen, so that the token alone gives it away.
                    done.append(holder.set(key, other, px=10_000, get=True) is not None)

            racer = threading.Thread(target=act)
            racer.start()
            begin.wait()
            time.sleep(chance.random() * 0.001)
            outcome = delete_seen(connection, seen)
            racer.join()
            outcomes[deed, done[0], outcome.value] += 1
            left = holder.get(key)
            # What the racer found tells who was first; what is left, whether it was harmed.
            if done[0] and outcome is Deletion.RELEASED:
                failures.append(f"{deed} came first, and the lock was deleted")
            if not done[0] and outcome is not Deletion.RELEASED:
                failures.append(f"{deed} found no lock, and nothing was released: {outcome}")
            if deed == "succeed" and left != other.encode():
                failures.append("a successor's lock was deleted")
        connection.close()
        holder.close()

    threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    assert sum(outcomes.values()) == 1000
    # Both orders came about, of both deeds.
    assert set(outcomes) == {
        ("renew", True, "renewed"),
        ("renew", False, "released"),
        ("succeed", True, "changed"),
        ("succeed", False, "released"),
    }


def test_one_module_alone_deletes_the_lock_of_another_holder() -> None:
    """Nothing deletes but in the order that `releasing` keeps."""
    sources = [path for top in ("atectl", "commands") for path in (ROOT / top).rglob("*.py")]

    def speaking_of(word: str) -> set[str]:
        return {path.name for path in sources if word in path.read_text()}

    assert speaking_of("delete_seen") == {"seen.py", "releasing.py"}
    assert speaking_of('"release_seen"') == {"seen.py", "scripts.py"}
    assert speaking_of(".client.delete(") == set()
