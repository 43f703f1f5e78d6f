"""One lease as its arbiter knows it."""

import pytest

from atectl.arbitration.seat import FAILED, Ruling, Seat, came_back
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action
from atectl.arbitration.wording import Abortion
from tests.support.tenants import Tenant

STALL_S = 0.25


def seat_of(standing: Standing) -> Seat:
    return Seat(standing, Tenant())


class Woken(Tenant):
    times = 0

    def woken(self) -> None:
        self.times += 1


@pytest.fixture
def seat() -> Seat:
    return seat_of(Standing(7, 0, 100))


def test_growths_that_are_only_counted_show_in_its_standing(seat: Seat) -> None:
    seat.held_bytes += 30
    assert seat.standing == Standing(7, 0, 130)


def test_a_new_standing_says_what_it_holds(seat: Seat) -> None:
    seat.held_bytes += 30
    seat.standing = seat.standing.give_back(50)
    assert seat.held_bytes == 80


def test_a_lease_that_was_refused_is_not_held_any_more(seat: Seat) -> None:
    seat.standing = seat.standing.ask(10).park()
    assert seat.is_held
    assert seat.is_held_back
    seat.was_refused = True
    assert not seat.is_held
    assert not seat.is_held_back


def test_a_lease_that_was_told_to_park_is_held_back_but_not_held(seat: Seat) -> None:
    seat.standing = seat.standing.park()
    assert seat.is_held_back
    assert not seat.is_held


def test_a_lease_without_memory_may_overtake_once_it_has_some() -> None:
    seat = seat_of(Standing(7, 0, 0))
    assert not seat.may_overtake
    seat.held_bytes += 1
    assert seat.may_overtake


# Whether its guest is awake


def test_a_running_guest_is_asked_once_to_show_that_it_is_awake(seat: Seat) -> None:
    assert seat.probe(1.0, STALL_S)
    assert not seat.probe(1.0 + STALL_S, STALL_S)
    assert not seat.standing.stalled


def test_a_guest_that_does_not_show_itself_in_time_stalls(seat: Seat) -> None:
    seat.probe(1.0, STALL_S)
    seat.probe(1.0 + 2 * STALL_S, STALL_S)
    assert seat.standing.stalled


def test_a_guest_that_is_heard_of_is_awake_and_can_be_asked_again(seat: Seat) -> None:
    seat.probe(1.0, STALL_S)
    seat.probe(1.0 + 2 * STALL_S, STALL_S)
    seat.hear_of()
    assert not seat.standing.stalled
    assert seat.probe(2.0, STALL_S)


def test_a_guest_that_is_held_is_not_asked(seat: Seat) -> None:
    seat.standing = seat.standing.ask(10)
    assert not seat.probe(1.0, STALL_S)
    assert seat.probed_at is None


# A spill that failed


def test_a_spill_that_failed_may_be_tried_again_once_there_is_enough_room(seat: Seat) -> None:
    seat.standing = seat.standing.ask(10).park().spill().spill_failed(0)
    seat.room_wanted_bytes = 200
    seat.note_room(199)
    assert not seat.standing.can_be_spilled
    seat.note_room(200)
    assert seat.standing.can_be_spilled
    assert seat.room_wanted_bytes == 0


def test_a_spill_that_failed_is_not_tried_again_on_a_lease_that_has_gone_on(seat: Seat) -> None:
    seat.standing = seat.standing.ask(10).park().spill().spill_failed(0).go_on()
    seat.room_wanted_bytes = 200
    seat.note_room(1000)
    assert seat.standing == Standing(7, 0, 110)


# What is decided upon


def test_a_lease_that_was_told_to_end_is_seen_as_ending_whoever_did_it(seat: Seat) -> None:
    assert not seat.seen().aborting
    seat.tenant.abort(Abortion("", "", 0, may_fit=False))
    assert seat.seen().aborting
    assert not seat.standing.aborting


def test_an_abandoned_lease_is_seen_asleep(seat: Seat) -> None:
    seat.is_abandoned = True
    assert seat.seen().stalled


# Waiting


def test_its_tenant_is_told_to_look_again() -> None:
    tenant = Woken()
    Seat(Standing(7, 0, 0), tenant).wake()
    assert tenant.times == 1


# Rulings


def ruling(action: Action, reason: str = "") -> Ruling:
    return Ruling(0.0, action, 7, 0, None, 0, reason)


def test_a_lease_came_back_if_it_goes_on_after_a_spill() -> None:
    spill = ruling(Action.SPILL, "spilled")
    assert came_back(spill, ruling(Action.GRANT))
    assert came_back(spill, ruling(Action.RESUME))
    assert not came_back(spill, ruling(Action.ABORT))
    assert not came_back(ruling(Action.PARK), ruling(Action.GRANT))


def test_a_lease_whose_spill_failed_did_not_come_back() -> None:
    spill = ruling(Action.SPILL, f"{FAILED}: no room")
    assert spill.has_failed
    assert not came_back(spill, ruling(Action.GRANT))


def test_only_a_spill_fails() -> None:
    assert not ruling(Action.SPILL, "spilled").has_failed
    assert not ruling(Action.PARK, FAILED).has_failed


def test_a_new_seat_runs(seat: Seat) -> None:
    assert seat.standing.phase is Phase.RUNNING
    assert (seat.number, seat.held_bytes) == (7, 100)
