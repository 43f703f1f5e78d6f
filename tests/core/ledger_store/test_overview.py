"""One look at a ledger: accounts with what runs now, and the processes that run it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from atectl.errors import UnknownPrincipal
from atectl.ledger_store.overview import (
    ResetEffect,
    account_details,
    accounts_now,
    effect_of_reset,
    live_accounts,
    resident_of_hosts,
    take_overview,
)
from atectl.ledger_store.records import LOST, LeaseRecord
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from tests.support.ledger_records import GONE, HOST, MIB, NOW, account, finished, lease


def test_the_quotas_of_running_leases_count_together() -> None:
    running = [lease("a", quota_bytes=64 * MIB), lease("a", quota_bytes=16 * MIB)]
    (live,) = live_accounts([account("a", quota_bytes=16 * MIB)], running)
    assert live == account("a", quota_bytes=80 * MIB)


def test_an_idle_account_keeps_its_latest_quota() -> None:
    assert live_accounts([account("a")], [lease("b")])[0] == account("a")


def test_a_principal_that_the_full_ledger_does_not_keep_is_there_while_it_runs() -> None:
    running = [
        lease("new", capsule="old.wasm", started_at=NOW - 50, updated_at=NOW, peak_bytes=5),
        lease("new", capsule="young.wasm", started_at=NOW - 10, updated_at=NOW - 1, peak_bytes=9),
    ]
    kept, unkept = live_accounts([account("a")], running)
    assert kept.principal == "a"
    assert unkept == account(
        "new",
        peak_bytes=9,
        high_water_bytes=3 * MIB,
        quota_bytes=128 * MIB,
        running_leases=2,
        current_bytes=2 * MIB,
        refused_growths=2,
        leases=2,
        cpu_s=1.0,
        byte_seconds=20.0,
        fuel=200,
        last_capsule="young.wasm",
        since=NOW - 50,
        updated_at=NOW,
    )


def at(pid: int, process: str = "here") -> LeaseRecord:
    return lease(pid=pid, process=process)


def resident_of(running: list[LeaseRecord], sizes: dict[int, int]) -> int | None:
    return resident_of_hosts(running, resident=sizes.get, identity=lambda pid: "here")


def test_each_process_of_this_machine_counts_once() -> None:
    assert resident_of([at(1), at(1), at(2)], {1: 10, 2: 200, 3: 4000}) == 210


def test_a_process_elsewhere_with_a_pid_of_here_is_left_out() -> None:
    assert resident_of([at(1), at(2, "elsewhere")], {1: 10, 2: 200}) == 10


def test_a_process_that_cannot_be_read_is_left_out() -> None:
    assert resident_of([at(1), at(2)], {2: 7}) == 7


@pytest.mark.parametrize("running", [[], [at(1)], [at(2, "elsewhere")]])
def test_without_a_readable_process_resident_bytes_are_unknown(running: list[LeaseRecord]) -> None:
    assert resident_of(running, {2: 7}) is None


@pytest.fixture
def store(tmp_path: Path) -> SqliteLedgerStore:
    store = SqliteLedgerStore(tmp_path / "ledger.db", host=HOST, clock=lambda: NOW)
    store.flush(
        [
            lease("alive", id="1"),
            lease("dead", id="2", process=GONE),
            finished("done", id="3"),
        ]
    )
    return store


def test_a_look_at_a_real_store(store: SqliteLedgerStore) -> None:
    look = take_overview(store)
    assert {each.principal for each in look.accounts} == {"alive", "dead", "done"}
    assert [each.principal for each in look.leases] == ["alive"]
    assert look.resident_bytes is not None
    assert look.resident_bytes > MIB


def test_lost_leases_are_not_among_the_running(store: SqliteLedgerStore) -> None:
    assert LOST in {each.state for each in store.running()}
    assert LOST not in {each.state for each in take_overview(store).leases}


def test_a_look_at_one_principal(store: SqliteLedgerStore) -> None:
    look = take_overview(store, "done")
    assert [each.principal for each in look.accounts] == ["done"]
    assert look.leases == []


def test_the_accounts_now_leave_out_what_lost_leases_held(store: SqliteLedgerStore) -> None:
    now = {each.principal: each for each in accounts_now(store)}
    assert set(now) == {"alive", "dead", "done"}
    assert now["alive"].running_leases == 1
    assert now["dead"].running_leases == 0


def test_one_account_comes_with_its_unfinished_and_its_finished_leases(
    store: SqliteLedgerStore,
) -> None:
    store.flush([finished("alive", id=str(number)) for number in (4, 5, 6)])
    details = account_details(store, "alive", 2)
    assert details.account.principal == "alive"
    assert [each.id for each in details.running] == ["1"]
    assert {each.principal for each in details.history} == {"alive"}
    assert len(details.history) == 2


def test_a_lost_lease_is_unfinished_and_not_told_twice(store: SqliteLedgerStore) -> None:
    details = account_details(store, "dead", 10)
    assert [each.state for each in details.running] == [LOST]
    assert details.history == ()


def test_a_reset_keeps_the_leases_that_run(store: SqliteLedgerStore) -> None:
    assert effect_of_reset(store) == ResetEffect(3, 2, 1)
    assert effect_of_reset(store, "alive") == ResetEffect(1, 0, 1)
    assert effect_of_reset(store, "done") == ResetEffect(1, 1, 0)


@pytest.mark.parametrize("ask", [lambda s, p: account_details(s, p, 1), effect_of_reset])
def test_a_principal_without_an_account_is_an_error_that_names_the_nearest(
    store: SqliteLedgerStore, ask: Callable[[SqliteLedgerStore, str], object]
) -> None:
    with pytest.raises(UnknownPrincipal, match="no account of 'aliv'; did you mean alive"):
        ask(store, "aliv")
