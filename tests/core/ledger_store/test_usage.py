"""What was used in a period, summed from the days of a store."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from atectl.accounting import MAX_OWN_SUMS, PERIOD_DAYS
from atectl.errors import UsageError
from atectl.ledger_store.records import LedgerStore
from atectl.ledger_store.sqlite.store import SqliteLedgerStore
from atectl.ledger_store.usage import Period, UsageBy, parse_period, usage_of
from tests.support.lease_records import HOST, finish, make_lease

DAY_S = 86_400
TODAY = 20_788
"""2026-12-01."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    clock = (TODAY + 1) * DAY_S
    path = tmp_path / "ledger.db"
    with closing(SqliteLedgerStore(path, host=HOST, clock=lambda: float(clock))) as store:
        yield store


def run(store: LedgerStore, days_ago: int, **changes: object) -> None:
    moment = (TODAY - days_ago) * DAY_S + 60.0
    name = f"{days_ago}-{changes.get('principal')}-{changes.get('label')}"
    told = {"id": name, "started_at": moment, "updated_at": moment, **changes}
    store.flush([finish(make_lease(**told))])


def names(store: LedgerStore, period: str, by: UsageBy = UsageBy.principal) -> list[tuple]:
    found = usage_of(store, parse_period(period, TODAY), by).usage
    return [(each.period, each.name, each.leases) for each in found]


class TestPeriods:
    def test_a_month_is_its_days(self) -> None:
        assert parse_period("2026-11", TODAY) == Period(TODAY - 30, TODAY - 1, True)
        assert parse_period("2028-02", TODAY)[1] - parse_period("2028-02", TODAY)[0] == 28

    def test_a_day_is_one(self) -> None:
        assert parse_period("2026-12-01", TODAY) == Period(TODAY, TODAY, False)

    @pytest.mark.parametrize(("word", "is_by_month"), [("day", False), ("month", True)])
    def test_by_day_or_by_month_is_all_that_is_kept(self, word: str, is_by_month: bool) -> None:
        assert parse_period(word, TODAY) == Period(TODAY - PERIOD_DAYS + 1, TODAY, is_by_month)

    @pytest.mark.parametrize(
        "text",
        ["", "week", "2026-13", "2026-00", "2026-02-30", "2026", "9999-12", "20261", "٢٠٢٦-١١"],
    )
    def test_what_is_no_period_is_refused(self, text: str) -> None:
        with pytest.raises(UsageError, match="is no period"):
            parse_period(text, TODAY)


class TestSums:
    def test_months_the_latest_first(self, store: LedgerStore) -> None:
        for days_ago in (0, 1, 2, 31):
            run(store, days_ago)
        assert names(store, "month") == [
            ("2026-12", "alice", 1), ("2026-11", "alice", 2), ("2026-10", "alice", 1),
        ]  # fmt: skip
        assert names(store, "2026-11") == [("2026-11", "alice", 2)]

    def test_days(self, store: LedgerStore) -> None:
        run(store, 0)
        run(store, 1)
        assert [name for name, *_ in names(store, "day")] == ["2026-12-01", "2026-11-30"]
        assert names(store, "2026-11-30") == [("2026-11-30", "alice", 1)]

    def test_who_held_the_most_memory_over_time_comes_first(self, store: LedgerStore) -> None:
        run(store, 0, principal="small", byte_seconds=1.0)
        run(store, 0, principal="large", byte_seconds=9.0)
        assert [name for _, name, _ in names(store, "month")] == ["large", "small"]

    def test_by_host_and_by_label(self, store: LedgerStore) -> None:
        run(store, 0, host="a", label="x")
        run(store, 0, host="b", label="x", principal="bob")
        run(store, 0, host="b", principal="carol")
        assert {(n, leases) for _, n, leases in names(store, "month", UsageBy.host)} == {
            ("a", 1), ("b", 2),
        }  # fmt: skip
        assert {(n, leases) for _, n, leases in names(store, "month", UsageBy.label)} == {
            ("x", 2), ("", 1),
        }  # fmt: skip

    def test_of_one_principal(self, store: LedgerStore) -> None:
        run(store, 0, label="x")
        run(store, 0, label="y", principal="bob")
        [entry] = usage_of(store, parse_period("month", TODAY), UsageBy.label, "bob").usage
        assert entry.name == "y"

    def test_numbers_are_in_seconds_and_bytes(self, store: LedgerStore) -> None:
        run(store, 0, cpu_s=1.5, byte_seconds=2.25, peak_bytes=9, fuel=7, refused_growths=3)
        [entry] = usage_of(store, parse_period("month", TODAY), UsageBy.principal).usage
        assert (entry.cpu_s, entry.byte_seconds, entry.fuel) == (1.5, 2.25, 7)
        assert (entry.peak_bytes, entry.refused_growths) == (9, 3)

    def test_labels_past_the_bound_are_told_as_others(self, store: LedgerStore) -> None:
        for number in range(MAX_OWN_SUMS + 3):
            run(store, 0, label=f"job-{number}")
        found = usage_of(store, parse_period("month", TODAY), UsageBy.label).usage
        assert [each.leases for each in found if each.is_others] == [3]
