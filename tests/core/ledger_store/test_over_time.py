"""What leases held over time, from what a ledger still knows of them."""

from atectl.ledger_store.export.over_time import held_in_columns
from tests.support.lease_records import finish, make_lease


def lease(began: float, ended: float, byte_seconds: float, most: int = 10**9):  # type: ignore[no-untyped-def]
    told = make_lease(
        started_at=began, updated_at=ended, byte_seconds=byte_seconds, high_water_bytes=most
    )
    return finish(told)


def test_a_lease_held_the_same_all_the_while() -> None:
    assert held_in_columns([lease(2, 4, 200)], 0, 6, 6) == [0, 0, 100, 100, 0, 0]


def test_leases_at_once_add_up() -> None:
    assert held_in_columns([lease(0, 2, 20), lease(1, 2, 5)], 0, 3, 3) == [10, 15, 0]


def test_part_of_a_column_counts_as_its_share() -> None:
    assert held_in_columns([lease(0.5, 1, 50)], 0, 2, 2) == [50, 0]


def test_what_was_before_is_cut_off() -> None:
    assert held_in_columns([lease(-10, 2, 1200)], 0, 2, 2) == [100, 100]


def test_a_damaged_number_counts_as_nothing() -> None:
    assert held_in_columns([lease(0, 2, float("nan"))], 0, 2, 2) == [0, 0]


def test_no_lease_held_more_than_its_high_water_mark() -> None:
    assert held_in_columns([lease(0, 1, 10**9, most=5)], 0, 1, 1) == [5]
