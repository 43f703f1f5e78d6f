"""What a host tells a server that cannot be reached waits in a file, and is told afterwards."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from atectl.errors import LedgerTooNew, LedgerUnavailable
from atectl.ledger_store.errors import LedgerLeasesDropped, LedgerLeasesWait
from atectl.ledger_store.redis import keys
from atectl.ledger_store.redis.spooling import RETRY_S, SpoolingStore
from atectl.ledger_store.redis.store import RedisLedgerStore
from atectl.ledger_store.sqlite.spool import Spool
from atectl.redis.connection import connect
from atectl.redis.errors import RedisFailure
from atectl.redis.settings import parse_redis_url
from tests.support.lease_records import NOW, finish, make_lease
from tests.support.redis_servers import Server


class Host:
    """A host process with its spool, and a clock for its attempts to connect."""

    def __init__(self, server: Server, path: Path, capacity: int = 100) -> None:
        self.now = 0.0
        self.attempts = 0
        self.server = server
        self.spool = Spool(path, capacity=capacity)
        self.store = SpoolingStore(self.connect, self.spool, server.address, clock=lambda: self.now)

    def connect(self) -> RedisLedgerStore:
        self.attempts += 1
        settings = parse_redis_url(self.server.url)._replace(timeout_s=1.0, retries=0)
        try:
            return RedisLedgerStore(connect(settings), clock=lambda: NOW + 1)
        except RedisFailure as error:
            raise LedgerUnavailable(str(error)) from error

    def totals(self) -> dict[str, tuple[int, int]]:
        with closing(self.connect()) as store:
            return {each.principal: (each.leases, each.fuel) for each in store.accounts()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool.db"


@pytest.fixture
def host(valkey: Server, path: Path) -> Iterator[Host]:
    host = Host(valkey, path)
    yield host
    host.spool.close()


def test_a_server_that_answers_is_told_at_once_and_no_file_is_made(host: Host, path: Path) -> None:
    host.store.flush([make_lease()])
    assert host.totals() == {"alice": (1, 100)}
    host.store.close()
    assert not path.exists()


def test_what_waits_is_told_when_the_server_is_back(host: Host) -> None:
    host.server.kill()
    host.store.flush([make_lease(id="a", fuel=5)])
    host.store.flush([finish(make_lease(id="a", fuel=7)), make_lease(id="b", fuel=1)])
    host.server.restart()
    host.now += RETRY_S
    host.store.flush([make_lease(id="b", fuel=3)])
    assert host.totals() == {"alice": (2, 10)}
    assert host.spool.count() == 0
    host.store.close()


def test_another_process_tells_it_too(host: Host, path: Path) -> None:
    host.server.kill()
    host.store.flush([finish(make_lease(id="a", fuel=5))])
    with pytest.raises(LedgerLeasesWait, match="1 lease for its ledger kept in"):
        host.store.close()
    host.server.restart()
    later = Host(host.server, path)
    later.store.flush([make_lease(id="z", principal="bob")])
    assert later.totals() == {"alice": (1, 5), "bob": (1, 100)}
    later.store.close()


def test_what_waited_of_a_lease_that_was_told_since_changes_nothing(host: Host, path: Path) -> None:
    host.spool.keep([make_lease(fuel=5, updated_at=NOW)])
    fresh = Host(host.server, path.with_name("other.db"))
    fresh.store.flush([make_lease(fuel=50, updated_at=NOW + 0.5)])
    host.store.flush([make_lease(id="other", fuel=1)])
    fresh.store.flush([make_lease(fuel=60, updated_at=NOW + 0.75)])
    assert host.totals() == {"alice": (2, 61)}


def test_a_server_that_is_away_is_not_asked_at_every_flush(host: Host) -> None:
    host.server.kill()
    for _ in range(20):
        host.store.flush([make_lease()])
    assert host.attempts == 1


def test_leases_wait_in_the_order_in_which_they_were_told_last(path: Path) -> None:
    with closing(Spool(path)) as spool:
        spool.keep([make_lease(id="a"), make_lease(id="b")])
        spool.keep([make_lease(id="a", fuel=9)])
        assert [(lease.id, lease.fuel) for _, lease in spool.first(9)] == [("b", 100), ("a", 9)]


def test_what_was_told_anew_while_it_was_delivered_still_waits(path: Path) -> None:
    with closing(Spool(path)) as spool, closing(Spool(path)) as other:
        spool.keep([make_lease(id="a"), make_lease(id="b")])
        waiting = spool.first(9)
        other.keep([make_lease(id="a", fuel=9)])
        spool.delivered(number for number, _ in waiting)
        assert [lease.fuel for _, lease in spool.first(9)] == [9]


def test_a_full_file_drops_the_oldest_and_says_how_many(valkey: Server, path: Path) -> None:
    host = Host(valkey, path, capacity=3)
    valkey.kill()
    for number in range(5):
        host.store.flush([finish(make_lease(id=f"l{number}"))])
    with pytest.raises(LedgerLeasesDropped, match="2 leases dropped"):
        host.store.close()
    valkey.restart()
    later = Host(valkey, path)
    later.store.flush([make_lease(id="new")])
    with closing(later.connect()) as store:
        assert {lease.id for lease in store.history()} == {"l2", "l3", "l4"}
    later.store.close()


def test_a_ledger_that_this_atectl_cannot_use_is_an_error_and_nothing_is_lost(host: Host) -> None:
    with closing(host.server.client()) as client:
        client.hset(keys.META, "schema", 99)
        with pytest.raises(LedgerTooNew):
            host.store.flush([make_lease()])
        client.delete(keys.META)
    host.now += RETRY_S
    host.store.flush([make_lease(id="b")])
    assert host.totals() == {"alice": (2, 200)}


def test_a_reset_forgets_what_waited_too(host: Host) -> None:
    host.spool.keep([finish(make_lease(id="a"))])
    assert host.store.reset() == 1
    assert host.totals() == {}
    assert host.spool.count() == 0


def test_the_file_is_private(path: Path) -> None:
    with closing(Spool(path)) as spool:
        spool.keep([make_lease()])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
