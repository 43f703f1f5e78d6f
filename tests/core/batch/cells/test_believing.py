"""Figures of a cell are taken as far as they can be true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Reading
from atectl.batch.cells.believing import believable, believable_resident
from atectl.batch.cells.wire import Malformed
from atectl.system.walls.amounts import SLACK_BYTES

MIB = 1 << 20
WHOLE = st.integers(0, 1 << 63)


def test_what_can_be_is_taken_as_it_is() -> None:
    reading = Reading(MIB, 2 * MIB, 2 * MIB, 7, 9 * MIB, 1.5 * MIB)
    assert believable(reading, 0.9, 2 * MIB, 1.0) == (reading, 0.9)


@pytest.mark.parametrize("field", ["current_bytes", "peak_bytes", "grown_bytes"])
def test_no_lease_held_more_than_its_quota(field: str) -> None:
    with pytest.raises(Malformed):
        believable(Reading(0, 0, 0, 0, 0, 0.0)._replace(**{field: MIB + 1}), 0.0, MIB, 1.0)


@given(refused=WHOLE, byte_seconds=st.floats(0, 1e24), cpu_s=st.floats(0, 1e9))
def test_nothing_took_more_time_than_there_was(
    refused: int, byte_seconds: float, cpu_s: float
) -> None:
    reading, taken_s = believable(
        Reading(0, 0, 0, refused, 0, byte_seconds), cpu_s, MIB, wall_s := 0.5
    )
    assert taken_s <= wall_s
    assert reading.byte_seconds <= MIB * wall_s
    assert reading.refused_growths <= 10_000_000 * wall_s


@given(told=WHOLE, held=WHOLE, of_cell=WHOLE, of_others=WHOLE)
def test_of_a_lease_no_more_is_resident_than_it_was_granted_and_its_cell_holds(
    told: int, held: int, of_cell: int, of_others: int
) -> None:
    resident = believable_resident(told, held, of_cell, of_others)
    assert resident is not None
    assert 0 <= resident <= min(held, of_cell)


def test_a_cell_cannot_conceal_more_than_it_may_hold_beside_its_leases() -> None:
    of_cell = SLACK_BYTES + 100 * MIB
    assert believable_resident(0, 300 * MIB, of_cell, 0) == 100 * MIB
    assert believable_resident(0, 300 * MIB, of_cell, 60 * MIB) == 40 * MIB
    assert believable_resident(70 * MIB, 300 * MIB, of_cell, 60 * MIB) == 70 * MIB


@pytest.mark.parametrize("told", [None, True, "7", 7.0, [7]])
def test_what_is_no_number_tells_nothing(told: object) -> None:
    assert believable_resident(told, 9, 9, 0) is None
