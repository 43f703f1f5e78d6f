"""Releasing a lock that was seen, and no other, whatever happens in between."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atectl.locks.audit import INTENDED, LockAudit
from atectl.locks.errors import AuditUnwritable, LockChanged, UnknownLock
from atectl.locks.listing import Lock
from atectl.locks.release import (
    Outcome,
    SeenLock,
    audit_note,
    note_refusal,
    release_audited,
    release_seen,
    see_lock,
)
from atectl.locks.verdicts import Verdict
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisFailure
from atectl.redis.settings import redis_settings
from tests.support.lock_examples import token
from tests.support.redis_servers import AclServer, Server
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
    assert release_seen(held, see_lock(held, KEY)) is Outcome.RELEASED
    assert remaining(held) == {FENCE, "actor:demo:web", "worker:uid"}


def test_it_is_released_long_after_it_was_seen_if_nobody_renewed_it(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    wait_until(lambda: held.client.pttl(KEY) < 19_500)
    assert release_seen(held, seen) is Outcome.RELEASED


def test_a_holder_record_of_another_token_stays(held: RedisConnection) -> None:
    held.client.hset(HOLDER, "token", token(2))
    assert release_seen(held, see_lock(held, KEY)) is Outcome.RELEASED
    assert HOLDER in remaining(held)


def test_a_holder_record_that_is_no_hash_stays(held: RedisConnection) -> None:
    held.client.set(HOLDER, "not a hash")
    assert release_seen(held, see_lock(held, KEY)) is Outcome.RELEASED
    assert HOLDER in remaining(held)


def test_a_lock_that_has_gone_is_told(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    held.client.delete(KEY)
    assert release_seen(held, seen) is Outcome.GONE


def test_a_successors_lock_stays(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    held.client.set(KEY, token(2), px=20_000)
    assert release_seen(held, seen) is Outcome.CHANGED
    assert held.client.get(KEY) == token(2).encode()


def test_a_lock_that_turned_into_something_else_stays(held: RedisConnection) -> None:
    seen = see_lock(held, KEY)
    held.client.delete(KEY)
    held.client.lpush(KEY, token(1))
    assert release_seen(held, seen) is Outcome.CHANGED
    assert held.client.exists(KEY)


@pytest.mark.parametrize("ttl_ms", [20_200, 30_000])
def test_a_lock_that_was_renewed_stays(held: RedisConnection, ttl_ms: int) -> None:
    seen = see_lock(held, KEY)
    held.client.pexpire(KEY, ttl_ms)
    assert release_seen(held, seen) is Outcome.RENEWED
    assert held.client.exists(KEY)


def test_a_lock_that_was_renewed_stays_though_less_is_left_than_was_seen(
    held: RedisConnection,
) -> None:
    seen = see_lock(held, KEY)
    wait_until(lambda: held.client.pttl(KEY) < 19_000)
    held.client.pexpire(KEY, 19_900)
    assert release_seen(held, seen) is Outcome.RENEWED


def test_a_lock_without_a_ttl_is_released_as_such(held: RedisConnection) -> None:
    held.client.persist(KEY)
    assert release_seen(held, see_lock(held, KEY)) is Outcome.RELEASED


def test_a_lock_that_gained_or_lost_its_ttl_stays(held: RedisConnection) -> None:
    with_ttl = see_lock(held, KEY)
    held.client.persist(KEY)
    assert release_seen(held, with_ttl) is Outcome.RENEWED
    without = see_lock(held, KEY)
    held.client.pexpire(KEY, 20_000)
    assert release_seen(held, without) is Outcome.RENEWED


def test_what_holds_no_text_is_not_released(held: RedisConnection) -> None:
    held.client.delete(KEY)
    held.client.hset(KEY, "hits", "3")
    seen = see_lock(held, KEY)
    assert seen.look.token is None
    with pytest.raises(LockChanged, match="no token to compare"):
        release_seen(held, seen)


def test_a_key_with_braces_is_released_without_companions(place: RedisConnection) -> None:
    place.client.set("lock:actor:{x}:y", token(1), px=20_000)
    seen = see_lock(place, "lock:actor:{x}:y")
    assert release_seen(place, seen) is Outcome.RELEASED


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
            outcome = release_seen(connection, seen)
            racer.join()
            outcomes[deed, done[0], outcome.value] += 1
            left = holder.get(key)
            # What the racer found tells who was first; what is left, whether it was harmed.
            if done[0] and outcome is Outcome.RELEASED:
                failures.append(f"{deed} came first, and the lock was deleted")
            if not done[0] and outcome is not Outcome.RELEASED:
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


class TestAudited:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "audit.jsonl"

    def attempt(self, connection: RedisConnection, path: Path) -> tuple[LockAudit, SeenLock, Any]:
        seen = see_lock(connection, KEY)
        lock = Lock(KEY, "web", "demo", seen.look, Verdict.EXPIRING)
        note = audit_note(lock, seen, connection.address, is_forced=False, now=1000.0)
        return LockAudit(path, connection), seen, note

    def test_a_release_is_noted_before_and_after_in_both_places(
        self, held: RedisConnection, path: Path
    ) -> None:
        audit, seen, note = self.attempt(held, path)
        assert release_audited(held, audit, seen, note) == (Outcome.RELEASED, [])
        assert path.read_text().count(note.id) == 2
        assert held.client.xlen("atectl:lock-audit") == 2
        [attempt] = audit.attempts()
        assert attempt.note.outcome == "released"
        assert attempt.places == ("file", "stream")
        assert (attempt.note.token, attempt.note.key) == (token(1), KEY)

    def test_a_refusal_is_noted(self, held: RedisConnection, path: Path) -> None:
        audit, _, note = self.attempt(held, path)
        assert note_refusal(audit, note) == []
        assert [attempt.note.outcome for attempt in audit.attempts()] == ["refused"]

    def test_one_place_is_enough(self, held: RedisConnection, path: Path) -> None:
        path.mkdir()
        audit, seen, note = self.attempt(held, path)
        outcome, faults = release_audited(held, audit, seen, note)
        assert outcome is Outcome.RELEASED
        assert [fault.code for fault in faults] == ["E523", "E523"]

    def test_without_a_place_nothing_is_released(self, held: RedisConnection, path: Path) -> None:
        path.mkdir()
        held.client.set("atectl:lock-audit", "no stream")
        audit, seen, note = self.attempt(held, path)
        with pytest.raises(AuditUnwritable):
            release_audited(held, audit, seen, note)
        assert held.client.exists(KEY)

    def test_a_release_that_fails_is_noted_too(self, acl_server: AclServer, path: Path) -> None:
        with acl_server.client() as admin:
            admin.set(KEY, token(1), px=20_000)
            rules = ("on", ">secret", "~*", "+@all", "-del")
            admin.execute_command("ACL", "SETUSER", "clerk", *rules)
        settings = redis_settings(acl_server.url_for("clerk", "secret"))
        with connect(settings) as clerk:
            audit, seen, note = self.attempt(clerk, path)
            with pytest.raises(RedisFailure):
                release_audited(clerk, audit, seen, note)
            assert "failed: " in path.read_text()
        with acl_server.client() as admin:
            assert admin.exists(KEY)

    def test_an_attempt_that_was_broken_off_stays_intended(
        self, held: RedisConnection, path: Path
    ) -> None:
        audit, _, note = self.attempt(held, path)
        audit.write(note)
        assert [attempt.note.outcome for attempt in audit.attempts()] == [INTENDED]
