"""What a host counts of what a cell tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Quota, Reading
from atectl.batch.cells.lease_use import LeaseUse
from atectl.batch.cells.wire import Malformed

MIB = 1 << 20
TOLD = [1, MIB, MIB, 2, 3, 4.5]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(), inner, max_size=4),
)


def test_before_anything_is_told_nothing_is_used() -> None:
    use = LeaseUse(Quota(MIB))
    assert not use.was_told
    assert (use.read(), use.cpu_s, use.fuel) == (Reading(0, 0, 0, 0, 0, 0.0), 0.0, 0)


def test_the_last_that_was_told_counts() -> None:
    use = LeaseUse(Quota(MIB))
    use.take_reading([0, 0, 0, 0, 0, 0.0, 0.25], 1.0)
    use.take_reading([*TOLD, 0.5], 1.0)
    assert use.was_told
    assert (use.read(), use.cpu_s) == (Reading(*TOLD), 0.5)


def test_at_the_end_its_fuel_is_told_too() -> None:
    use = LeaseUse(Quota(MIB, fuel=100))
    use.take_result({"reading": TOLD, "cpu_s": 0.5, "fuel": 77}, 1.0)
    assert (use.read(), use.cpu_s, use.fuel) == (Reading(*TOLD), 0.5, 77)


@pytest.mark.parametrize(("given_fuel", "told"), [(None, 1), (100, 101)])
def test_no_fuel_is_burned_that_was_not_given(given_fuel: int | None, told: int) -> None:
    with pytest.raises(Malformed):
        LeaseUse(Quota(MIB, fuel=given_fuel)).take_result(
            {"reading": TOLD, "cpu_s": 0.5, "fuel": told}, 1.0
        )


def test_what_its_cell_holds_beside_counts_over_time_and_its_most_is_kept() -> None:
    use = LeaseUse(Quota(MIB))
    use.take_reading([*TOLD, 0.5], 1.0)
    use.see_host(9 * MIB, 2 * MIB, 0.5)
    use.see_host(8 * MIB, MIB, 2.0)
    assert use.read().byte_seconds == 4.5 + 3 * MIB
    assert use.host_bytes == 9 * MIB


@given(told=ANYTHING)
def test_whatever_a_cell_says_is_taken_or_refused_and_fails_nothing(told: object) -> None:
    use = LeaseUse(Quota(MIB, fuel=9))
    for take in (use.take_reading, lambda told, wall_s: use.take_result({"reading": told}, wall_s)):
        try:
            take(told, 1.0)
        except Malformed:
            assert not use.was_told


@pytest.mark.parametrize("told", [[], [1], TOLD, [*TOLD, 0.5, 0.5], {}, "told"])
def test_a_reading_has_all_its_parts_and_no_more(told: object) -> None:
    with pytest.raises(Malformed):
        LeaseUse(Quota(MIB)).take_reading(told, 1.0)
