"""What the arbiter decided, as the live table of a batch words it."""

import pytest

from atectl.arbitration.seat import Ruling
from atectl.arbitration.view import Action
from atectl.commands.batch.decisions_view import LiveDecision, decision_line, live_decisions

MIB = 1 << 20


def ruling(action: Action, lease: int = 8, size: int = 0, reason: str = "") -> Ruling:
    return Ruling(2.0, action, lease, size, None, 0, reason)


SPILL = ruling(Action.SPILL, size=40 * MIB, reason="spilled")
FAILED_SPILL = ruling(Action.SPILL, size=40 * MIB, reason="failed: no space left")


def told(*rulings: Ruling) -> list[str]:
    """The words of each, without how long ago it was."""
    lines = [decision_line(each).plain for each in live_decisions(rulings, {}, 2.0)]
    return [line.partition(" ago  ")[2] for line in lines]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (ruling(Action.PARK, size=8 * MIB, reason="over soft"), "parked for 8 MiB: over soft"),
        (ruling(Action.PARK, reason="over soft"), "parked: over soft"),
        (SPILL, "spilled 40 MiB"),
        (FAILED_SPILL, "not spilled: no space left"),
        (ruling(Action.RESUME, reason="below resume"), "resumed"),
        (ruling(Action.ABORT, size=MIB, reason="over the limit"), "aborted: over the limit"),
    ],
)
def test_each_decision_has_its_words(one: Ruling, words: str) -> None:
    assert told(one) == [f"job 8 {words}"]


@pytest.mark.parametrize("action", [Action.GRANT, Action.RESUME])
def test_a_lease_that_goes_on_from_disk_is_back_with_what_it_had_there(action: Action) -> None:
    assert told(SPILL, ruling(action, size=MIB))[1:] == ["job 8 back, 40 MiB"]


def test_a_growth_granted_to_a_lease_in_memory_is_left_out() -> None:
    assert told(ruling(Action.PARK), ruling(Action.GRANT, size=MIB)) == ["job 8 parked"]


@pytest.mark.parametrize("before", [FAILED_SPILL, SPILL._replace(lease=9)])
def test_a_lease_that_was_not_on_disk_does_not_come_back(before: Ruling) -> None:
    assert len(told(before, ruling(Action.GRANT, size=MIB))) == 1


def test_the_label_stands_beside_the_number_and_is_inert() -> None:
    (decision,) = live_decisions([SPILL], {8: "\x1b[2J[red]"}, 2.0)
    assert r"job 8 (\x1b[2J[red]) spilled" in decision_line(decision).plain


@pytest.mark.parametrize(("ago_s", "shown"), [(1.9, "1s ago"), (75, "1m15s ago")])
def test_how_long_ago_is_in_whole_seconds(ago_s: float, shown: str) -> None:
    assert decision_line(LiveDecision(ago_s, "parked", 1)).plain.strip().startswith(shown)


def test_how_long_ago_is_told_by_the_clock_of_the_rulings() -> None:
    assert [each.ago_s for each in live_decisions([SPILL], {}, 12.5)] == [10.5]
