"""Listing locks on real servers with records of every generation, and looking at them again."""

import time
from typing import Any

import pytest

from atectl.locks.details import lock_details
from atectl.locks.listing import (
    Probe,
    Selection,
    list_locks,
    list_watched,
    look_again,
    second_look,
)
from atectl.locks.lock import Lock, warnings_of
from atectl.locks.verdicts import Verdict, Watch
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisTimeout
from atectl.redis.reading import BATCH, Reading
from atectl.redis.routing import Server as Primary
from atectl.redis.settings import redis_settings
from tests.support.lock_examples import actor_json, token
from tests.support.redis_servers import Server


def by_name(locks: Any) -> dict[str, Lock]:
    listed = list(locks)
    found = {lock.name: lock for lock in listed}
    assert len(found) == len(listed)
    return found


def test_every_lock_is_listed_with_its_verdict(place: RedisConnection) -> None:
    found = by_name(list_locks(Reading(place)))
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
    web = by_name(list_locks(Reading(place)))["web"]
    assert [str(actor.name) for actor in web.actors] == ["demo/web", "prod/web"]
    assert web.atespace is None


def test_a_holder_record_tells_who_holds_the_lock_and_for_how_long(place: RedisConnection) -> None:
    trainer = by_name(list_locks(Reading(place)))["prod/trainer"]
    assert trainer.holder is not None
    assert (trainer.holder.host, trainer.holder.pid, trainer.holder.fence) == ("node-9", 4711, 12)
    expected = time.time() - 1_790_000_000
    assert trainer.age_s == pytest.approx(max(expected, 0), abs=5)


def test_a_holder_record_of_an_earlier_token_tells_nothing(
    empty: RedisConnection,
) -> None:
    empty.client.set("lock:actor:demo:web", token(2), px=30_000)
    empty.client.hset("{lock:actor:demo:web}:holder", mapping={"token": token(1), "host": "old"})
    [web] = list_locks(Reading(empty))
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
    found = set(by_name(list_locks(Reading(place), selection)))
    assert found - {"prod/trainer", "prod/importer"} == names - {"prod/trainer", "prod/importer"}
    assert names <= found


def test_a_prefix_is_taken_literally(empty: RedisConnection) -> None:
    empty.client.set("l[o]ck*:demo:web", token(1), px=30_000)
    empty.client.set("lock:demo:other", token(2), px=30_000)
    found = list_locks(Reading(empty), Selection(prefix="l[o]ck*:"))
    assert [lock.name for lock in found] == ["demo/web"]


def test_a_transitional_actor_whose_lock_has_the_older_key_is_not_stranded(
    empty: RedisConnection,
) -> None:
    empty.client.set("actor:demo:web", actor_json("PAUSING"))
    empty.client.set("lock:actor:web", token(1), px=30_000)
    [web] = list_locks(Reading(empty), Selection(atespace="demo"))
    assert (web.key, web.verdict) == ("lock:actor:web", Verdict.HELD)


def test_more_locks_than_a_batch_are_all_listed_once(
    empty: RedisConnection, valkey: Server
) -> None:
    pipeline = valkey.client().pipeline(transaction=False)
    for number in range(3 * BATCH + 1):
        pipeline.set(f"lock:actor:demo:a{number}", token(number), px=60_000)
        pipeline.set(f"actor:demo:a{number}", actor_json("RESUMING"))
    pipeline.execute()
    counts: list[int] = []
    locks = by_name(list_locks(Reading(empty), on_progress=counts.append))
    assert len(locks) == 3 * BATCH + 1
    assert all(lock.actors for lock in locks.values())
    assert counts == sorted(counts)
    assert counts[-1] == 3 * BATCH + 1


def test_a_key_that_a_scan_gives_again_is_listed_once(
    place: RedisConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = place.client.ask

    def twice(server: Primary, *words: Any) -> Any:
        """Give every key again, as a server may while it rearranges them."""
        answer = ask(server, *words)
        return (answer[0], answer[1] * 2) if words[0] == "SCAN" else answer

    monkeypatch.setattr(place.client, "ask", twice)
    assert len(by_name(list_locks(Reading(place)))) == 12
    assert len(lock_details(place, "web").actors) == 2


def test_an_actor_whose_operation_has_just_begun_is_not_stranded(
    empty: RedisConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.client.set("actor:demo:web", actor_json("RESUMING"))
    ask = empty.client.ask

    def late(server: Primary, *words: Any) -> Any:
        """Begin an operation between the scan of locks and that of actors."""
        if words[0] == "SCAN" and "actor:*" in words:
            empty.client.set("lock:actor:demo:web", token(1), px=30_000)
        return ask(server, *words)

    monkeypatch.setattr(empty.client, "ask", late)
    assert list(list_locks(Reading(empty))) == []


def test_a_second_look_tells_the_living_from_the_dead(empty: RedisConnection) -> None:
    for name in ("alive", "dead", "taken", "freed"):
        empty.client.set(f"lock:actor:demo:{name}", token(1), px=30_000)
    locks = list(list_locks(Reading(empty), clock=lambda: 1000.0))
    # Eleven seconds later:
    empty.client.pexpire("lock:actor:demo:alive", 29_000)
    empty.client.pexpire("lock:actor:demo:dead", 19_000)
    empty.client.set("lock:actor:demo:taken", token(2), px=29_000)
    empty.client.delete("lock:actor:demo:freed")
    found = by_name(look_again(Reading(empty), locks, clock=lambda: 1011.0))
    assert {name: lock.verdict.value for name, lock in found.items()} == {
        "demo/alive": "renewing",
        "demo/dead": "expiring",
        "demo/taken": "held",
    }


def test_a_second_look_finds_the_lock_older(place: RedisConnection) -> None:
    first = by_name(list_locks(Reading(place), clock=lambda: 1000.0))["prod/trainer"]
    [second] = look_again(Reading(place), [first], clock=lambda: 1011.0)
    assert first.age_s is not None
    assert second.age_s == pytest.approx(first.age_s + 11)


def test_a_second_look_at_another_holder_tells_nothing_of_the_first(
    place: RedisConnection,
) -> None:
    first = by_name(list_locks(Reading(place)))["prod/trainer"]
    place.client.set("lock:actor:prod:trainer", token(99), px=30_000)
    [second] = look_again(Reading(place), [first])
    assert (second.holder, second.age_s, second.verdict) == (None, None, Verdict.HELD)


def test_the_time_of_a_probe_passes_between_two_looks(empty: RedisConnection) -> None:
    passed: list[float] = []

    def renew(seconds: float) -> None:
        passed.append(seconds)
        empty.client.pexpire("lock:actor:demo:web", 60_000)

    empty.client.set("lock:actor:demo:web", token(1), px=30_000)
    [web] = second_look(Reading(empty), list(list_locks(Reading(empty))), Probe(11.0, renew))
    assert (passed, web.verdict) == ([11.0], Verdict.RENEWING)


def test_without_a_lock_there_is_nothing_to_let_time_pass_for(empty: RedisConnection) -> None:
    passed: list[float] = []
    empty.client.set("actor:demo:crawler", actor_json("PAUSING"))
    [crawler] = second_look(
        Reading(empty), list(list_locks(Reading(empty))), Probe(11.0, passed.append)
    )
    assert (passed, crawler.verdict) == ([], Verdict.STRANDED)


def test_locks_that_are_watched_are_judged_by_all_looks_at_them(empty: RedisConnection) -> None:
    def verdicts(at: float) -> dict[str, str]:
        locks = list_watched(Reading(empty), Selection(), watch, clock=lambda: at)
        return {name: lock.verdict.value for name, lock in by_name(locks).items()}

    watch = Watch()
    for name in ("alive", "dead", "free"):
        empty.client.set(f"lock:actor:demo:{name}", token(1), px=30_000)
    assert set(verdicts(1000.0).values()) == {"held"}
    empty.client.delete("lock:actor:demo:free")
    empty.client.pexpire("lock:actor:demo:dead", 23_000)
    assert verdicts(1007.0) == {"demo/alive": "renewing", "demo/dead": "held"}
    empty.client.pexpire("lock:actor:demo:alive", 26_000)
    empty.client.pexpire("lock:actor:demo:dead", 19_000)
    assert verdicts(1011.0) == {"demo/alive": "renewing", "demo/dead": "expiring"}


def test_a_server_that_stands_still_is_a_typed_error(valkey: Server) -> None:
    with connect(redis_settings(valkey.url, timeout="300ms")) as connection:
        valkey.stop()
        with pytest.raises(RedisTimeout):
            list(list_locks(Reading(connection)))
