"""Everything that a listing finds out: twice looked at, chosen, charged, sorted."""

from typing import Any

import pytest

from atectl.locks.listing import Probe, Selection
from atectl.locks.sorting import ORDER_OF, SortBy
from atectl.locks.survey import Listing, Rows, survey
from atectl.locks.verdicts import Verdict
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisUnreachable
from atectl.redis.settings import redis_settings
from tests.support.lock_examples import actor_json, token
from tests.support.redis_servers import Server


@pytest.fixture
def held(empty: RedisConnection) -> RedisConnection:
    """Three locks: one that lives, one without a TTL, and an actor that is stranded."""
    empty.client.set("lock:actor:demo:web", token(1), px=60_000)
    empty.client.set("lock:actor:demo:batch", token(2))
    empty.client.set("actor:demo:crawler", actor_json("PAUSING"))
    return empty


def listing(**changes: Any) -> Listing:
    return Listing(Selection(), 30.0)._replace(**changes)


def names(rows: Rows) -> list[str]:
    return [row.lock.actor for row in rows]


def test_rows_come_with_their_verdicts(held: RedisConnection) -> None:
    rows = survey(held, listing())
    assert sorted(names(rows)) == ["batch", "crawler", "web"]
    assert rows.verdicts == {Verdict.HELD, Verdict.STUCK, Verdict.STRANDED}
    assert rows.looked_at == 3


def test_rows_are_sorted_and_limited(held: RedisConnection) -> None:
    assert names(survey(held, listing(order=ORDER_OF[SortBy.actor]))) == ["batch", "crawler", "web"]
    first = listing(order=ORDER_OF[SortBy.verdict], limit=1)
    assert names(survey(held, first)) == ["batch"]


def test_what_is_beyond_the_limit_has_a_verdict_too(held: RedisConnection) -> None:
    rows = survey(held, listing(limit=1))
    assert len(names(rows)) == 1
    assert rows.verdicts == {Verdict.HELD, Verdict.STUCK, Verdict.STRANDED}


def test_stale_ones_can_be_had_alone(held: RedisConnection) -> None:
    rows = survey(held, listing(is_stale_only=True))
    assert sorted(names(rows)) == ["batch", "crawler"]
    assert rows.verdicts == {Verdict.STUCK, Verdict.STRANDED}
    assert rows.looked_at == 3


def test_a_probe_shows_the_first_look_and_judges_by_both(held: RedisConnection) -> None:
    told: list[str] = []

    def show(rows: Rows) -> None:
        told.extend(names(rows))
        told.append(str(Verdict.HELD in rows.verdicts))

    def renew(seconds: float) -> None:
        told.append(f"{seconds:g} s")
        held.client.pexpire("lock:actor:demo:web", 90_000)

    asked = listing(probe=Probe(11.0, renew), order=ORDER_OF[SortBy.actor])
    rows = survey(held, asked, on_first=show)
    found = {row.lock.actor: row.lock.verdict.value for row in rows}
    assert told == ["batch", "crawler", "web", "True", "11 s"]
    assert found == {"batch": "stuck", "crawler": "stranded", "web": "renewing"}


def test_a_lock_that_is_freed_during_the_probe_is_not_listed(held: RedisConnection) -> None:
    probe = Probe(11.0, lambda _seconds: held.client.delete("lock:actor:demo:web"))
    assert sorted(names(survey(held, listing(probe=probe)))) == ["batch", "crawler"]


def test_progress_is_told(held: RedisConnection) -> None:
    counts: list[int] = []
    list(survey(held, listing(), on_progress=counts.append))
    assert counts[-1] == 2


def test_a_ledger_that_is_named_and_cannot_be_read_is_a_gap(held: RedisConnection) -> None:
    record = {"token": token(1), "principal": "alpha"}
    held.client.hset("{lock:actor:demo:web}:holder", mapping=record)
    rows = survey(held, listing(ledger="/nonexistent/ledger.db"))
    assert len(list(rows)) == 3
    [gap] = rows.incomplete
    assert (gap.code, gap.node, gap.keys) == ("E401", None, "")


def test_without_a_second_look_the_server_is_asked_as_rows_are_taken(valkey: Server) -> None:
    with connect(redis_settings(valkey.url)._replace(retries=0)) as connection:
        rows = survey(connection, listing())
        valkey.kill()
        with pytest.raises(RedisUnreachable):
            list(rows)
