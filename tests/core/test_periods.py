"""Usage by day, against what it promises: parts that add up, and bounded sums."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl import accounting
from atectl.accounting import (
    DAY_S,
    MAX_TOTAL,
    OTHERS,
    PERIOD_DAYS,
    Spender,
    Sums,
    Usage,
    by_day,
    new_sums,
)
from tests.support.days_in_memory import Periods

MIDNIGHT = 20_000 * DAY_S
ALICE = Spender("alice", "host-a", "nightly")
AMOUNT = st.integers(0, 10**6) | st.integers(0, MAX_TOTAL)


class TestWhatIsNew:
    def test_totals_are_taken_in_whole_units(self) -> None:
        seen = Usage(cpu_s=1.5, byte_seconds=2.25, fuel=7, leases=1, refused_growths=3)
        assert new_sums(seen, Usage(), 9) == Sums(1, 1_500_000, 2250, 7, 3, 9)

    def test_what_was_counted_is_not_counted_again(self) -> None:
        seen = Usage(cpu_s=1.5, byte_seconds=2.25, fuel=7, leases=1, refused_growths=3)
        assert new_sums(seen, seen, 9) == Sums(peak_bytes=9)

    def test_totals_that_fell_take_nothing_back(self) -> None:
        assert new_sums(Usage(), Usage(fuel=5, cpu_s=1.0, leases=1), 0) == Sums()

    @pytest.mark.parametrize("damaged", [float("nan"), float("inf"), -1.0])
    def test_a_damaged_amount_counts_as_none(self, damaged: float) -> None:
        assert new_sums(Usage(cpu_s=damaged, byte_seconds=damaged), Usage(), 0) == Sums()


class TestSplitting:
    def test_within_a_day_it_is_whole(self) -> None:
        used = Sums(1, 10, 20, 30, 2, 5)
        assert by_day(used, MIDNIGHT, MIDNIGHT + 60) == [(20_000, used)]

    def test_it_is_split_by_time_at_midnight(self) -> None:
        used = Sums(1, 400, 800, 1200, 2, 5)
        assert by_day(used, MIDNIGHT - 10, MIDNIGHT + 30) == [
            (19_999, Sums(1, 100, 200, 300, 0, 5)),
            (20_000, Sums(0, 300, 600, 900, 2, 5)),
        ]

    @given(st.builds(Sums, *[AMOUNT] * 6), st.floats(0, 4e10), st.floats(0, 60 * DAY_S))
    def test_the_parts_add_up_and_follow_one_another(
        self, used: Sums, since: float, longer: float
    ) -> None:
        parts = by_day(used, since, since + longer)
        added = Sums()
        for _, part in parts:
            assert min(part) >= 0
            added = added.plus(part)
        assert added == used
        assert all(day + 1 == following for (day, _), (following, _) in pairwise(parts))

    @pytest.mark.parametrize("since", [MIDNIGHT + 99, float("nan"), float("inf")])
    def test_what_has_no_beginning_is_of_its_end(self, since: float) -> None:
        used = Sums(1, 10, 20, 30, 2, 5)
        assert by_day(used, since, MIDNIGHT + 1) == [(20_000, used)]

    def test_a_very_long_time_is_that_of_the_days_kept(self) -> None:
        parts = by_day(Sums(1, 10**9), 0.0, MIDNIGHT + 1)
        assert len(parts) == PERIOD_DAYS
        assert sum(part.cpu_us for _, part in parts) == 10**9


class TestPeriods:
    def test_what_one_spender_used_on_a_day_is_one_sum(self) -> None:
        periods = Periods()
        periods.add(ALICE, Sums(1, 5, peak_bytes=7), MIDNIGHT, MIDNIGHT + 1)
        periods.add(ALICE, Sums(1, 6, peak_bytes=3), MIDNIGHT + 5, MIDNIGHT + 6)
        assert periods.sums() == {20_000: {ALICE: Sums(2, 11, peak_bytes=7)}}

    def test_labels_beyond_the_bound_are_kept_as_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accounting, "MAX_OWN_SUMS", 2)
        [day] = labelled("alice", 4).sums().values()
        assert [(spender.label, sums.leases) for spender, sums in day.items()] == [
            ("l0", 1), ("l1", 1), (OTHERS, 2),
        ]  # fmt: skip

    def test_the_labels_of_one_principal_take_no_room_of_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(accounting, "MAX_OWN_SUMS", 3)
        periods = labelled("alice", 100)
        periods.add(Spender("bob", "host-a", "own"), Sums(1), MIDNIGHT, MIDNIGHT)
        assert Spender("bob", "host-a", "own") in periods.sums()[20_000]

    def test_a_day_is_bounded_and_loses_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accounting, "MAX_NAMED_SUMS", 3)
        periods = Periods()
        for number in range(20):
            periods.add(Spender(f"p{number}", "h", ""), Sums(1), MIDNIGHT, MIDNIGHT)
        [day] = periods.sums().values()
        assert len(day) == 2 * 3 + 1
        assert sum(sums.leases for sums in day.values()) == 20
        assert day[Spender(OTHERS, OTHERS, OTHERS)].leases == 20 - 6

    def test_days_past_the_last_four_hundred_are_forgotten(self) -> None:
        periods = Periods()
        for day in (20_000, 20_000 - PERIOD_DAYS, 20_001, 20_000 - PERIOD_DAYS + 2):
            periods.add(ALICE, Sums(1), day * DAY_S, day * DAY_S)
        assert sorted(periods.sums()) == [20_000 - PERIOD_DAYS + 2, 20_000, 20_001]


def labelled(principal: str, count: int) -> Periods:
    periods = Periods()
    for number in range(count):
        periods.add(Spender(principal, "host-a", f"l{number}"), Sums(1), MIDNIGHT, MIDNIGHT)
    return periods
