"""Taking, keeping and letting go of a lock, on real servers."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atectl.errors import AtectlError
from atectl.locks import scripts
from atectl.locks.errors import BadLockTtl, LockBusy, LockLost
from atectl.locks.heartbeat import LockTimes
from atectl.locks.holder_record import Holder, HolderRecord, parse_holder
from atectl.locks.holding import HeldLock, LockTerms, acquire, acquire_within
from atectl.locks.keys import companion_keys
from atectl.locks.patience import Patience, poll_s
from atectl.locks.scripts import source_of
from atectl.locks.verdicts import is_token
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisFailure, RedisWrongType
from atectl.redis.settings import parse_redis_url
from atectl.system.clock import boottime
from tests.support.redis_servers import Cluster, Server
from tests.support.waiting import wait_until

KEY = "lock:actor:team:web"
HOLDER, FENCE = companion_keys(KEY)
ME = Holder("host-1", 4242, "deploy.sh --fast", "team")


def terms(ttl_s: float = 30.0, deadline_s: float | None = 300.0, holder: Holder = ME) -> LockTerms:
    return LockTerms("team/web", KEY, holder, LockTimes(ttl_s), deadline_s)


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def connection(server: Server | Cluster) -> Iterator[RedisConnection]:
    with connect(parse_redis_url(server.url)) as connection:
        yield connection


@pytest.fixture
def client(server: Server | Cluster) -> Iterator[Any]:
    with contextlib.closing(server.client()) as client:
        yield client


@pytest.fixture
def valkey_connection(valkey: Server) -> Iterator[RedisConnection]:
    with connect(parse_redis_url(valkey.url)) as connection:
        yield connection


class Clock:
    """A clock that stands still until a test moves it: renewals are due then, and not before."""

    def __init__(self) -> None:
        self.now = boottime()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ended(lock: HeldLock) -> None:
    with contextlib.suppress(LockLost):
        lock.release()


class TestAcquire:
    def test_the_lock_is_what_the_other_systems_expect(
        self, connection: RedisConnection, client: Any
    ) -> None:
        lock = acquire(connection, terms())
        assert client.get(KEY).decode() == lock.token
        assert is_token(lock.token)
        assert 29_000 < client.pttl(KEY) <= 30_000

    def test_the_holder_record_says_who_holds_it_since_when_and_expires_with_it(
        self, connection: RedisConnection, client: Any
    ) -> None:
        lock = acquire(connection, terms(deadline_s=60))
        record = parse_holder(client.hgetall(HOLDER))
        assert record is not None
        assert record.since == pytest.approx(time.time(), abs=5)
        assert record == HolderRecord(
            lock.token, 1, "host-1", 4242, "deploy.sh --fast", "team",
            record.since, pytest.approx(record.since + 60, abs=0.01),
        )  # fmt: skip
        assert abs(client.pttl(HOLDER) - client.pttl(KEY)) < 100

    def test_without_a_deadline_the_record_has_none(
        self, valkey_connection: RedisConnection, valkey: Server
    ) -> None:
        acquire(valkey_connection, terms(deadline_s=None))
        record = parse_holder(valkey.client().hgetall(HOLDER))
        assert record is not None
        assert record.deadline is None

    def test_the_fence_rises_with_every_holder_and_never_expires(
        self, connection: RedisConnection, client: Any
    ) -> None:
        fences = []
        for _ in range(3):
            lock = acquire(connection, terms())
            fences.append(lock.fence)
            lock.release()
        assert fences == [1, 2, 3]
        assert client.ttl(FENCE) == -1

    def test_a_busy_lock_is_refused_with_who_holds_it(
        self, connection: RedisConnection, client: Any
    ) -> None:
        first = acquire(connection, terms())
        with pytest.raises(LockBusy) as caught:
            acquire(connection, terms(holder=Holder("host-2", 1, "other")))
        for part in ("team/web", "host-1", "pid 4242", "`deploy.sh --fast`", "since 20", "TTL"):
            assert part in str(caught.value)
        assert client.get(KEY).decode() == first.token
        assert client.get(FENCE) == b"1"

    def test_a_lock_of_another_system_is_refused_with_its_token(
        self, connection: RedisConnection, client: Any
    ) -> None:
        client.set(KEY, "01234567-89ab-4cde-8f01-23456789abcd", px=20_000)
        with pytest.raises(LockBusy, match="the token 01234567… by a holder that left no record"):
            acquire(connection, terms())

    def test_the_record_of_an_earlier_holder_is_not_shown_for_the_present_one(
        self, connection: RedisConnection, client: Any
    ) -> None:
        acquire(connection, terms())
        client.set(KEY, "01234567-89ab-4cde-8f01-23456789abcd", px=20_000)
        with pytest.raises(LockBusy, match="left no record"):
            acquire(connection, terms())

    def test_a_lock_without_a_ttl_is_said_to_have_none(
        self, connection: RedisConnection, client: Any
    ) -> None:
        client.set(KEY, "anything")
        with pytest.raises(LockBusy, match="it has no TTL") as caught:
            acquire(connection, terms())
        assert "will not free itself" in caught.value.remedy

    @pytest.mark.parametrize("key", [KEY, FENCE])
    def test_where_a_key_is_of_another_type_no_lock_is_left_behind(
        self, valkey: Server, valkey_connection: RedisConnection, key: str
    ) -> None:
        valkey.client().rpush(key, "element")
        with pytest.raises(RedisFailure) as caught:
            acquire(valkey_connection, terms())
        assert isinstance(caught.value, RedisWrongType)
        assert valkey.client().keys() == [key.encode()]

    def test_a_command_line_is_cut_in_the_record(
        self, valkey: Server, valkey_connection: RedisConnection
    ) -> None:
        acquire(valkey_connection, terms(holder=Holder("h", 1, "x" * 5000)))
        assert valkey.client().hstrlen(HOLDER, "command") == 200

    def test_the_same_token_may_ask_again_after_an_answer_that_did_not_come(
        self, valkey: Server, valkey_connection: RedisConnection
    ) -> None:
        keys, arguments = [KEY, HOLDER, FENCE], ["the token", "30000", "", "host", "h"]
        script = valkey_connection.script(source_of("acquire"))
        assert script(keys, arguments) == [1, 1]
        valkey.client().pexpire(KEY, 1000)
        assert script(keys, arguments) == [1, 2]
        assert valkey.client().pttl(KEY) > 29_000


class TestWaiting:
    def test_a_lock_that_is_released_meanwhile_is_taken(
        self, valkey_connection: RedisConnection
    ) -> None:
        first = acquire(valkey_connection, terms())
        told: list[AtectlError] = []
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                first.release()

        lock = acquire_within(
            valkey_connection, terms(), Patience(60, sleep=sleep, on_wait=told.append)
        )
        assert lock.fence == 2
        assert len(waits) == 3
        assert len(told) == 1

    def test_a_lock_that_stays_busy_is_refused_in_time(
        self, valkey_connection: RedisConnection
    ) -> None:
        acquire(valkey_connection, terms())
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        with pytest.raises(LockBusy):
            acquire_within(
                valkey_connection,
                terms(),
                Patience(5.0, sleep=sleep, on_wait=lambda busy: None, clock=lambda: now[0]),
            )
        assert now[0] == pytest.approx(5.0)

    def test_those_who_wait_do_not_ask_at_the_same_instants(self) -> None:
        assert poll_s(20.0, 30.0, 0.0) == 0.5
        assert poll_s(20.0, 30.0, 1.0) == 1.0

    def test_a_lock_about_to_expire_is_asked_for_when_it_has(self) -> None:
        assert 0.1 <= poll_s(0.2, 30.0, 0.5) <= 0.2

    def test_a_lock_that_is_as_good_as_free_is_not_asked_for_without_pause(self) -> None:
        assert poll_s(0.0, 30.0, 0.0) > 0


class TestKeeping:
    def test_a_renewal_gives_the_lock_and_its_record_their_ttl_again(
        self, connection: RedisConnection, client: Any, clock: Clock
    ) -> None:
        told: list[float] = []
        lock = acquire(connection, terms(300.0), clock=clock)
        lock.keep(told.append)
        for key in (KEY, HOLDER):
            client.pexpire(key, 200_000)
        clock.now += 100
        wait_until(lambda: told)
        assert min(client.pttl(KEY), client.pttl(HOLDER)) > 200_000
        assert client.get(KEY).decode() == lock.token
        assert lock.look() is None
        lock.release()

    def test_each_renewal_tells_by_when_the_work_has_to_be_dead(
        self, valkey_connection: RedisConnection, clock: Clock
    ) -> None:
        told: list[float] = []
        renewed_at: list[float] = []
        lock = acquire(valkey_connection, terms(30.0), clock=clock)
        lock.keep(told.append)
        for renewals in (1, 2, 3):
            clock.now += 10
            renewed_at.append(clock.now)
            wait_until(lambda renewals=renewals: len(told) == renewals)
        lock.release()
        assert told == pytest.approx([instant + 28 for instant in renewed_at])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda client: client.delete(KEY), "the lock is gone"),
            (lambda client: client.set(KEY, "another", px=30_000), "somebody else's"),
        ],
        ids=["deleted", "taken"],
    )
    def test_a_lock_that_is_not_ours_any_more_is_lost_at_the_next_renewal(
        self,
        connection: RedisConnection,
        client: Any,
        change: Callable[[Any], Any],
        words: str,
        clock: Clock,
    ) -> None:
        lock = acquire(connection, terms(), clock=clock)
        lock.keep()
        change(client)
        assert lock.look() is None
        clock.now += 10
        wait_until(lock.look)
        assert words in str(lock.look())

    def test_a_renewal_never_touches_a_successors_lock(
        self, valkey: Server, valkey_connection: RedisConnection, clock: Clock
    ) -> None:
        lock = acquire(valkey_connection, terms(), clock=clock)
        valkey.client().set(KEY, "another", px=300_000)
        lock.keep()
        clock.now += 10
        wait_until(lock.look)
        assert valkey.client().pttl(KEY) > 200_000

    @pytest.mark.parametrize("ttl_s", [0, -5])
    def test_a_renewal_with_no_ttl_cannot_be_asked_for(
        self, valkey: Server, valkey_connection: RedisConnection, ttl_s: float
    ) -> None:
        lock = acquire(valkey_connection, terms())
        with pytest.raises(BadLockTtl):
            lock.terms._replace(times=LockTimes(ttl_s))
        assert valkey.client().get(KEY) == lock.token.encode()

    def test_after_an_answer_that_did_not_come_the_connection_is_made_anew(
        self,
        valkey: Server,
        valkey_connection: RedisConnection,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked_for: list[float] = []
        fresh = valkey_connection.fresh

        def make(*, timeout_s: float, retries: int) -> RedisConnection:
            asked_for.append(timeout_s)
            return fresh(timeout_s=timeout_s, retries=retries)

        monkeypatch.setattr(valkey_connection, "fresh", make)
        told: list[float] = []
        lock = acquire(valkey_connection, terms(6.0), clock=clock)
        lock.keep(told.append)
        clock.now += 2
        wait_until(lambda: told)
        assert asked_for == [0.6]
        valkey.stop()
        clock.now += 2
        wait_until(lambda: lock._heartbeat._last_failure)
        clock.now += 1
        wait_until(lambda: len(asked_for) > 1)
        valkey.cont()
        clock.now += 0.7
        wait_until(lambda: len(told) > 1)
        assert lock.look() is None
        lock.release()

    def test_a_connection_that_broke_costs_nothing(
        self, valkey: Server, valkey_connection: RedisConnection, clock: Clock
    ) -> None:
        told: list[float] = []
        lock = acquire(valkey_connection, terms(30.0), clock=clock)
        lock.keep(told.append)
        heartbeat = lock._heartbeat
        for renewals in (1, 2, 3):
            clock.now += 10
            wait_until(lambda n=renewals: len(told) == n or heartbeat._last_failure)
            clock.now += 3
            wait_until(lambda n=renewals: len(told) == n)
            valkey.client().client_kill_filter(_type="normal", skipme=True)
        assert lock.look() is None
        lock.release()


class TestReleasing:
    def test_the_lock_and_its_record_are_gone_and_the_fence_stays(
        self, connection: RedisConnection, client: Any
    ) -> None:
        lock = acquire(connection, terms())
        lock.keep()
        lock.release()
        assert client.exists(KEY) == client.exists(HOLDER) == 0
        assert client.get(FENCE) == b"1"

    def test_a_successors_lock_is_left_alone_and_the_loss_is_said(
        self, connection: RedisConnection, client: Any
    ) -> None:
        lock = acquire(connection, terms())
        lock.keep()
        client.delete(KEY)
        successor = acquire(connection, terms(holder=Holder("host-2", 1, "other")))
        with pytest.raises(LockLost, match="no longer had the lock"):
            lock.release()
        assert client.get(KEY).decode() == successor.token
        assert client.hget(HOLDER, "token").decode() == successor.token

    def test_a_lock_that_may_have_run_out_is_left_to_run_out(
        self, valkey: Server, valkey_connection: RedisConnection, clock: Clock
    ) -> None:
        lock = acquire(valkey_connection, terms(30.0), clock=clock)
        clock.now += 20
        with pytest.raises(LockLost, match="no renewal"):
            lock.release()
        assert valkey.client().exists(KEY)

    def test_the_heartbeat_has_ended_before_the_lock_is_asked_to_be_released(
        self, valkey_connection: RedisConnection, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lock = acquire(valkey_connection, terms(30.0), clock=clock)
        said: list[str] = []
        answers = threading.Event()

        def renew() -> None:
            said.append("renewal begins")
            answers.wait()
            said.append("renewal ends")

        monkeypatch.setattr(lock._heartbeat, "_renew", renew)
        monkeypatch.setattr(lock, "_release", lambda: said.append("release"))
        lock.keep()
        clock.now += 10
        wait_until(lambda: bool(said))
        releasing = threading.Thread(target=lock.release)
        releasing.start()
        wait_until(lock._heartbeat._stopping.is_set)
        answers.set()
        releasing.join()
        assert said == ["renewal begins", "renewal ends", "release"]

    def test_nothing_is_renewed_after_the_release(self, valkey_connection: RedisConnection) -> None:
        lock = acquire(valkey_connection, terms())
        lock.keep()
        lock.release()
        assert not lock._heartbeat._thread.is_alive()

    def test_a_server_that_went_away_is_said_to_have(
        self, valkey: Server, valkey_connection: RedisConnection
    ) -> None:
        lock = acquire(valkey_connection, terms())
        valkey.kill()
        with pytest.raises(RedisFailure) as caught:
            lock.release()
        assert "frees itself in 30.0s" in caught.value.remedy

    def test_the_files_of_scripts_may_be_replaced_while_a_lock_is_held(
        self, valkey_connection: RedisConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source_of.cache_clear()
        lock = acquire(valkey_connection, terms())
        source_of.cache_clear()
        monkeypatch.setattr(scripts, "FOLDER", Path("/no/such/folder"))
        lock.release()

    def test_a_release_whose_answer_got_lost_is_repeated(
        self, valkey: Server, valkey_connection: RedisConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lock = acquire(valkey_connection, terms())
        real = valkey_connection.script(source_of("release"))
        calls: list[int] = []

        def release(keys: list[str], arguments: list[str]) -> Any:
            calls.append(real(keys, arguments))
            if len(calls) == 1:
                raise RedisFailure("the connection broke")
            return calls[-1]

        monkeypatch.setattr(valkey_connection, "script", lambda source: release)
        lock.release()
        assert calls == [1, 0]


def test_what_stands_in_a_holder_record_is_never_trusted() -> None:
    record = parse_holder({b"pid": b"x", b"fence": b"9" * 40, b"since": b"nan", b"host": b"\xff"})
    assert record == HolderRecord(host="�")
    assert parse_holder({}) is None
