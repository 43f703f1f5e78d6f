"""Everything about the lock of one actor, on real servers."""

import pytest

from atectl.locks.details import lock_details
from atectl.locks.errors import AmbiguousActor, BadActor, UnknownLock
from atectl.locks.listing import Probe
from atectl.locks.verdicts import Verdict
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.settings import redis_settings
from tests.support.lock_examples import actor_json, token
from tests.support.redis_servers import Cluster, SentinelGroup


def test_a_newer_key_goes_with_the_older_one_and_the_worker(place: RedisConnection) -> None:
    details = lock_details(place, "demo/reports")
    assert details.keys == ("lock:actor:demo:reports", "lock:actor:reports")
    assert details.only_lock().key == "lock:actor:demo:reports"
    [worker] = details.workers
    assert (worker.key, worker.record.node) == ("worker:1c9a5d2f-pod", "node-4")


def test_a_bare_name_has_every_key_that_it_can_mean(place: RedisConnection) -> None:
    details = lock_details(place, "web")
    keys = ("lock:actor:web", "lock:actor:demo:web", "lock:actor:prod:web")
    assert details.keys == keys
    assert details.only_lock().key == "lock:actor:web"
    assert [str(actor.name) for actor in details.actors] == ["demo/web", "prod/web"]


def test_the_last_fencing_number(place: RedisConnection) -> None:
    details = lock_details(place, "prod/trainer")
    assert details.fences == {"lock:actor:prod:trainer": 12}


def test_a_stranded_actor_is_shown_without_a_lock(place: RedisConnection) -> None:
    [lock] = lock_details(place, "demo/crawler").locks
    assert (lock.key, lock.verdict) == (None, Verdict.STRANDED)


def test_an_actor_in_no_operation_has_no_lock(place: RedisConnection) -> None:
    details = lock_details(place, "prod/idle")
    assert details.locks == ()
    with pytest.raises(UnknownLock):
        details.only_lock()


def test_a_key_of_any_form_can_be_named_in_full(place: RedisConnection) -> None:
    details = lock_details(place, "lock:actor:Not_A_Name")
    assert details.only_lock().key == "lock:actor:Not_A_Name"


def test_a_name_that_stands_for_two_locks_is_ambiguous(place: RedisConnection) -> None:
    place.client.set("lock:actor:prod:mailer", token(9), px=30_000)
    details = lock_details(place, "mailer")
    with pytest.raises(AmbiguousActor, match="lock:actor:demo:mailer, lock:actor:prod:mailer"):
        details.only_lock()


@pytest.mark.parametrize("wanted", ["demo/reprots", "demo/report"])
def test_an_unknown_actor_has_its_nearest_named(place: RedisConnection, wanted: str) -> None:
    with pytest.raises(UnknownLock, match=r"did you mean demo/reports\?"):
        lock_details(place, wanted)


def test_what_is_no_actor_is_refused(empty: RedisConnection) -> None:
    with pytest.raises(BadActor):
        lock_details(empty, "No Actor")


def test_a_second_look_tells_whether_the_holder_is_alive(place: RedisConnection) -> None:
    def renew(_seconds: float) -> None:
        place.client.pexpire("lock:actor:demo:reports", 90_000)

    assert lock_details(place, "demo/reports").only_lock().verdict is Verdict.HELD
    details = lock_details(place, "demo/reports", probe=Probe(11.0, renew))
    assert details.only_lock().verdict is Verdict.RENEWING


def test_a_single_server_needs_no_warning(empty: RedisConnection) -> None:
    empty.client.set("lock:actor:demo:web", token(1))
    assert lock_details(empty, "demo/web").warnings == ()


def test_what_a_failover_can_lose_is_warned_of(cluster: Cluster) -> None:
    with connect(redis_settings(cluster.url)) as connection:
        connection.client.set("lock:actor:demo:web", token(1))
        assert lock_details(connection, "demo/web").warnings == ("failover",)


def test_what_a_replica_says_may_be_old(calm_sentinel: SentinelGroup) -> None:
    with connect(redis_settings(calm_sentinel.url)) as connection:
        connection.client.set("lock:actor:demo:web", token(1))
        connection.client.execute_command("WAIT", 1, 10_000)
    with connect(redis_settings(calm_sentinel.replica.url)) as connection:
        assert lock_details(connection, "demo/web").warnings == ("replica",)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("demo/wbe", True),
        ("demo/we", True),
        ("demo/webb", True),
        ("demo/wob", True),
        ("demo/w", False),
        ("demo/scratch", False),
        ("prod/web", False),
    ],
)
def test_a_name_is_suggested_if_it_holds_a_lock_and_is_one_edit_away(
    empty: RedisConnection, typed: str, meant: bool
) -> None:
    empty.client.set("lock:actor:demo:web", token(1))
    empty.client.set("actor:demo:webz", actor_json("RUNNING"))
    with pytest.raises(UnknownLock) as caught:
        lock_details(empty, typed)
    assert ("did you mean demo/web?" in str(caught.value)) == meant
    assert "webz" not in str(caught.value)


def test_no_name_is_suggested_where_two_are_as_near(empty: RedisConnection) -> None:
    for name in ("web", "wet"):
        empty.client.set(f"lock:actor:demo:{name}", token(1))
    with pytest.raises(UnknownLock) as caught:
        lock_details(empty, "demo/wex")
    assert "did you mean" not in str(caught.value)
