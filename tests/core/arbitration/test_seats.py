"""All leases of an arbiter, unfinished or abandoned."""

import pytest

from atectl.arbitration.seat import Seat
from atectl.arbitration.seats import Seats
from atectl.arbitration.standing import Standing
from tests.support.tenants import Tenant


def seat_of(number: int) -> Seat:
    return Seat(Standing(number, 0, 100), Tenant())


@pytest.fixture
def three() -> list[Seat]:
    return [seat_of(number) for number in (1, 2, 3)]


@pytest.fixture
def seats(three: list[Seat]) -> Seats:
    seats = Seats()
    for each in three:
        seats.add(each)
    return seats


def numbers(seats: Seats) -> list[int]:
    return [standing.number for standing in seats.seen()]


def test_a_lease_is_found_by_its_number_until_it_is_removed(
    seats: Seats, three: list[Seat]
) -> None:
    assert seats[2] is three[1]
    seats.remove(three[1])
    assert tuple(seats.unfinished) == (three[0], three[2])
    with pytest.raises(KeyError):
        seats[2]


def test_an_abandoned_lease_has_finished_and_is_still_seen(seats: Seats, three: list[Seat]) -> None:
    assert seats.abandon(three[0])
    assert tuple(seats.unfinished) == (three[1], three[2])
    assert numbers(seats) == [1, 2, 3]
    assert {id(each) for each in seats.tenants()} == {id(each.tenant) for each in three}
    assert seats.seen()[0].stalled


def test_an_abandoned_lease_is_gone_once_it_is_removed(seats: Seats, three: list[Seat]) -> None:
    seats.abandon(three[0])
    seats.remove(three[0])
    assert numbers(seats) == [2, 3]
    assert len(list(seats.tenants())) == 2


def test_a_lease_that_has_finished_cannot_be_abandoned(seats: Seats, three: list[Seat]) -> None:
    seats.remove(three[0])
    assert not seats.abandon(three[0])
    assert not three[0].is_abandoned
    assert numbers(seats) == [2, 3]


def test_leases_are_decided_upon_in_the_order_of_their_numbers(three: list[Seat]) -> None:
    seats = Seats()
    for each in reversed(three):
        seats.add(each)
    seats.abandon(three[1])
    assert numbers(seats) == [1, 2, 3]


def test_somebody_is_held_back_as_long_as_an_unfinished_lease_is(
    seats: Seats, three: list[Seat]
) -> None:
    assert not seats.holds_anybody_back
    three[0].standing = three[0].standing.park()
    seats.note(three[0])
    assert seats.holds_anybody_back
    seats.abandon(three[0])
    assert not seats.holds_anybody_back


def test_the_growths_that_are_waited_for_add_up(seats: Seats, three: list[Seat]) -> None:
    assert seats.roster.asked_bytes == 0
    for each, size in zip(three, (5, 6), strict=False):
        each.standing = each.standing.ask(size)
        seats.note(each)
    assert seats.roster.asked_bytes == 11


def test_a_lease_that_was_removed_is_decided_upon_no_more_whatever_becomes_of_it(
    seats: Seats, three: list[Seat]
) -> None:
    three[0].standing = three[0].standing.park()
    seats.note(three[0])
    seats.remove(three[0])
    assert not seats.holds_anybody_back
    seats.note(three[0])
    assert [standing.number for standing in seats.roster] == [2, 3]
    assert not seats.holds_anybody_back


def test_an_abandoned_lease_is_decided_upon_as_one_that_sleeps(
    seats: Seats, three: list[Seat]
) -> None:
    seats.abandon(three[0])
    three[0].standing = three[0].standing.give_back(40)
    seats.note(three[0])
    first = next(iter(seats.roster))
    assert (first.number, first.held_bytes, first.stalled) == (1, 60, True)
