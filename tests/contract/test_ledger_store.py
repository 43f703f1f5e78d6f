"""What any store of the ledger does, whatever it is made of."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from atectl.accounting import DAY_S, MAX_OWN_SUMS, MAX_PRINCIPALS, OTHERS, PERIOD_DAYS
from atectl.ledger_store.records import HISTORY_LEASES, LOST, LedgerStore
from tests.support.lease_records import HOST, MIB, NOW, finish, make_lease
from tests.support.ledger_places import PLACES, Place

OpenStore = Callable[[], LedgerStore]


@pytest.fixture(params=PLACES, ids=lambda place: place.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return request.param(tmp_path)


@pytest.fixture
def open_store(place: Place) -> Iterator[OpenStore]:
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(place.open()))


@pytest.fixture
def store(open_store: OpenStore) -> LedgerStore:
    return open_store()


def peaks(store: LedgerStore) -> dict[str, int]:
    return {account.principal: account.peak_bytes for account in store.accounts()}


def ids(leases: list) -> list[str]:
    return [lease.id for lease in leases]


def fill(store: LedgerStore, *, lowest_bytes: int = 1) -> None:
    """As many accounts as are kept; `p0` has the lowest peak, each next one a byte more."""
    store.flush(
        make_lease(id=f"l{n}", principal=f"p{n}", peak_bytes=lowest_bytes + n)
        for n in range(MAX_PRINCIPALS)
    )


class TestFlush:
    def test_an_empty_ledger_lists_nothing(self, store: LedgerStore) -> None:
        assert store.accounts() == store.running() == store.history() == []
        assert store.account("alice") is None

    @pytest.mark.parametrize("name", ["user+x@example.com", "team/service", "a.b"])
    def test_principals_are_named_as_people_and_teams_are(
        self, store: LedgerStore, name: str
    ) -> None:
        store.flush([finish(make_lease(principal=name))])
        account = store.account(name)
        assert account is not None
        assert [each.principal for each in store.history(name)] == [name]
        day = int(NOW // 86_400)
        assert [each.principal for each in store.days(day - 1, day + 1, name)] == [name]
        assert store.reset(name) == 1
        assert store.account(name) is None

    def test_nothing_is_kept_of_a_name_that_is_not_utf8(self, store: LedgerStore) -> None:
        store.flush([finish(make_lease())])
        name, day = "\udcff", int(NOW // 86_400)
        assert store.account(name) is None
        assert store.history(name) == []
        assert store.days(day - 1, day + 1, name) == []
        assert store.reset(name) == 0
        assert store.account("alice") is not None

    def test_an_empty_name_is_nobodys(self, store: LedgerStore) -> None:
        store.flush([finish(make_lease())])
        assert store.account("") is None
        assert store.history("") == []
        assert store.reset("") == 0
        assert store.account("alice") is not None

    def test_a_lease_opens_its_principals_account(self, store: LedgerStore) -> None:
        store.flush([make_lease(compile_cpu_s=0.25)])
        (account,) = store.accounts()
        assert account == store.account("alice")
        assert account._asdict() == {
            "principal": "alice",
            "peak_bytes": 2 * MIB,
            "high_water_bytes": 3 * MIB,
            "quota_bytes": 64 * MIB,
            "running_leases": 1,
            "current_bytes": MIB,
            "refused_growths": 1,
            "leases": 1,
            "cpu_s": 0.5,
            "compile_cpu_s": 0.25,
            "byte_seconds": 10.0,
            "fuel": 100,
            "traps": 0,
            "last_capsule": "hello.wasm",
            "since": NOW + 1,
            "updated_at": NOW + 1,
        }

    def test_a_lease_is_given_back_as_it_was_told(self, store: LedgerStore) -> None:
        lease = make_lease(
            label="nightly \u2713 \x1b[31m\0", exit_status=None, sha256="ab", cached=False,
            compile_s=1.5, compile_cpu_s=2.5, compile_peak_bytes=9,
        )  # fmt: skip
        store.flush([lease])
        assert store.running() == [lease]

    def test_a_repeated_flush_counts_nothing_twice(self, store: LedgerStore) -> None:
        store.flush([make_lease()])
        once = store.accounts()
        store.flush([make_lease()])
        store.flush([make_lease(), make_lease()])
        assert store.accounts() == once

    def test_nothing_to_flush_changes_nothing(self, store: LedgerStore) -> None:
        store.flush([make_lease()])
        before = store.accounts(), store.running()
        store.flush([])
        assert (store.accounts(), store.running()) == before

    def test_only_what_is_new_is_added(self, store: LedgerStore) -> None:
        store.flush([make_lease()])
        store.flush(
            [make_lease(refused_growths=4, cpu_s=2.0, byte_seconds=25.0, fuel=700, trapped=1)]
        )
        account = store.account("alice")
        assert account is not None
        assert (account.leases, account.refused_growths, account.cpu_s) == (1, 4, 2.0)
        assert (account.byte_seconds, account.fuel, account.traps) == (25.0, 700, 1)

    def test_leases_of_one_principal_add_up(self, store: LedgerStore) -> None:
        store.flush([make_lease(id="a"), make_lease(id="b", trapped=1)])
        account = store.account("alice")
        assert account is not None
        assert (account.leases, account.refused_growths, account.cpu_s) == (2, 2, 1.0)
        assert (account.byte_seconds, account.fuel, account.traps) == (20.0, 200, 1)

    def test_a_lease_that_finishes_is_counted_once(self, store: LedgerStore) -> None:
        store.flush([make_lease()])
        store.flush([finish(make_lease(cpu_s=1.5))])
        store.flush([finish(make_lease(cpu_s=1.5))])
        account = store.account("alice")
        assert account is not None
        assert (account.leases, account.cpu_s, account.fuel) == (1, 1.5, 100)

    def test_a_peak_is_the_highest_of_one_lease_and_never_falls(self, store: LedgerStore) -> None:
        store.flush([make_lease(id="a", peak_bytes=5 * MIB, high_water_bytes=6 * MIB)])
        store.flush([make_lease(id="b", peak_bytes=4 * MIB, high_water_bytes=9 * MIB)])
        store.flush([make_lease(id="a", peak_bytes=MIB, high_water_bytes=MIB)])
        account = store.account("alice")
        assert account is not None
        assert (account.peak_bytes, account.high_water_bytes) == (5 * MIB, 9 * MIB)

    def test_quota_and_capsule_are_those_of_the_lease_that_started_last(
        self, store: LedgerStore
    ) -> None:
        store.flush([make_lease(id="old", started_at=NOW, quota_bytes=5, capsule="old.wasm")])
        store.flush([make_lease(id="new", started_at=NOW + 9, quota_bytes=7, capsule="new.wasm")])
        store.flush([make_lease(id="old", started_at=NOW, quota_bytes=5, capsule="old.wasm")])
        account = store.account("alice")
        assert account is not None
        assert (account.quota_bytes, account.last_capsule) == (7, "new.wasm")

    def test_which_started_last_the_stores_own_clock_decides_where_it_has_one(
        self, place: Place, store: LedgerStore
    ) -> None:
        store.flush([make_lease(id="new", started_at=NOW + 9, quota_bytes=7, capsule="new.wasm")])
        store.flush([make_lease(id="old", started_at=NOW, quota_bytes=5, capsule="old.wasm")])
        account = store.account("alice")
        assert account is not None
        expected = (5, "old.wasm") if place.has_own_clock else (7, "new.wasm")
        assert (account.quota_bytes, account.last_capsule) == expected

    def test_what_no_column_can_hold_is_cut_off(self, store: LedgerStore) -> None:
        store.flush([make_lease(id="a", fuel=2**64), make_lease(id="b", fuel=2**64)])
        account = store.account("alice")
        assert account is not None
        assert account.fuel == 2**63 - 1

    def test_a_growth_that_no_column_can_hold_is_cut_off(self, store: LedgerStore) -> None:
        store.flush([make_lease(largest_refused_bytes=2**64 - 2**17)])
        [lease] = store.running()
        assert lease.largest_refused_bytes == 2**63 - 1

    def test_text_that_is_not_unicode_is_kept_readable(self, store: LedgerStore) -> None:
        store.flush([make_lease(capsule="caf\udce9.wasm", label="\ud800")])
        (lease,) = store.running()
        assert (lease.capsule, lease.label) == ("caf\\xe9.wasm", "\\ud800")

    def test_all_of_it_or_none(self, store: LedgerStore) -> None:
        def leases() -> Iterator:
            yield make_lease(id="a")
            raise RuntimeError("the host fails half way")

        with pytest.raises(RuntimeError, match="half way"):
            store.flush(leases())
        assert store.accounts() == store.running() == []

    def test_what_one_store_flushed_another_reads(self, open_store: OpenStore) -> None:
        writer, reader = open_store(), open_store()
        writer.flush([make_lease()])
        assert reader.accounts() == writer.accounts()
        assert reader.running() == [make_lease()]

    def test_what_was_flushed_outlives_the_store(self, place: Place) -> None:
        with closing(place.open()) as writer:
            writer.flush([finish(make_lease())])
        with closing(place.open()) as reader:
            assert reader.history() == [finish(make_lease())]

    def test_close_is_idempotent(self, store: LedgerStore) -> None:
        store.close()
        store.close()


class TestAccounts:
    def test_the_highest_peak_comes_first_then_by_name(self, store: LedgerStore) -> None:
        store.flush(
            make_lease(id=name, principal=name, peak_bytes=peak)
            for name, peak in [("low", 1), ("b", 7), ("high", 9), ("a", 7)]
        )
        assert list(peaks(store)) == ["high", "a", "b", "low"]

    def test_running_leases_and_what_they_hold_are_summed(
        self, place: Place, store: LedgerStore
    ) -> None:
        place.lose(make_lease(id="d", current_bytes=64 * MIB))
        store.flush(
            [
                make_lease(id="a", current_bytes=MIB),
                make_lease(id="b", current_bytes=4 * MIB, state="parked"),
                finish(make_lease(id="c", current_bytes=32 * MIB)),
                make_lease(id="e", principal="bob", current_bytes=8 * MIB),
            ]
        )
        held = {a.principal: (a.running_leases, a.current_bytes) for a in store.accounts()}
        assert held == {"alice": (2, 5 * MIB), "bob": (1, 8 * MIB)}

    def test_a_full_ledger_drops_a_newcomer_that_is_no_larger(self, store: LedgerStore) -> None:
        fill(store)
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=1)])
        assert store.account("newcomer") is None
        assert store.account("p0") is not None
        assert len(store.accounts()) == MAX_PRINCIPALS

    def test_a_strictly_larger_newcomer_displaces_the_lowest(self, store: LedgerStore) -> None:
        fill(store)
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=2)])
        assert store.account("p0") is None
        assert store.account("p1") is not None
        assert peaks(store)["newcomer"] == 2
        assert len(store.accounts()) == MAX_PRINCIPALS

    def test_the_lowest_is_judged_by_what_its_peak_rose_to(self, store: LedgerStore) -> None:
        fill(store)
        store.flush([make_lease(id="l0", principal="p0", peak_bytes=MIB)])
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=3)])
        assert store.account("p1") is None
        assert peaks(store)["p0"] == MIB

    def test_the_bound_holds_across_stores(self, open_store: OpenStore) -> None:
        one, other = open_store(), open_store()
        fill(one, lowest_bytes=1)
        other.flush(
            make_lease(id=f"o{n}", principal=f"o{n}", peak_bytes=MAX_PRINCIPALS + 1 + n)
            for n in range(100)
        )
        found = peaks(one)
        assert len(found) == MAX_PRINCIPALS
        assert sum(name.startswith("o") for name in found) == 100
        assert min(found.values()) == 101

    def test_a_displaced_account_can_come_back(self, store: LedgerStore) -> None:
        fill(store)
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=2)])
        store.flush([make_lease(id="l0", principal="p0", peak_bytes=5, fuel=130)])
        account = store.account("p0")
        assert account is not None
        # Counted in the new account as a lease, with what it used since it was last told.
        assert (account.peak_bytes, account.leases, account.fuel) == (5, 1, 30)

    def test_a_lease_too_small_for_an_account_brings_all_it_used_when_it_gets_one(
        self, store: LedgerStore
    ) -> None:
        fill(store)
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=1, fuel=100)])
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=9, fuel=160)])
        account = store.account("newcomer")
        assert account is not None
        assert (account.peak_bytes, account.leases, account.fuel) == (9, 1, 160)

    def test_a_lease_without_an_account_is_still_listed(self, store: LedgerStore) -> None:
        fill(store)
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=1)])
        assert "new" in ids(store.running())
        store.flush([finish(make_lease(id="new", principal="newcomer", peak_bytes=1))])
        assert ids(store.history()) == ["new"]


class TestLeases:
    def test_running_leases_are_listed_the_oldest_first(
        self, place: Place, store: LedgerStore
    ) -> None:
        store.flush(
            make_lease(id=f"l{n}", started_at=NOW + started)
            for n, started in enumerate([30, 10, 20])
        )
        # Where the store has a clock of its own, no host's clock has a say in this.
        expected = ["l0", "l1", "l2"] if place.has_own_clock else ["l1", "l2", "l0"]
        assert ids(store.running()) == expected

    def test_a_finished_lease_moves_to_the_history(self, store: LedgerStore) -> None:
        store.flush([make_lease()])
        done = finish(make_lease(), reason="trapped", exit_status=134)
        store.flush([done])
        assert store.running() == []
        assert store.history() == [done]

    def test_a_lease_whose_host_is_gone_is_lost(self, place: Place, store: LedgerStore) -> None:
        place.lose(make_lease())
        [lost] = store.running()
        assert (lost.id, lost.state, lost.reason) == ("lease-1", LOST, LOST)
        assert store.history() == [lost]

    def test_a_lost_lease_that_is_heard_of_again_is_not_lost(
        self, place: Place, store: LedgerStore
    ) -> None:
        place.lose(make_lease())
        store.flush([make_lease()])
        assert store.running() == [make_lease()]
        assert store.history() == []

    def test_a_finished_lease_is_not_lost_when_its_host_ends(
        self, place: Place, store: LedgerStore
    ) -> None:
        place.lose(finish(make_lease()))
        assert store.running() == []
        [done] = store.history()
        assert done.reason == "exited"

    def test_who_of_another_host_is_lost_only_a_stores_own_clock_can_tell(
        self, place: Place, store: LedgerStore
    ) -> None:
        place.lose(make_lease(host="host-b"))
        [elsewhere] = store.running()
        assert (elsewhere.state == LOST) == place.has_own_clock

    def test_what_the_clock_of_a_host_says_makes_no_lease_lost(self, store: LedgerStore) -> None:
        odd = make_lease(host="host-b", started_at=NOW - 99_999, updated_at=NOW - 86_400)
        store.flush([odd])
        assert store.running() == [odd]
        assert store.history() == []

    def test_history_is_the_newest_first_lost_ones_by_their_last_word(
        self, place: Place, store: LedgerStore
    ) -> None:
        def end(name: str, at: float) -> None:
            place.now = at
            store.flush([finish(make_lease(id=name), finished_at=at)])

        end("first", NOW + 10)
        place.now = NOW + 30
        place.lose(make_lease(id="lost", updated_at=NOW + 25))
        end("third", NOW + 30)
        end("fourth", NOW + 40)
        assert ids(store.history()) == ["fourth", "third", "lost", "first"]

    def test_history_is_limited(self, place: Place, store: LedgerStore) -> None:
        for n in range(5):
            place.now = NOW + n
            store.flush([finish(make_lease(id=f"l{n}"), finished_at=NOW + n)])
        place.now = NOW + 99
        place.lose(make_lease(id="lost", updated_at=NOW + 9))
        assert ids(store.history(limit=3)) == ["lost", "l4", "l3"]
        assert store.history(limit=0) == []
        assert len(store.history(limit=2**70)) == 6

    def test_history_can_be_of_one_principal(self, place: Place, store: LedgerStore) -> None:
        store.flush([finish(make_lease(id="a")), finish(make_lease(id="b", principal="bob"))])
        place.lose(make_lease(id="c", principal="bob"), make_lease(id="d"))
        assert sorted(ids(store.history("bob"))) == ["b", "c"]

    def test_the_newest_finished_leases_stay(self, store: LedgerStore) -> None:
        store.flush(
            finish(make_lease(id=f"l{n}"), finished_at=NOW + n) for n in range(HISTORY_LEASES + 3)
        )
        kept = ids(store.history(limit=HISTORY_LEASES + 3))
        assert len(kept) == HISTORY_LEASES
        assert (kept[0], kept[-1]) == (f"l{HISTORY_LEASES + 2}", "l3")

    def test_running_leases_are_not_pushed_out_by_finished_ones(self, store: LedgerStore) -> None:
        store.flush([make_lease(id="running", started_at=NOW - 99, updated_at=NOW - 99)])
        store.flush(
            finish(make_lease(id=f"l{n}"), finished_at=NOW + n) for n in range(HISTORY_LEASES + 1)
        )
        assert ids(store.running()) == ["running"]


MIDNIGHT = NOW - NOW % DAY_S
TODAY = int(NOW // DAY_S)


def used(store: LedgerStore, first: int = TODAY - 9, last: int = TODAY) -> list[tuple]:
    return [(day.day, day.principal, *day[4:]) for day in store.days(first, last)]


class TestDays:
    def test_what_a_lease_used_is_a_sum_of_its_day(self, store: LedgerStore) -> None:
        store.flush([make_lease(label="nightly")])
        [day] = store.days(TODAY, TODAY)
        assert day._asdict() == {
            "day": TODAY,
            "principal": "alice",
            "host": HOST,
            "label": "nightly",
            "leases": 1,
            "cpu_us": 500_000,
            "byte_ms": 10_000,
            "fuel": 100,
            "refused_growths": 1,
            "peak_bytes": 2 * MIB,
        }

    def test_leases_of_one_principal_host_and_label_are_one_sum(self, store: LedgerStore) -> None:
        store.flush(make_lease(id=f"l{n}", peak_bytes=n) for n in range(5))
        store.flush(finish(make_lease(id=f"l{n}", peak_bytes=n)) for n in range(5))
        assert used(store) == [(TODAY, "alice", 5, 2_500_000, 50_000, 500, 5, 4)]

    def test_others_have_sums_of_their_own(self, store: LedgerStore) -> None:
        store.flush(
            [
                make_lease(id="a"),
                make_lease(id="b", label="x"),
                make_lease(id="c", host="host-b"),
                make_lease(id="d", principal="bob"),
            ]
        )
        found = [(day.principal, day.host, day.label) for day in store.days(TODAY, TODAY)]
        assert found == [
            ("alice", HOST, ""), ("alice", HOST, "x"), ("alice", "host-b", ""), ("bob", HOST, ""),
        ]  # fmt: skip

    def test_a_repeated_flush_counts_nothing_twice(self, store: LedgerStore) -> None:
        store.flush([make_lease()])
        once = used(store)
        store.flush([make_lease(), make_lease()])
        assert used(store) == once

    def test_a_lease_that_spans_midnight_is_split_by_time(self, store: LedgerStore) -> None:
        store.flush([make_lease(started_at=MIDNIGHT - 10, updated_at=MIDNIGHT + 30, cpu_s=4.0)])
        assert used(store) == [
            (TODAY - 1, "alice", 1, 1_000_000, 2500, 25, 0, 2 * MIB),
            (TODAY, "alice", 0, 3_000_000, 7500, 75, 1, 2 * MIB),
        ]

    def test_only_the_time_since_the_last_flush_is_split(self, store: LedgerStore) -> None:
        store.flush([make_lease(started_at=MIDNIGHT - 900, updated_at=MIDNIGHT - 10, fuel=100)])
        store.flush([make_lease(started_at=MIDNIGHT - 900, updated_at=MIDNIGHT + 10, fuel=300)])
        assert [row[5] for row in used(store)] == [200, 100]

    def test_a_clock_that_is_ahead_uses_nothing_of_days_to_come(self, store: LedgerStore) -> None:
        store.flush([make_lease(updated_at=NOW + 9 * DAY_S)])
        assert [row[0] for row in used(store, TODAY - 9, TODAY + 9)] == [TODAY]

    def test_they_count_what_no_account_is_kept_of(self, store: LedgerStore) -> None:
        fill(store)
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=1)])
        assert store.account("newcomer") is None
        assert sum(day.leases for day in store.days(TODAY, TODAY)) == MAX_PRINCIPALS + 1

    def test_they_can_be_asked_for_by_day_and_principal(self, store: LedgerStore) -> None:
        for number in range(4):
            moment = MIDNIGHT - number * DAY_S
            store.flush(
                make_lease(
                    id=f"{name}{number}", principal=name, started_at=moment, updated_at=moment
                )
                for name in ("alice", "bob")
            )
        asked = store.days(TODAY - 2, TODAY - 1, "bob")
        assert [(day.day, day.principal) for day in asked] == [
            (TODAY - 2, "bob"), (TODAY - 1, "bob"),
        ]  # fmt: skip

    def test_labels_without_end_are_one_sum_from_some_number_on(self, store: LedgerStore) -> None:
        store.flush(make_lease(id=f"l{n}", label=f"job {n}") for n in range(MAX_OWN_SUMS + 9))
        found = store.days(TODAY, TODAY)
        assert len(found) == MAX_OWN_SUMS + 1
        assert [day.leases for day in found if day.label == OTHERS] == [9]

    def test_a_day_older_than_four_hundred_is_forgotten(self, store: LedgerStore) -> None:
        moment = NOW - PERIOD_DAYS * DAY_S
        store.flush([make_lease(id="old", started_at=moment, updated_at=moment)])
        store.flush([make_lease(id="new")])
        assert [row[0] for row in used(store, 0, TODAY)] == [TODAY]


class TestTotals:
    def test_what_each_host_used_is_a_sum_that_no_bound_lowers(self, store: LedgerStore) -> None:
        long_ago = NOW - 2 * PERIOD_DAYS * DAY_S
        store.flush([make_lease(id="old", started_at=long_ago, updated_at=long_ago)])
        store.flush([make_lease(id="a"), make_lease(id="b", host="host-b", peak_bytes=7)])
        store.flush([finish(make_lease(id="a", fuel=150))])
        found = [(each.host, each.leases, each.fuel, each.peak_bytes) for each in store.totals()]
        assert found == [(HOST, 2, 250, 2 * MIB), ("host-b", 1, 100, 7)]

    def test_hosts_past_the_bound_are_one_sum(self, store: LedgerStore) -> None:
        store.flush(make_lease(id=f"l{n}", host=f"h{n:03}") for n in range(MAX_OWN_SUMS + 5))
        found = {each.host: each.leases for each in store.totals()}
        assert len(found) == MAX_OWN_SUMS + 1
        assert found[OTHERS] == 5

    def test_they_outlive_the_reset_of_one_principal(self, store: LedgerStore) -> None:
        store.flush([make_lease()])
        store.reset("alice")
        assert [each.leases for each in store.totals()] == [1]
        store.reset()
        assert store.totals() == []


class TestReset:
    @pytest.fixture
    def filled(self, place: Place, store: LedgerStore) -> LedgerStore:
        place.lose(make_lease(id="lost"))
        store.flush(
            [
                make_lease(id="running"),
                finish(make_lease(id="finished")),
                finish(make_lease(id="other", principal="bob")),
            ]
        )
        return store

    def test_one_account_is_forgotten_with_its_history(self, filled: LedgerStore) -> None:
        assert filled.reset("alice") == 1
        assert list(peaks(filled)) == ["bob"]
        assert ids(filled.history()) == ["other"]

    def test_all_accounts_are_forgotten(self, filled: LedgerStore) -> None:
        assert filled.reset() == 2
        assert filled.accounts() == filled.history() == []

    def test_what_was_used_on_each_day_is_forgotten_with_an_account(
        self, filled: LedgerStore
    ) -> None:
        filled.reset("alice")
        assert {day.principal for day in filled.days(TODAY, TODAY)} == {"bob"}
        filled.reset()
        assert filled.days(TODAY, TODAY) == []

    def test_an_unknown_principal_has_nothing_to_forget(self, filled: LedgerStore) -> None:
        assert filled.reset("nobody") == 0
        assert list(peaks(filled)) == ["alice", "bob"]

    def test_running_leases_stay(self, filled: LedgerStore) -> None:
        filled.reset("alice")
        assert ids(filled.running()) == ["running"]

    def test_a_running_lease_opens_its_account_anew_with_what_it_uses_from_then_on(
        self, filled: LedgerStore
    ) -> None:
        filled.reset("alice")
        filled.flush([make_lease(id="running", fuel=130, cpu_s=0.75, refused_growths=1)])
        account = filled.account("alice")
        assert account is not None
        assert (account.leases, account.running_leases) == (1, 1)
        assert (account.fuel, account.cpu_s, account.refused_growths) == (30, 0.25, 0)

    def test_what_was_used_without_an_account_before_a_reset_is_forgotten_too(
        self, store: LedgerStore
    ) -> None:
        fill(store)
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=1, fuel=100)])
        store.reset()
        store.flush([make_lease(id="new", principal="newcomer", peak_bytes=1, fuel=130)])
        account = store.account("newcomer")
        assert account is not None
        assert account.fuel == 30


FLUSHES = 60

WRITER = """
import sys, time
sys.path.insert(0, {helpers!r})
from tests.support.lease_records import finish, make_lease, own_process
{opening}
name = sys.argv[1]
here = own_process() | {{"updated_at": time.time()}}
for n in range(1, {flushes} + 1):
    lease = make_lease(id=name, **here, peak_bytes=n, fuel=n)
    own = make_lease(id="own-" + name, principal=name, **here, peak_bytes=n, fuel=2 * n)
    store.flush([lease, own])
store.flush([finish(lease)])
store.close()
"""


def test_processes_that_flush_at_the_same_time_lose_nothing(place: Place) -> None:
    source = textwrap.dedent(WRITER).format(
        helpers=str(Path(__file__).parents[2]),
        opening=place.opening_source(),
        flushes=FLUSHES,
    )
    names = ["w1", "w2", "w3"]
    writers = [subprocess.Popen([sys.executable, "-c", source, name]) for name in names]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with closing(place.open()) as store:
        shared = store.account("alice")
        assert shared is not None
        assert (shared.leases, shared.fuel, shared.peak_bytes) == (3, 3 * FLUSHES, FLUSHES)
        for name in names:
            own = store.account(name)
            assert own is not None
            assert (own.leases, own.fuel, own.peak_bytes) == (1, 2 * FLUSHES, FLUSHES)
        assert sorted(ids(store.history())) == names
        assert sorted(ids(store.running())) == [f"own-{name}" for name in names]
