"""Listing locks and looking closely at one, on real servers with records of every generation."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from atectl.errors import LedgerUnavailable
from atectl.ledger_store.opening import open_for_writing
from atectl.locks.charged import ChargedLock, charged
from atectl.locks.details import lock_details
from atectl.locks.errors import AmbiguousActor, BadActor, UnknownLock
from atectl.locks.listing import (
    Lock,
    Selection,
    list_locks,
    list_watched,
    look_again,
    warnings_of,
)
from atectl.locks.verdicts import Verdict, Watch
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisTimeout
from atectl.redis.reading import BATCH
from atectl.redis.settings import redis_settings
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.lock_examples import actor_json, load_examples, token
from tests.support.redis_servers import Server


def connected(server: Any) -> RedisConnection:
    return connect(redis_settings(server.url))


@pytest.fixture(params=["valkey", "redis7", "cluster"])
def server(request: pytest.FixtureRequest) -> Any:
    """Each kind of server, with the examples in it."""
    server = request.getfixturevalue(request.param)
    with closing(server.client()) as client:
        load_examples(client)
    return server


@pytest.fixture
def place(server: Any) -> Iterator[RedisConnection]:
    with connected(server) as connection:
        yield connection


@pytest.fixture
def empty(valkey: Server) -> Iterator[RedisConnection]:
    with connected(valkey) as connection:
        yield connection


def by_name(locks: Any) -> dict[str, Lock]:
    listed = list(locks)
    found = {lock.name: lock for lock in listed}
    assert len(found) == len(listed)
    return found


def test_every_lock_is_listed_with_its_verdict(place: RedisConnection) -> None:
    found = by_name(list_locks(place))
    assert {name: lock.verdict.value for name, lock in found.items()} == {
        "web": "held",
        "demo/reports": "held",
        "demo/mailer": "finishing",
        "demo/crawler": "stranded",
        "prod/trainer": "held",
        "prod/importer": "stranded",
        "demo/batch": "stuck",
        "demo/scratch": "foreign",
        "demo/ledger": "held",
        "demo/counter": "foreign",
        "Not_A_Name": "held",
        "demo/loud": "held",
    }


def test_an_older_key_has_every_actor_of_the_name(place: RedisConnection) -> None:
    web = by_name(list_locks(place))["web"]
    assert [str(actor.name) for actor in web.actors] == ["demo/web", "prod/web"]
    assert web.atespace is None


def test_a_holder_record_tells_who_holds_the_lock_and_for_how_long(place: RedisConnection) -> None:
    trainer = by_name(list_locks(place))["prod/trainer"]
    assert trainer.holder is not None
    assert (trainer.holder.host, trainer.holder.pid, trainer.holder.fence) == ("node-9", 4711, 12)
    expected = time.time() - 1_790_000_000
    assert trainer.age_s == pytest.approx(max(expected, 0), abs=5)


def test_a_holder_record_of_an_earlier_token_tells_nothing(
    empty: RedisConnection,
) -> None:
    empty.client.set("lock:actor:demo:web", token(2), px=30_000)
    empty.client.hset("{lock:actor:demo:web}:holder", mapping={"token": token(1), "host": "old"})
    [web] = list_locks(empty)
    assert web.holder is None
    assert web.age_s is None
    assert "stale-holder-record" in warnings_of(web)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(pattern="prod/*"), {"prod/trainer", "prod/importer", "web"}),
        (Selection(pattern="*er"), {"demo/mailer", "demo/crawler", "demo/ledger", "demo/counter"}),
        (Selection(atespace="prod"), {"prod/trainer", "prod/importer", "web"}),
        (Selection(pattern="web"), {"web"}),
        (Selection(pattern="demo/web"), {"web"}),
        (Selection(pattern="nothing"), set()),
    ],
)
def test_locks_are_selected_by_pattern_and_atespace(
    place: RedisConnection, selection: Selection, names: set[str]
) -> None:
    found = set(by_name(list_locks(place, selection)))
    assert found - {"prod/trainer", "prod/importer"} == names - {"prod/trainer", "prod/importer"}
    assert names <= found


def test_a_prefix_is_taken_literally(empty: RedisConnection) -> None:
    empty.client.set("l[o]ck*:demo:web", token(1), px=30_000)
    empty.client.set("lock:demo:other", token(2), px=30_000)
    assert [lock.name for lock in list_locks(empty, Selection(prefix="l[o]ck*:"))] == ["demo/web"]


def test_a_transitional_actor_whose_lock_has_the_older_key_is_not_stranded(
    empty: RedisConnection,
) -> None:
    empty.client.set("actor:demo:web", actor_json("PAUSING"))
    empty.client.set("lock:actor:web", token(1), px=30_000)
    [web] = list_locks(empty, Selection(atespace="demo"))
    assert (web.key, web.verdict) == ("lock:actor:web", Verdict.HELD)


def test_more_locks_than_a_batch_are_all_listed_once(empty: RedisConnection) -> None:
    pipeline = empty.client.pipeline(transaction=False)
    for number in range(3 * BATCH + 1):
        pipeline.set(f"lock:actor:demo:a{number}", token(number), px=60_000)
        pipeline.set(f"actor:demo:a{number}", actor_json("RESUMING"))
    pipeline.execute()
    counts: list[int] = []
    locks = by_name(list_locks(empty, on_progress=counts.append))
    assert len(locks) == 3 * BATCH + 1
    assert all(lock.actors for lock in locks.values())
    assert counts == sorted(counts)
    assert counts[-1] == 3 * BATCH + 1


class TwicePrimary:
    """A primary whose SCAN gives every key again, as a server may while it rearranges them."""

    def __init__(self, primary: Any) -> None:
        self._primary = primary

    def scan(self, *words: Any, **options: Any) -> Any:
        cursor, keys = self._primary.scan(*words, **options)
        return cursor, [*keys, *keys]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._primary, name)


def test_a_key_that_a_scan_gives_again_is_listed_once(
    place: RedisConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    primaries = [TwicePrimary(each) for each in place.primaries() * 2]
    monkeypatch.setattr(place, "primaries", lambda: primaries)
    assert len(by_name(list_locks(place))) == 12
    assert len(lock_details(place, "web").actors) == 2


class LatePrimary(TwicePrimary):
    """A primary on which an operation begins between the scan of locks and that of actors."""

    def scan(self, cursor: int, *, match: str, **options: Any) -> Any:
        if match.startswith("actor:"):
            self._primary.set("lock:actor:demo:web", token(1), px=30_000)
        return self._primary.scan(cursor, match=match, **options)


def test_an_actor_whose_operation_has_just_begun_is_not_stranded(
    empty: RedisConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.client.set("actor:demo:web", actor_json("RESUMING"))
    [primary] = empty.primaries()
    monkeypatch.setattr(empty, "primaries", lambda: [LatePrimary(primary)])
    assert list(list_locks(empty)) == []


def test_a_second_look_tells_the_living_from_the_dead(empty: RedisConnection) -> None:
    for name in ("alive", "dead", "taken", "freed"):
        empty.client.set(f"lock:actor:demo:{name}", token(1), px=30_000)
    locks = list(list_locks(empty, clock=lambda: 1000.0))
    # Eleven seconds later:
    empty.client.pexpire("lock:actor:demo:alive", 29_000)
    empty.client.pexpire("lock:actor:demo:dead", 19_000)
    empty.client.set("lock:actor:demo:taken", token(2), px=29_000)
    empty.client.delete("lock:actor:demo:freed")
    found = by_name(look_again(empty, locks, clock=lambda: 1011.0))
    assert {name: lock.verdict.value for name, lock in found.items()} == {
        "demo/alive": "renewing",
        "demo/dead": "expiring",
        "demo/taken": "held",
    }


def test_a_second_look_finds_the_lock_older(place: RedisConnection) -> None:
    first = by_name(list_locks(place, clock=lambda: 1000.0))["prod/trainer"]
    [second] = look_again(place, [first], clock=lambda: 1011.0)
    assert first.age_s is not None
    assert second.age_s == pytest.approx(first.age_s + 11)


def test_a_second_look_at_another_holder_tells_nothing_of_the_first(
    place: RedisConnection,
) -> None:
    first = by_name(list_locks(place))["prod/trainer"]
    place.client.set("lock:actor:prod:trainer", token(99), px=30_000)
    [second] = look_again(place, [first])
    assert (second.holder, second.age_s, second.verdict) == (None, None, Verdict.HELD)


def test_locks_that_are_watched_are_judged_by_all_looks_at_them(empty: RedisConnection) -> None:
    def verdicts() -> dict[str, str]:
        locks = list_watched(empty, Selection(), watch)
        return {name: lock.verdict.value for name, lock in by_name(locks).items()}

    watch = Watch(0.9)
    for name in ("alive", "dead"):
        empty.client.set(f"lock:actor:demo:{name}", token(1), px=900)
    empty.client.set("lock:actor:demo:free", token(1), px=900)
    assert set(verdicts().values()) == {"held"}
    empty.client.delete("lock:actor:demo:free")
    while empty.client.pttl("lock:actor:demo:dead") > 500:
        time.sleep(0.05)
        empty.client.pexpire("lock:actor:demo:alive", 900)
    assert verdicts() == {"demo/alive": "renewing", "demo/dead": "expiring"}


def test_a_server_that_stands_still_is_a_typed_error(valkey: Server) -> None:
    with connect(redis_settings(valkey.url, timeout="300ms")) as connection:
        valkey.stop()
        with pytest.raises(RedisTimeout):
            list(list_locks(connection))


class TestDetails:
    def test_a_newer_key_goes_with_the_older_one_and_the_worker(
        self, place: RedisConnection
    ) -> None:
        details = lock_details(place, "demo/reports")
        assert details.keys == ("lock:actor:demo:reports", "lock:actor:reports")
        assert details.only_lock().key == "lock:actor:demo:reports"
        [worker] = details.workers
        assert (worker.key, worker.record.node) == ("worker:1c9a5d2f-pod", "node-4")

    def test_a_bare_name_has_every_key_that_it_can_mean(self, place: RedisConnection) -> None:
        details = lock_details(place, "web")
        keys = ("lock:actor:web", "lock:actor:demo:web", "lock:actor:prod:web")
        assert details.keys == keys
        assert details.only_lock().key == "lock:actor:web"
        assert [str(actor.name) for actor in details.actors] == ["demo/web", "prod/web"]

    def test_the_last_fencing_number(self, place: RedisConnection) -> None:
        details = lock_details(place, "prod/trainer")
        assert details.fences == {"lock:actor:prod:trainer": 12}

    def test_a_stranded_actor_is_shown_without_a_lock(self, place: RedisConnection) -> None:
        [lock] = lock_details(place, "demo/crawler").locks
        assert (lock.key, lock.verdict) == (None, Verdict.STRANDED)

    def test_an_actor_in_no_operation_has_no_lock(self, place: RedisConnection) -> None:
        details = lock_details(place, "prod/idle")
        assert details.locks == ()
        with pytest.raises(UnknownLock):
            details.only_lock()

    def test_a_key_of_any_form_can_be_named_in_full(self, place: RedisConnection) -> None:
        details = lock_details(place, "lock:actor:Not_A_Name")
        assert details.only_lock().key == "lock:actor:Not_A_Name"

    def test_a_name_that_stands_for_two_locks_is_ambiguous(self, place: RedisConnection) -> None:
        place.client.set("lock:actor:prod:mailer", token(9), px=30_000)
        details = lock_details(place, "mailer")
        with pytest.raises(AmbiguousActor, match="lock:actor:demo:mailer, lock:actor:prod:mailer"):
            details.only_lock()

    @pytest.mark.parametrize("wanted", ["demo/reprots", "reprots"])
    def test_an_unknown_actor_has_its_nearest_named(
        self, place: RedisConnection, wanted: str
    ) -> None:
        with pytest.raises(UnknownLock, match=r"did you mean demo/reports\?"):
            lock_details(place, wanted)

    def test_what_is_no_actor_is_refused(self, empty: RedisConnection) -> None:
        with pytest.raises(BadActor):
            lock_details(empty, "No Actor")


class TestMemoryOfThePrincipal:
    @pytest.fixture
    def lock(self, empty: RedisConnection) -> Lock:
        empty.client.set("lock:actor:demo:web", token(1), px=30_000)
        record = {"token": token(1), "principal": "alpha"}
        empty.client.hset("{lock:actor:demo:web}:holder", mapping=record)
        [lock] = list_locks(empty)
        return lock

    def test_it_is_that_of_the_stored_ledger(self, lock: Lock) -> None:
        with closing(open_for_writing()) as store:
            store.flush([lease("alpha", **just_now(), current_bytes=5 * MIB, peak_bytes=6 * MIB)])
        assert list(charged([lock])) == [ChargedLock(lock, "alpha", 5 * MIB, 6 * MIB)]

    def test_it_is_unknown_without_a_ledger(
        self, lock: Lock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unknown = [ChargedLock(lock, "alpha")]
        assert list(charged([lock])) == unknown
        assert list(charged([lock], "none")) == unknown
        monkeypatch.setenv("ATECTL_LEDGER", "/etc/passwd")
        assert list(charged([lock])) == unknown

    def test_a_ledger_that_was_named_has_to_be_there(self, lock: Lock) -> None:
        with pytest.raises(LedgerUnavailable):
            list(charged([lock], "/nonexistent/ledger.db"))
