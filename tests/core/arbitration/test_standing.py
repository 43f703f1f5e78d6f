"""Where a lease stands: what follows from it, and that only what can happen does."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from atectl.arbitration.standing import IllegalTransition, Phase, Standing

RUNS = Standing(1, 0, 100)
IS_TOLD_TO_PARK = RUNS.park()
PARKED = IS_TOLD_TO_PARK.reach_tick()
ASKS = RUNS.ask(30)
WAITS = ASKS.park()
IS_TOLD_TO_SPILL = WAITS.spill()
SPILLED = IS_TOLD_TO_SPILL.spilled(100)
SLEEPS = RUNS.fall_asleep()
EVERY = {
    "runs": RUNS,
    "is told to park": IS_TOLD_TO_PARK,
    "is parked": PARKED,
    "asks": ASKS,
    "waits": WAITS,
    "is told to spill": IS_TOLD_TO_SPILL,
    "is spilled": SPILLED,
    "could not be spilled": IS_TOLD_TO_SPILL.spill_failed(0),
    "sleeps": SLEEPS,
    "is to end": RUNS.abort(),
}


def those_that(holds: Callable[[Standing], object]) -> set[str]:
    return {name for name, standing in EVERY.items() if holds(standing)}


# What follows from where it stands


def test_a_lease_is_held_in_its_growth_request_and_from_a_tick_on() -> None:
    assert those_that(lambda lease: lease.is_held) == {
        *("is parked", "asks", "waits", "is told to spill", "is spilled", "could not be spilled"),
    }


def test_a_lease_may_go_on_if_it_is_held_and_nothing_else_is_being_done_to_it() -> None:
    assert those_that(lambda lease: lease.may_go_on) == {
        *("is parked", "asks", "waits", "is spilled", "could not be spilled"),
    }
    assert not PARKED.abort().may_go_on


def test_only_a_lease_that_goes_on_running_makes_progress() -> None:
    assert those_that(lambda lease: lease.makes_progress) == {"runs"}


def test_a_lease_that_asks_has_its_first_answer_once_it_is_parked() -> None:
    assert those_that(lambda lease: lease.awaits_first_answer) == {"asks"}
    assert not ASKS.abort().awaits_first_answer


def test_what_is_held_back_is_held_or_will_be() -> None:
    held = those_that(lambda lease: lease.is_held)
    assert those_that(lambda lease: lease.is_held_back) == held | {"is told to park"}


def test_only_a_spilled_lease_is_charged_nothing() -> None:
    assert those_that(lambda lease: not lease.charged_bytes) == {"is spilled"}
    assert RUNS.charged_bytes == IS_TOLD_TO_SPILL.charged_bytes == 100


@pytest.mark.parametrize(("lease", "size"), [(PARKED, 0), (WAITS, 30), (SPILLED, 130)])
def test_going_on_costs_the_growth_and_what_comes_back_from_disk(
    lease: Standing, size: int
) -> None:
    assert lease.return_bytes == size
    assert lease.go_on().charged_bytes == lease.charged_bytes + size


def test_what_is_parked_in_memory_can_be_spilled_once() -> None:
    assert those_that(lambda lease: lease.can_be_spilled) == {"is parked", "waits"}
    assert not PARKED.abort().can_be_spilled
    assert not Standing(1, 0, 0).park().reach_tick().can_be_spilled


def test_what_is_on_disk_already_takes_no_more_room_there() -> None:
    again = SPILLED.go_on().ask(10).park()
    assert (again.held_bytes, again.stored_bytes, again.room_needed_bytes) == (130, 100, 30)
    assert SPILLED.room_needed_bytes == 0


def test_who_was_told_something_is_changing_unless_it_sleeps() -> None:
    assert those_that(lambda lease: lease.is_changing) == {
        *("is told to park", "is told to spill", "is to end"),
    }
    assert not SLEEPS.park().is_changing
    assert not SLEEPS.abort().is_changing


def test_what_spills_or_ends_is_about_to_give_all_back() -> None:
    assert those_that(lambda lease: lease.relief_bytes) == {"is told to spill", "is to end"}
    assert not SLEEPS.abort().relief_bytes
    assert not SPILLED.abort().relief_bytes


def test_who_has_memory_may_overtake_unless_it_is_to_park() -> None:
    assert RUNS.may_overtake
    assert not IS_TOLD_TO_PARK.may_overtake
    assert not Standing(1, 0, 0).may_overtake


# How it comes to stand elsewhere


def test_a_growth_is_granted_by_going_on() -> None:
    assert ASKS.go_on() == WAITS.go_on() == Standing(1, 0, 130)


def test_a_spilled_lease_comes_back_in_full_and_keeps_its_file() -> None:
    assert SPILLED.go_on() == Standing(1, 0, 130, stored_bytes=100)


def test_who_is_told_to_park_is_held_by_its_own_growth_request_instead() -> None:
    asks = IS_TOLD_TO_PARK.ask(30)
    assert (asks.parking, asks.is_held) == (False, True)


def test_who_sleeps_is_awake_once_it_asks_or_reaches_a_tick() -> None:
    assert not SLEEPS.ask(30).stalled
    assert not SLEEPS.park().reach_tick().stalled
    assert SLEEPS.wake_up() == RUNS


def test_a_spill_that_failed_is_not_tried_again_before_that_is_said() -> None:
    failed = IS_TOLD_TO_SPILL.spill_failed(40)
    assert (failed.phase, failed.charged_bytes, failed.stored_bytes) == (Phase.PARKED, 100, 40)
    assert not failed.can_be_spilled
    assert failed.may_spill_again().can_be_spilled


@pytest.mark.parametrize("lease", [ASKS, WAITS, IS_TOLD_TO_SPILL, SPILLED, PARKED])
def test_who_is_turned_away_is_granted_nothing(lease: Standing) -> None:
    away = lease.turn_away()
    assert (away.held_bytes, away.asked_bytes) == (lease.held_bytes, 0)
    assert (away.charged_bytes, away.phase) == (lease.charged_bytes, lease.phase)
    assert (away.spilling, away.can_be_spilled) == (False, False)


def test_who_has_left_holds_nothing() -> None:
    for lease in EVERY.values():
        left = lease.leave()
        assert (left.held_bytes, left.charged_bytes, left.asked_bytes) == (0, 0, 0)


ALLOWED: dict[str, tuple[Callable[[Standing], Standing], set[str]]] = {
    "ask": (lambda lease: lease.ask(1), {"runs", "is told to park", "sleeps", "is to end"}),
    "go on": (
        Standing.go_on,
        {"is parked", "asks", "waits", "is spilled", "could not be spilled"},
    ),
    "give back": (lambda lease: lease.give_back(100), set(EVERY)),
    "park": (Standing.park, {"runs", "asks", "sleeps", "is to end"}),
    "reach a tick": (Standing.reach_tick, {"is told to park"}),
    "spill": (Standing.spill, {"is parked", "waits"}),
    "have spilled": (lambda lease: lease.spilled(100), {"is told to spill"}),
    "have failed to spill": (lambda lease: lease.spill_failed(0), {"is told to spill"}),
    "spill again": (Standing.may_spill_again, {"is parked", "waits", "could not be spilled"}),
    "abort": (Standing.abort, set(EVERY) - {"is to end"}),
    "be turned away": (
        Standing.turn_away,
        {"is parked", "asks", "waits", "is told to spill", "is spilled", "could not be spilled"},
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_each_transition_leads_only_from_where_it_can(name: str) -> None:
    transition, allowed = ALLOWED[name]
    for where, lease in EVERY.items():
        if where in allowed:
            transition(lease)
        else:
            with pytest.raises(IllegalTransition, match="lease 1 cannot"):
                transition(lease)


def test_nobody_gives_back_more_than_it_holds() -> None:
    with pytest.raises(IllegalTransition, match="give back 101 bytes"):
        RUNS.give_back(101)
    with pytest.raises(IllegalTransition):
        RUNS.give_back(-1)


def test_state_stays_charged_while_the_memories_are_on_disk() -> None:
    waits = Standing(1, 0, 100, fixed_bytes=60).ask(30).park()
    assert (waits.can_be_spilled, waits.room_needed_bytes) == (True, 40)
    spills = waits.spill()
    assert spills.relief_bytes == 40
    spilled = spills.spilled(40)
    assert (spilled.charged_bytes, spilled.return_bytes) == (60, 70)
    assert spilled.abort().relief_bytes == 60
    assert spilled.go_on().charged_bytes == 130


def test_who_holds_nothing_but_state_is_not_spilled() -> None:
    assert not Standing(1, 0, 60, fixed_bytes=60).ask(30).park().can_be_spilled


class AnyLife(RuleBasedStateMachine):
    """Whatever happens to a lease in whatever legal order."""

    def __init__(self) -> None:
        super().__init__()
        self.lease = Standing(1, 0, 0)
        self.granted_bytes = 0  # by its own book

    @initialize(size=st.just(0) | st.integers(1, 150))
    def have_state(self, size: int) -> None:
        self.lease = self.lease._replace(fixed_bytes=size)

    @precondition(lambda self: not self.lease.is_held)
    @rule(size=st.integers(1, 100))
    def ask(self, size: int) -> None:
        self.lease = self.lease.ask(size)

    @precondition(lambda self: self.lease.may_go_on)
    @rule()
    def go_on(self) -> None:
        self.granted_bytes += self.lease.asked_bytes
        back_bytes = self.lease.return_bytes
        before = self.lease.charged_bytes
        self.lease = self.lease.go_on()
        assert self.lease.charged_bytes == before + back_bytes

    @rule(share=st.floats(0, 1))
    def give_back(self, share: float) -> None:
        size = int(self.lease.held_bytes * share)
        self.granted_bytes -= size
        self.lease = self.lease.give_back(size)

    @precondition(lambda self: self.lease.phase is Phase.RUNNING and not self.lease.parking)
    @rule()
    def park(self) -> None:
        self.lease = self.lease.park()

    @precondition(lambda self: self.lease.parking)
    @rule()
    def reach_tick(self) -> None:
        self.lease = self.lease.reach_tick()

    @precondition(lambda self: self.lease.can_be_spilled)
    @rule()
    def spill(self) -> None:
        self.lease = self.lease.spill()

    @precondition(lambda self: self.lease.spilling)
    @rule()
    def have_spilled(self) -> None:
        self.lease = self.lease.spilled(max(self.lease.spillable_bytes, self.lease.stored_bytes))

    @precondition(lambda self: self.lease.spilling)
    @rule()
    def fail_to_spill(self) -> None:
        self.lease = self.lease.spill_failed(self.lease.stored_bytes)

    @precondition(lambda self: not self.lease.is_held)
    @rule(sleeps=st.booleans())
    def sleep(self, sleeps: bool) -> None:
        self.lease = self.lease.fall_asleep() if sleeps else self.lease.wake_up()

    @precondition(lambda self: not self.lease.aborting)
    @rule()
    def abort(self) -> None:
        self.lease = self.lease.abort()

    @invariant()
    def it_is_charged_its_state_alone_if_and_only_if_it_is_spilled(self) -> None:
        lease = self.lease
        assert lease.spillable_bytes == max(lease.held_bytes - lease.fixed_bytes, 0)
        on_disk_bytes = lease.spillable_bytes if lease.phase is Phase.SPILLED else 0
        assert lease.charged_bytes == lease.held_bytes - on_disk_bytes
        assert lease.charged_bytes + lease.return_bytes == lease.held_bytes + lease.asked_bytes

    @invariant()
    def what_is_spilled_or_spills_is_held(self) -> None:
        if self.lease.phase is Phase.SPILLED or self.lease.spilling:
            assert self.lease.is_held
            assert not self.lease.makes_progress

    @invariant()
    def it_stands_as_leases_do(self) -> None:
        assert self.lease.is_possible

    @invariant()
    def nobody_is_parked_and_yet_to_be_parked(self) -> None:
        assert not (self.lease.is_held and self.lease.parking)
        assert not (self.lease.phase is Phase.SPILLED and self.lease.spilling)

    @invariant()
    def nobody_is_held_and_asleep(self) -> None:
        assert not (self.lease.is_held and self.lease.stalled)

    @invariant()
    def only_what_is_held_can_be_spilled(self) -> None:
        assert not self.lease.spillable or self.lease.is_held

    @invariant()
    def what_was_granted_arrived_once(self) -> None:
        assert self.lease.held_bytes == self.granted_bytes

    @invariant()
    def it_runs_or_is_held_or_is_told_something(self) -> None:
        lease = self.lease
        assert lease.makes_progress != (
            lease.is_held or lease.parking or lease.aborting or lease.stalled
        )


TestAnyLife = AnyLife.TestCase
