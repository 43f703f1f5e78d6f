"""A store and memory have the same accounts and sums of days, as both go by accounting's rules."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl import accounting
from atectl.accounting import (
    DAY_S,
    MAX_TOTAL,
    Account,
    Counted,
    Ledger,
    Observation,
    Spender,
    Sums,
    Usage,
)
from atectl.ledger_store.records import LeaseRecord
from tests.support.days_in_memory import Periods
from tests.support.lease_records import NOW, finish, make_lease
from tests.support.ledger_places import LOCAL_PLACES, PLACES, Place

SMALL = st.integers(0, 4)
TOTALS = SMALL | st.just(MAX_TOTAL)
SECONDS = st.integers(0, 800).map(lambda eighths: eighths / 8)
"""Whole numbers of the units that stores count in."""

MIDNIGHT = NOW - NOW % DAY_S
MOMENTS = st.floats(-10, 3 * DAY_S).map(lambda moment: round(moment, 3))


@st.composite
def histories(draw: st.DrawFn) -> list[list[LeaseRecord]]:
    """Flush by flush what was told of leases: some more than once, some with totals that fell."""
    generations = [0] * 8  # a lease that has ended gives its place to another
    flushes = []
    for size in draw(st.lists(st.integers(0, 4), max_size=12)):
        told = []
        for place in draw(st.lists(st.integers(0, 7), min_size=size, max_size=size)):
            lease = make_lease(
                id=f"{place}-{generations[place]}",
                principal=f"p{place % 5}",
                peak_bytes=draw(SMALL),
                high_water_bytes=draw(SMALL),
                fuel=draw(TOTALS),
                cpu_s=draw(SECONDS),
                byte_seconds=draw(SECONDS),
                refused_growths=draw(TOTALS),
                trapped=draw(st.integers(0, 1)),
                host=draw(st.sampled_from(["host-a", "host-b"])),
                label=draw(st.sampled_from(["", "x", "y", "z"])),
                started_at=MIDNIGHT - draw(MOMENTS),
                updated_at=MIDNIGHT - draw(MOMENTS),
            )
            if draw(st.booleans()):
                generations[place] += 1
                lease = finish(lease)
            told.append(lease)
        flushes.append(told)
    return flushes


def accounts_of_core(
    history: Sequence[Sequence[LeaseRecord]], capacity: int
) -> dict[str, tuple[int, Usage]]:
    ledger = Ledger(capacity)
    for told in history:
        for lease in told:
            ledger.observe(lease.observation, is_last=lease.finished_at is not None)
    return {account.principal: (account.peak_bytes, account.usage) for account in ledger.accounts()}


def accounts_of_store(
    kind: type[Place], history: Sequence[Sequence[LeaseRecord]], capacity: int
) -> dict[str, tuple[int, Usage]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(kind(Path(folder)).open(capacity)) as store,
    ):
        for told in history:
            store.flush(told)
        return {
            account.principal: (
                account.peak_bytes,
                Usage(*(getattr(account, name) for name in Usage._fields)),
            )
            for account in store.accounts()
        }


def accounts(
    kind: type[Place] | None, history: Sequence[Sequence[LeaseRecord]], capacity: int
) -> dict[str, tuple[int, Usage]]:
    """The accounts that a store keeps, or the ledger in memory where `kind` is None."""
    if kind is None:
        return accounts_of_core(history, capacity)
    return accounts_of_store(kind, history, capacity)


@pytest.mark.parametrize("kind", PLACES)
@given(histories(), st.integers(1, 4))
def test_any_history_leaves_the_same_accounts(
    kind: type[Place], history: list[list[LeaseRecord]], capacity: int
) -> None:
    expected = accounts_of_core(history, capacity)
    assert accounts_of_store(kind, history, capacity) == expected


def sums_of_core(history: Sequence[Sequence[LeaseRecord]]) -> Periods:
    periods = Periods()
    counted: dict[str, tuple[Usage, float]] = {}
    for told in history:
        for lease in told:
            usage, since = counted.get(lease.id, (Usage(), lease.started_at))
            new = accounting.new_sums(lease.observation.usage, usage, lease.peak_bytes)
            spender = Spender(lease.principal, lease.host, lease.label)
            periods.add(spender, new, since, lease.updated_at)
            counted[lease.id] = lease.observation.usage, lease.updated_at
    return periods


@pytest.mark.parametrize("kind", PLACES)
@given(histories())
def test_any_history_leaves_the_same_sums_of_days(
    kind: type[Place], history: list[list[LeaseRecord]]
) -> None:
    with pytest.MonkeyPatch.context() as smaller, tempfile.TemporaryDirectory() as folder:
        smaller.setattr(accounting, "MAX_NAMED_SUMS", 4)
        smaller.setattr(accounting, "MAX_OWN_SUMS", 2)
        with closing(kind(Path(folder)).open()) as store:
            for told in history:
                store.flush(told)
            found: dict[int, dict[Spender, Sums]] = {}
            for day in store.days(0, int(NOW // DAY_S) + 9):
                found.setdefault(day.day, {})[Spender(*day[1:4])] = Sums(*day[4:])
            totals = {Spender(*each[1:4]): Sums(*each[4:]) for each in store.totals()}
        expected = sums_of_core(history)
        assert found == expected.sums()
        assert totals == expected.totals()


KEEPERS = [None, *LOCAL_PLACES]

Keeper = type[Place] | None


@pytest.mark.parametrize("keeper", KEEPERS)
class TestEachAsksAccounting:
    """Each test changes a rule in accounting alone, and sees this keeper of accounts follow."""

    def test_who_may_displace_whom(self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
        equals = [[make_lease(id=name, principal=name, peak_bytes=7) for name in ("first", "next")]]
        assert list(accounts(keeper, equals, capacity=1)) == ["first"]

        monkeypatch.setattr(accounting, "may_displace", lambda newcomer, lowest: newcomer >= lowest)
        assert list(accounts(keeper, equals, capacity=1)) == ["next"]

    def test_what_is_new_of_a_lease(self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
        twice = [[make_lease(fuel=5)], [make_lease(fuel=7)]]
        assert accounts(keeper, twice, capacity=1)["alice"][1].fuel == 7

        monkeypatch.setattr(Usage, "since", lambda now, _earlier: now)
        assert accounts(keeper, twice, capacity=1)["alice"][1].fuel == 12

    def test_what_a_lease_without_an_account_brings_later(
        self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = [
            [make_lease(id="high", principal="high", peak_bytes=9)],
            [make_lease(peak_bytes=1, fuel=5)],
            [make_lease(peak_bytes=10, fuel=7)],
        ]
        assert accounts(keeper, late, capacity=1)["alice"][1].fuel == 7

        def forget(seen: Observation, _counted: Counted) -> Counted:
            return Counted(seen.usage, account=0)

        monkeypatch.setattr(accounting, "count_nowhere", forget)
        assert accounts(keeper, late, capacity=1)["alice"][1].fuel == 2

    def test_how_an_account_takes_what_was_seen(
        self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usual: Callable[..., tuple[Account, Counted]] = accounting.count

        def count_twice(
            account: Account, seen: Observation, counted: Counted
        ) -> tuple[Account, Counted]:
            grown, _ = usual(account, seen, counted)
            return usual(grown, seen, counted)

        monkeypatch.setattr(accounting, "count", count_twice)
        assert accounts(keeper, [[make_lease(fuel=5)]], capacity=1)["alice"][1].fuel == 10

    def test_where_totals_stop(self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accounting, "MAX_TOTAL", 8)
        two = [[make_lease(id="a", fuel=6), make_lease(id="b", fuel=6)]]
        assert accounts(keeper, two, capacity=1)["alice"][1].fuel == 8
