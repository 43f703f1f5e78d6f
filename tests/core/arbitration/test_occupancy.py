"""How many running leases it takes to keep the cores busy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.arbitration.occupancy import Occupancy


class Machine:
    """Two cores, of which leases that run use a share each."""

    def __init__(self, share: float, *, tells: bool = True) -> None:
        self.share = share
        self.now_s = 100.0
        self.idle_s = 0.0
        self.occupancy = Occupancy(2, lambda: self.idle_s if tells else None)

    def pass_(self, seconds: float, running: int) -> None:
        self.occupancy.note(self.now_s, running)
        self.now_s += seconds
        self.idle_s += seconds * max(2 - running * self.share, 0.0)

    def needed_after(self, seconds: float, running: int) -> int:
        self.occupancy.look(self.now_s)
        self.pass_(seconds, running)
        self.occupancy.look(self.now_s)
        return self.occupancy.needed


def test_of_leases_that_compute_one_for_each_core_is_needed() -> None:
    assert Machine(1.0).needed_after(1.0, running=2) == 2


def test_of_leases_that_sleep_half_the_time_twice_as_many_are_needed() -> None:
    assert Machine(0.5).needed_after(1.0, running=2) == 4


def test_while_the_cores_are_busy_all_the_time_one_fewer_is_tried() -> None:
    machine = Machine(0.25)
    machine.needed_after(1.0, running=2)
    assert [machine.needed_after(1.0, running=8) for _ in range(3)] == [7, 6, 5]


def test_a_core_that_is_idle_since_a_lease_is_held_asks_for_no_more() -> None:
    machine = Machine(1.0)
    machine.occupancy.look(machine.now_s)
    machine.pass_(0.6, running=2)
    machine.pass_(0.4, running=1)
    machine.occupancy.look(machine.now_s)
    assert machine.occupancy.needed == 2


def test_however_idle_the_cores_are_no_more_than_eight_times_as_many_are_needed_at_once() -> None:
    assert Machine(0.001).needed_after(1.0, running=3) == 24


def test_nothing_is_known_after_too_short_a_time_or_where_the_system_does_not_tell() -> None:
    assert Machine(0.1).needed_after(0.1, running=2) == 2
    assert Machine(0.1, tells=False).needed_after(1.0, running=2) == 2


def test_it_is_known_once_exactly_a_window_of_a_fifth_of_a_second_has_passed() -> None:
    readings = iter((0.0, 0.2))
    occupancy = Occupancy(2, lambda: next(readings))
    occupancy.look(0.0)
    occupancy.note(0.0, 2)
    occupancy.look(0.2)
    assert occupancy.needed == 4


@pytest.mark.parametrize(("idle_s", "needed"), [(0.06, 2), (0.062, 8)])
def test_cores_that_are_busy_for_exactly_97_hundredths_of_the_time_are_taken_to_be_busy_all_of_it(
    idle_s: float, needed: int
) -> None:
    readings = iter((0.0, idle_s))
    occupancy = Occupancy(2, lambda: next(readings))
    occupancy.look(0.0)
    occupancy.note(0.0, 8)
    occupancy.look(1.0)
    assert occupancy.needed == needed


def test_before_the_first_lease_none_runs() -> None:
    readings = iter((0.0, 1.5))  # two cores are idle, and for the second half one
    occupancy = Occupancy(2, lambda: next(readings))
    occupancy.look(0.0)
    occupancy.note(0.5, 2)
    occupancy.look(1.0)
    assert occupancy.needed == 4


def test_what_was_measured_is_forgotten_once_nothing_is_on_disk() -> None:
    machine = Machine(0.1)
    assert machine.needed_after(1.0, running=2) > 2
    machine.occupancy.forget()
    assert machine.occupancy.needed == 2


@given(st.floats(0.02, 1.0), st.integers(1, 6))
def test_as_many_as_are_needed_keep_the_cores_busy_in_the_end(share: float, running: int) -> None:
    machine = Machine(share)
    for _ in range(12):
        running = max(machine.needed_after(1.0, running), 1)
    assert running * share >= 2 - 2 * share - 0.1
