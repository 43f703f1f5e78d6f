"""Ledgers in files are brought to the one on a server, as often as one likes."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from atectl.errors import LedgerUnavailable, UsageError
from atectl.ledger_store.merging import merge_files
from atectl.ledger_store.opening import open_for_reading, open_for_writing
from atectl.ledger_store.records import DayRecord, LeaseRecord
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.lease_records import finish, make_lease
from tests.support.redis_servers import Server


def told(place: Path | str, *leases: LeaseRecord) -> None:
    now = time.time()
    with closing(open_for_writing(str(place))) as store:
        store.flush(lease._replace(started_at=now, updated_at=now) for lease in leases)


def totals(server: Server) -> dict[str, tuple[int, int, int]]:
    with closing(open_for_reading(server.url)) as store:
        return {a.principal: (a.leases, a.fuel, a.peak_bytes) for a in store.accounts()}


def days(server: Server) -> int:
    today = int(time.time() // 86_400)
    with closing(open_for_reading(server.url)) as store:
        assert sum(each.fuel for each in store.totals()) == sum(
            each.fuel for each in store.days(today - 1, today)
        )
        return sum(each.fuel for each in store.days(today - 1, today))


def test_what_several_files_counted_adds_up(any_server: Server, tmp_path: Path) -> None:
    east, west = tmp_path / "east.db", tmp_path / "west.db"
    told(east, finish(make_lease(id="a", fuel=2**60, peak_bytes=5)))
    told(
        west, finish(make_lease(id="b", fuel=7, peak_bytes=9)), make_lease(id="c", principal="bob")
    )
    told(any_server.url, finish(make_lease(id="d", fuel=1, peak_bytes=1)))
    merged = merge_files([east, west], any_server.url)
    assert [(each.accounts, each.days) for each in merged] == [(1, 1), (2, 1)]
    assert totals(any_server) == {"alice": (3, 2**60 + 8, 9), "bob": (1, 100, 2 << 20)}
    assert days(any_server) == 2**60 + 108


def test_a_file_that_is_reset_while_it_is_read_is_not_counted_twice(
    any_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "l.db"
    told(path, finish(make_lease(fuel=5)))
    merge_files([path], any_server.url)
    read = SqliteLedgerStore.days

    def reset_first(store: SqliteLedgerStore, first: int, last: int) -> list[DayRecord]:
        with closing(open_for_writing(str(path))) as other:
            other.reset()
        return read(store, first, last)

    monkeypatch.setattr(SqliteLedgerStore, "days", reset_first)
    merge_files([path], any_server.url)
    assert totals(any_server)["alice"][:2] == (1, 5)


def test_again_adds_only_what_is_new(any_server: Server, tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    told(path, make_lease(fuel=5))
    for _ in range(3):
        merge_files([path, path], any_server.url)
    assert totals(any_server)["alice"][:2] == (1, 5)
    told(path, finish(make_lease(fuel=8)), finish(make_lease(id="b", fuel=1)))
    merge_files([path], any_server.url)
    assert totals(any_server)["alice"][:2] == (2, 9)
    assert days(any_server) == 9


def test_a_copy_of_a_file_is_the_same_ledger(any_server: Server, tmp_path: Path) -> None:
    path, copy = tmp_path / "l.db", tmp_path / "copy.db"
    told(path, finish(make_lease(fuel=5)))
    copy.write_bytes(path.read_bytes())
    merge_files([path, copy], any_server.url)
    assert totals(any_server)["alice"][:2] == (1, 5)


def test_what_was_forgotten_in_between_is_not_taken_back(
    any_server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "l.db"
    told(path, finish(make_lease(id="a", fuel=5)))
    merge_files([path], any_server.url)
    with closing(open_for_writing(str(path))) as store:
        store.reset()
    told(path, finish(make_lease(id="b", fuel=3)))
    merge_files([path], any_server.url)
    assert totals(any_server)["alice"][:2] == (2, 8)
    assert days(any_server) == 8


def test_it_needs_a_server_and_files_that_are_there(valkey: Server, tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    told(path, make_lease())
    with pytest.raises(UsageError, match="on a server"):
        merge_files([path], str(tmp_path / "other.db"))
    with pytest.raises(LedgerUnavailable, match="no such file"):
        merge_files([tmp_path / "none.db"], valkey.url)
