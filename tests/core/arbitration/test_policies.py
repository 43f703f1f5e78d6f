"""Whom each policy takes memory from, and which policy goes with which back-pressure."""

import pytest

from atectl.arbitration.policies import POLICY_NAMES, rules
from atectl.arbitration.standing import Standing


def runs(number: int, held: int, priority: int = 0) -> Standing:
    return Standing(number, priority, held)


def parked(number: int, held: int, priority: int = 0) -> Standing:
    return runs(number, held, priority).park().reach_tick()


def victim(policy: str, *leases: Standing, backpressure: str = "both") -> int | None:
    found = rules(backpressure, policy).policy.victim(leases)
    return None if found is None else found.number


def test_largest_takes_the_one_charged_most_and_of_equals_the_newest() -> None:
    assert victim("largest", parked(1, 10), parked(2, 30), parked(3, 30), parked(4, 20)) == 3


def test_priority_takes_the_lowest_then_the_largest_and_of_equals_the_oldest() -> None:
    low = [parked(2, 10, priority=-1), parked(3, 20, priority=-1), parked(4, 20, priority=-1)]
    assert victim("priority", parked(1, 99), *low) == 3


def test_park_first_takes_the_first_that_runs() -> None:
    assert victim("park-first", parked(1, 99), runs(2, 1), runs(3, 50)) == 2


@pytest.mark.parametrize(("backpressure", "taken"), [("both", 2), ("park", 1), ("spill", 1)])
def test_park_first_falls_back_on_the_policy_of_the_back_pressure(
    backpressure: str, taken: int
) -> None:
    held = (parked(1, 1, priority=-1), parked(2, 99))
    assert victim("park-first", *held, backpressure=backpressure) == taken


def test_none_takes_nobody() -> None:
    assert victim("none", runs(1, 5), parked(2, 99)) is None


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_of_no_leases_no_policy_takes_any(policy: str) -> None:
    assert victim(policy) is None


@pytest.mark.parametrize(
    ("backpressure", "expected"),
    [
        ("none", (False, False, "none")),
        ("park", (True, False, "park-first:priority")),
        ("spill", (False, True, "priority")),
        ("both", (True, True, "park-first:largest")),
    ],
)
def test_each_back_pressure_has_a_policy_of_its_own(
    backpressure: str, expected: tuple[bool, bool, str]
) -> None:
    made = rules(backpressure)
    assert (made.parks, made.spills, made.policy.name) == expected
