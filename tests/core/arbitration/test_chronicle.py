"""What an arbiter tells: its latest rulings, and all that happens to an observer."""

from typing import Any

import pytest

from atectl.accounting import Budget, Pressure
from atectl.arbitration.chronicle import Chronicle
from atectl.arbitration.seat import RULINGS_KEPT, Seat
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action, Decision, HostView
from tests.support.tenants import Tenant

PRESSURE = Pressure(None, 10, 20)
HOST = HostView(Budget(100), None, 0, (), 0)
DECISIONS = [Decision(Action.PARK, 1, 5, "over soft")]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Heard:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *words: self.told.append((name, *words))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seat() -> Seat:
    return Seat(Standing(1, 0, 0), Tenant())


def test_its_time_begins_with_it(clock: Clock) -> None:
    chronicle = Chronicle(clock, None)
    assert chronicle.now_s == 0
    clock.now += 2.5
    assert chronicle.now_s == 2.5


def test_an_observer_is_told_of_everything_with_its_time(clock: Clock, seat: Seat) -> None:
    heard = Heard()
    chronicle = Chronicle(clock, heard)
    chronicle.registered(seat)
    clock.now += 1
    chronicle.asked(seat, 30)
    chronicle.sampled(PRESSURE)
    clock.now += 1
    chronicle.decided(HOST, DECISIONS)
    chronicle.ruled(seat, Action.PARK, 30, "over soft", PRESSURE)
    chronicle.finished(seat)
    assert heard.told == [
        ("registered", 0, seat),
        ("asked", 1, seat, 30),
        ("sampled", 1, PRESSURE),
        ("decided", 2, HOST, DECISIONS),
        ("ruled", seat.rulings[0], PRESSURE),
        ("finished", 2, seat),
    ]


def test_a_ruling_has_when_it_was_made_and_under_which_pressure(clock: Clock, seat: Seat) -> None:
    chronicle = Chronicle(clock, None)
    clock.now += 3
    chronicle.ruled(seat, Action.SPILL, 40, "spilled", PRESSURE, freed_bytes=35)
    (ruling,) = chronicle.latest
    assert ruling == (3, Action.SPILL, 1, 40, 35, PRESSURE.total_bytes, "spilled")


def test_the_latest_rulings_are_kept_of_each_lease_and_of_all(clock: Clock, seat: Seat) -> None:
    chronicle = Chronicle(clock, None)
    other = Seat(Standing(2, 0, 0), Tenant())
    chronicle.ruled(other, Action.PARK, 0, "", PRESSURE)
    for size in range(RULINGS_KEPT + 1):
        chronicle.ruled(seat, Action.PARK, size, "", PRESSURE)
    assert [each.bytes for each in chronicle.latest] == list(range(1, RULINGS_KEPT + 1))
    assert list(seat.rulings) == list(chronicle.latest)
    assert [each.lease for each in other.rulings] == [2]


def test_without_an_observer_rulings_are_kept_all_the_same(clock: Clock, seat: Seat) -> None:
    chronicle = Chronicle(clock, None)
    chronicle.registered(seat)
    chronicle.asked(seat, 30)
    chronicle.sampled(PRESSURE)
    chronicle.decided(HOST, DECISIONS)
    chronicle.ruled(seat, Action.PARK, 30, "over soft", PRESSURE)
    chronicle.finished(seat)
    assert [each.action for each in chronicle.latest] == [Action.PARK]
