"""What a host tells a server that cannot be reached waits in a file, and is told afterwards."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from atectl.errors import LedgerCorrupt, LedgerError, LedgerUnavailable
from atectl.ledger_store.errors import (
    LedgerDiskFull,
    LedgerLeasesDropped,
    LedgerLeasesWait,
)
from atectl.ledger_store.redis import keys, spooling
from atectl.ledger_store.redis.session import Session
from atectl.ledger_store.redis.spooling import RETRY_S, SETTLED_S, SpoolingStore
from atectl.ledger_store.redis.store import LEASES_AT_ONCE, RedisLedgerStore
from atectl.ledger_store.sqlite import connection
from atectl.ledger_store.sqlite.spool import Spool
from atectl.redis.connection import connect
from atectl.redis.errors import RedisFailure
from atectl.redis.settings import parse_redis_url
from tests.support.descriptors import open_descriptors, opened_since
from tests.support.lease_records import NOW, finish, make_lease
from tests.support.limits import files_no_larger_than
from tests.support.redis_gate import RedisGate
from tests.support.redis_servers import Server, lose_everything
from tests.support.waiting import wait_until


class Host:
    """A host process with its spool, and a clock for its attempts to connect."""

    def __init__(self, server: Server, path: Path, capacity: int = 1000) -> None:
        self.now = 0.0
        self.attempts = 0
        self.server = server
        self.url = server.url
        self.spool = Spool(path, capacity=capacity)
        self.session = Session()
        self.store = SpoolingStore(
            self.connect, self.session, self.spool, server.address, clock=lambda: self.now
        )

    def connect(self) -> RedisLedgerStore:
        self.attempts += 1
        settings = parse_redis_url(self.url)._replace(timeout_s=1.0, retries=0)
        try:
            return RedisLedgerStore(connect(settings), self.session, clock=lambda: NOW + 1)
        except RedisFailure as error:
            raise LedgerUnavailable(str(error)) from error

    @contextmanager
    def meeting(self, deeds: Mapping[int, Callable[[], object]]) -> Iterator[None]:
        """Anew connected; some of its questions to the ledger meet with a deed, by their number."""
        with RedisGate(self.server, deeds, keys.META.encode()) as gate:
            self.store._give_up()
            self.url, self.now = gate.url, self.now + RETRY_S
            yield

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
    with suppress(LedgerError):  # of what waits on
        host.store.close()


def test_a_server_that_answers_is_told_at_once_and_no_file_is_made(host: Host, path: Path) -> None:
    host.store.flush([])
    assert host.attempts == 0
    host.store.flush([make_lease()])
    host.store.flush([make_lease(fuel=101)])
    assert host.attempts == 1
    assert host.totals() == {"alice": (1, 101)}
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


def test_a_server_that_is_back_is_told_though_the_disk_of_the_file_is_full(host: Host) -> None:
    host.server.kill()
    host.store.flush([make_lease(id="a", fuel=5)])
    host.server.restart()
    host.now += RETRY_S
    log = host.spool.path.with_name(f"{host.spool.path.name}-wal")
    with files_no_larger_than(log.stat().st_size), pytest.raises(LedgerDiskFull):
        host.store.flush([make_lease(id="b", fuel=7)])
    assert host.totals() == {"alice": (2, 12)}


def test_more_wait_than_are_told_at_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "_AT_ONCE", 2)
    host.spool.keep([make_lease(id=name, fuel=1) for name in "abcd"])
    left = []
    for _ in range(3):
        host.store.flush([finish(make_lease(id="a", fuel=2))])
        left.append([lease.id for _, lease in host.spool.first(9)])
    assert left == [["c", "d", "a"], ["a"], []]
    assert host.totals() == {"alice": (4, 5)}


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


def test_a_server_that_failed_is_left_alone_for_a_while(host: Host) -> None:
    host.store.flush([make_lease(id="a")])
    host.server.kill()
    host.store.flush([make_lease(id="b")])
    host.server.restart()
    host.store.flush([make_lease(id="c")])
    assert host.spool.count() == 2
    host.now += RETRY_S
    host.store.flush([make_lease(id="d")])
    assert host.spool.count() == 0


def test_closing_lets_go_of_the_server(host: Host) -> None:
    host.store.flush([make_lease()])
    with closing(host.server.client()) as client:
        assert len(client.client_list()) == 2
        host.store.close()
        wait_until(lambda: len(client.client_list()) == 1)


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


def test_what_a_ledger_that_this_atectl_cannot_use_is_told_waits(host: Host) -> None:
    with closing(host.server.client()) as client:
        client.hset(keys.META, "schema", 99)
        host.store.flush([make_lease()])
        client.delete(keys.META)
    host.now += RETRY_S
    host.store.flush([make_lease(id="b")])
    assert host.totals() == {"alice": (2, 200)}


def test_why_they_wait_is_said_at_the_end(host: Host) -> None:
    with closing(host.server.client()) as client:
        client.hset(keys.META, "schema", 99)
    host.store.flush([make_lease()])
    with pytest.raises(
        LedgerLeasesWait, match=r"schema version 99.*; 1 lease for its ledger kept"
    ) as told:
        host.store.close()
    assert told.value.remedy.endswith("; the next run or batch with this ledger tells the server")


def test_of_what_passes_by_itself_nothing_need_be_done(host: Host) -> None:
    host.server.kill()
    host.store.flush([make_lease()])
    with pytest.raises(LedgerLeasesWait, match="cannot be reached") as told:
        host.store.close()
    assert told.value.remedy.startswith("nothing: ")


def test_a_server_that_was_reached_is_not_said_to_be_away(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "_AT_ONCE", 2)
    host.server.kill()
    host.store.flush([make_lease(id=name) for name in "abcd"])
    host.server.restart()
    host.now += RETRY_S
    host.store.flush([make_lease(id="e")])
    with pytest.raises(LedgerLeasesWait, match="was not told of all yet; 3 leases"):
        host.store.close()


class TestLoss:
    """What the server has lost is told again, by whoever can."""

    def test_a_process_that_ends_before_it_can_tell_it_leaves_it_in_the_file(
        self, host: Host, path: Path
    ) -> None:
        host.store.flush([finish(make_lease(id="a", fuel=5))])
        lose_everything(host.server)
        # It asks once for its own lease, is told of the loss, asks again, and then tells the lost.
        with host.meeting({3: host.server.kill}):
            host.store.flush([finish(make_lease(id="b", fuel=7))])
        with pytest.raises(LedgerLeasesWait, match="2 leases"):
            host.store.close()
        host.server.restart()
        later = Host(host.server, path)
        later.store.flush([make_lease(id="c", fuel=9)])
        assert later.totals() == {"alice": (3, 21)}
        later.store.close()

    def test_what_is_lost_while_it_is_told_again_is_left_in_the_file_at_the_end(
        self, host: Host
    ) -> None:
        host.store.flush([finish(make_lease(id=f"a{n}")) for n in range(LEASES_AT_ONCE + 1)])
        lose_everything(host.server)
        with host.meeting({4: lambda: lose_everything(host.server)}):
            host.store.flush([finish(make_lease(id="b"))])
        with pytest.raises(LedgerLeasesWait):
            host.store.close()
        lost = {f"a{n}" for n in range(LEASES_AT_ONCE)}
        with closing(Spool(host.spool.path)) as spool:
            assert lost <= {lease.id for _, lease in spool.first(200)}

    def test_a_process_that_tells_nothing_more_asks_at_its_end(self, host: Host) -> None:
        host.store.flush([finish(make_lease(id="a", fuel=5))])
        lose_everything(host.server)
        host.now += SETTLED_S
        host.store.close()
        assert host.totals() == {"alice": (1, 5)}

    def test_it_asks_on_a_new_connection_if_the_old_one_went_with_the_server(
        self, host: Host
    ) -> None:
        host.store.flush([finish(make_lease(id="a", fuel=5))])
        host.server.kill()
        host.server.start()
        host.now += SETTLED_S
        host.store.close()
        assert host.totals() == {"alice": (1, 5)}

    def test_what_it_cannot_tell_again_waits_in_the_file(self, host: Host) -> None:
        host.store.flush([finish(make_lease(id="a", fuel=5))])
        lose_everything(host.server)
        host.now += SETTLED_S
        with host.meeting({2: host.server.kill}):
            host.store._server()
            with pytest.raises(LedgerLeasesWait, match="1 lease"):
                host.store.close()
        with closing(Spool(host.spool.path)) as spool:
            assert [lease.id for _, lease in spool.first(9)] == ["a"]

    def test_of_a_server_that_does_not_answer_nothing_waits(self, host: Host) -> None:
        host.store.flush([finish(make_lease(id="a"))])
        host.server.kill()
        host.now += SETTLED_S
        host.store.close()
        assert host.spool.count() == 0

    def test_a_process_that_has_told_something_just_now_asks_nothing(self, host: Host) -> None:
        with RedisGate(host.server, {}, keys.META.encode()) as gate:
            host.url = gate.url
            host.store.flush([finish(make_lease(id="a"))])
            told = gate.count
            host.now += SETTLED_S / 2
            host.store.close()
            assert gate.count == told

    def test_what_waits_in_the_file_is_put_there_once(self, host: Host) -> None:
        host.store.flush([finish(make_lease(id="a"))])
        lose_everything(host.server)
        with host.meeting({3: host.server.kill}):
            host.store.flush([finish(make_lease(id="b"))])
        host.spool.delivered(number for number, _ in host.spool.first(9))  # by another process
        host.store.flush([finish(make_lease(id="c"))])
        assert [lease.id for _, lease in host.spool.first(9)] == ["c"]

    def test_a_newer_state_that_waits_is_not_replaced_by_one_that_was_lost(
        self, host: Host
    ) -> None:
        host.store.flush([make_lease(id="a", fuel=5)])
        host.spool.keep([make_lease(id=f"l{n}") for n in range(LEASES_AT_ONCE)])
        host.spool.keep([finish(make_lease(id="a", fuel=50))])
        lose_everything(host.server)
        # Of those that wait, the first hundred are told; the rest breaks.
        with host.meeting({3: host.server.kill}):
            host.store.flush([make_lease(id="b")])
        assert [lease.fuel for _, lease in host.spool.first(200) if lease.id == "a"] == [50]


def test_a_reset_forgets_what_waited_too(host: Host) -> None:
    host.spool.keep([finish(make_lease(id="a"))])
    assert host.store.reset() == 1
    assert host.totals() == {}
    assert host.spool.count() == 0


class TestMoved:
    """The file in which leases wait is removed or moved away while a host has it open."""

    @pytest.fixture
    def spool(self, path: Path) -> Iterator[Spool]:
        with closing(Spool(path)) as spool:
            spool.keep([make_lease(id="before")])
            yield spool

    def test_one_that_was_removed_is_made_anew(self, spool: Spool, path: Path) -> None:
        for each in path.parent.iterdir():
            each.unlink()
        assert (spool.count(), spool.first(9), path.exists()) == (0, [], False)
        spool.keep([make_lease(id="after")])
        assert waiting_in(path) == ["after"]

    def test_one_that_was_moved_keeps_what_waited(self, spool: Spool, path: Path) -> None:
        moved = path.rename(path.with_name("moved.db"))
        spool.keep([make_lease(id="after")])
        assert (waiting_in(path), waiting_in(moved)) == (["after"], ["before"])

    def test_one_that_is_moved_at_the_end_does_too(self, spool: Spool, path: Path) -> None:
        moved = path.rename(path.with_name("moved.db"))
        spool.close()
        assert waiting_in(moved) == ["before"]

    def test_what_was_delivered_from_it_is_not_looked_for_in_another(
        self, spool: Spool, path: Path
    ) -> None:
        [(number, _)] = spool.first(9)
        path.rename(path.with_name("moved.db"))
        with closing(Spool(path)) as other:
            other.keep([make_lease(id="of-other")])
            spool.delivered([number])
            assert waiting_in(path) == ["of-other"]


def waiting_in(path: Path) -> list[str]:
    with closing(Spool(path)) as spool:
        return [lease.id for _, lease in spool.first(9)]


def test_processes_that_make_the_file_at_once_wait_for_one_another(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    # SQLite does not wait here by itself.
    monkeypatch.setattr(connection.time, "sleep", lambda _: other.close())
    with closing(Spool(path)) as spool:
        spool.keep([make_lease()])
        assert spool.count() == 1


def test_what_is_no_such_file_is_told_of_each_time_and_leaves_no_descriptor(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)
    before = open_descriptors()
    with closing(Spool(path)) as spool:
        for _ in range(3):
            with pytest.raises(LedgerCorrupt):
                spool.keep([make_lease()])
        assert opened_since(before) == []


def test_it_is_opened_once_and_closed(tmp_path: Path) -> None:
    before = open_descriptors()
    with closing(Spool(tmp_path / "no" / "such" / "folder" / "spool.db")) as spool:
        spool.keep([make_lease()])
        once = opened_since(before)
        spool.delivered([1])
        assert (spool.count(), spool.first(9)) == (0, [])
        assert opened_since(before) == once != []
    assert opened_since(before) == []


def test_the_file_is_private(path: Path) -> None:
    with closing(Spool(path)) as spool:
        spool.keep([make_lease()])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
