"""When one more lease goes on than keeps the machine busy."""

import pytest

from atectl.arbitration.turns import TURN_S, Turns, lets_anybody_go
from atectl.arbitration.view import Action, Decision


def note(turns: Turns, now_s: float, *, is_short: bool = True, was_taken: bool = False) -> None:
    turns.note(now_s, is_short=is_short, was_taken=was_taken)


def test_none_is_due_before_memory_has_been_on_disk_for_a_while() -> None:
    turns = Turns()
    assert not turns.is_due(100.0)
    note(turns, 100.0)
    assert not turns.is_due(100.0 + TURN_S - 0.1)
    assert turns.is_due(100.0 + TURN_S)
    assert turns.next_s == 100.0 + TURN_S


def test_it_stays_due_until_somebody_has_taken_it() -> None:
    turns = Turns()
    note(turns, 0.0)
    note(turns, TURN_S)
    assert turns.is_due(TURN_S)
    note(turns, TURN_S + 1, was_taken=True)
    assert not turns.is_due(2 * TURN_S)
    assert turns.is_due(2 * TURN_S + 1)


def test_none_is_due_once_nothing_is_on_disk_any_more() -> None:
    turns = Turns()
    note(turns, 0.0)
    note(turns, 1.0, is_short=False)
    assert turns.next_s is None
    assert not turns.is_due(10 * TURN_S)


@pytest.mark.parametrize("action", Action)
def test_a_lease_goes_on_once_one_of_them_is_granted_its_growth_or_resumed(action: Action) -> None:
    park, other = Decision(Action.PARK, 1, 0, ""), Decision(action, 2, 0, "")
    assert lets_anybody_go([park, other]) == (action in (Action.GRANT, Action.RESUME))
