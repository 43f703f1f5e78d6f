"""Recorded decisions decided again: the same ones, no others, and none where there were none."""

import pytest

from atectl.accounting import Budget
from atectl.arbitration.standing import Standing
from atectl.arbitration.view import Action, Decision
from atectl.trace.check import check
from atectl.trace.events import Asked, Decided, Event, Header, Registered, Ruled, Sampled, Trace
from atectl.trace.reading import read_trace
from tests.conftest import ROOT
from tests.support.trace_records import RECIPES

HEADER = Header(Budget(1000), "both", None, 4, busy_leases=2, spill_room_bytes=9999)
HEADLINE = ROOT / "fixtures" / "traces" / "headline.jsonl"


def grown(size: int, *more: Event, sample: Sampled | None = None) -> Trace:
    """Two leases of `size` bytes each, granted at once, and a sample."""
    events: list[Event] = []
    for number in (1, 2):
        events += [Registered(0.0, number, 0), Asked(0.1, number, 0, size)]
    last = sample or Sampled(0.5, 50, 50, 2 * size)
    return Trace(HEADER, (*events, *more, last))


@pytest.mark.parametrize("name", RECIPES)
def test_the_rules_that_made_a_trace_decide_the_same_again(name: str) -> None:
    checked = check(RECIPES[name].trace())
    assert checked.is_same
    assert checked.samples > 0
    assert (checked.moments > 0) == (name != "calm")


def test_what_the_headline_decided_is_decided_again() -> None:
    """Done-when 3, on a real run of twelve capsules under 1 GiB."""
    checked = check(read_trace(HEADLINE))
    assert checked.is_same
    assert checked.moments > 20
    assert checked.samples > 200


def test_other_rules_are_seen_to_decide_otherwise() -> None:
    found = RECIPES["spilled"].trace()
    other = found._replace(header=found.header._replace(backpressure="park"))
    differences = [each for each in check(other).differences if each.recorded]
    assert any(x.action is Action.SPILL for x in differences[0].recorded)
    assert not any(x.action is Action.SPILL for x in differences[0].decided)


def test_a_decision_that_was_altered_is_found() -> None:
    found = RECIPES["spilled"].trace()
    place, moment = next(
        (place, event) for place, event in enumerate(found.events) if isinstance(event, Decided)
    )
    altered = moment._replace(decisions=(Decision(Action.ABORT, 1, 0, "altered"),))
    events = (*found.events[:place], altered, *found.events[place + 1 :])
    difference = check(found._replace(events=events)).differences[0]
    assert difference.at_s == moment.at_s
    assert difference.decided == moment.decisions


@pytest.mark.parametrize("name", ["spilled", "aborted", "parked"])
def test_what_was_done_without_a_recorded_decision_is_found(name: str) -> None:
    found = RECIPES[name].trace()
    events = tuple(event for event in found.events if not isinstance(event, Decided))
    checked = check(found._replace(events=events))
    assert not checked.is_same
    assert len(checked.undecided) == sum(isinstance(event, Ruled) for event in events)


def test_rules_that_act_where_nothing_was_done_are_found() -> None:
    """900 bytes of 1000 are over soft, and the recorded rules did nothing about it."""
    checked = check(grown(450))
    assert checked.samples == 1
    (difference,) = checked.differences
    assert difference.recorded == ()
    assert [made.action for made in difference.decided] == [Action.PARK]


def test_below_soft_there_is_again_nothing_to_be_done() -> None:
    assert check(grown(300)) == (0, (), 1, ())


def test_who_reached_no_tick_was_not_to_be_parked() -> None:
    stalled = Sampled(0.5, 50, 50, 900, stalled=(1, 2))
    assert check(grown(450, sample=stalled)).is_same


def test_who_was_on_the_way_to_be_parked_was_not_to_be_parked_again() -> None:
    parking = Sampled(0.5, 50, 50, 900, parking=(2,))
    assert check(grown(450, sample=parking)).is_same


def test_who_waits_to_be_alone_was_not_to_be_aborted() -> None:
    leases = Standing(1, 0, 300), Standing(2, 0, 300, 660, spillable=True)
    waits = Decision(Action.PARK, 2, 660, "over soft: waits")
    decided = Decided(0.3, 50, 50, 0, 2, leases, (waits,), baseline_of_others_bytes=30)
    ruled = Ruled(0.3, Action.PARK, 2, 660, None, waits.reason, 50, 50, 600)
    sample = Sampled(0.5, 50, 50, 600, baseline_of_others_bytes=30)
    checked = check(grown(300, decided, ruled, sample=sample))
    assert (checked.is_same, checked.samples) == (True, 1)


@pytest.mark.parametrize(
    "sample",
    [
        Sampled(0.5, 50, 50, 899),  # some was given back, and it is not told by whom
        Sampled(0.5, 1001, 50, 900),  # looked at once more before anything was decided
    ],
)
def test_a_sample_of_which_not_all_is_known_is_not_judged(sample: Sampled) -> None:
    assert check(grown(450, sample=sample)).samples == 0


@pytest.mark.parametrize(
    "event",
    [
        Ruled(0.3, Action.SPILL, 1, 300, 300, "spilled", 50, 50, 600),  # it was not held
        Asked(0.3, 1, 300, 0),  # nobody asks for nothing
    ],
)
def test_a_trace_that_contradicts_itself_is_not_judged_from_there_on(event: Event) -> None:
    assert check(grown(300)).samples == 1
    assert check(grown(300, event)).samples == 0


def test_samples_of_an_older_trace_are_not_judged() -> None:
    older = grown(450)._replace(header=HEADER._replace(busy_leases=None))
    assert check(older) == (0, (), 0, ())


def test_a_resident_size_right_at_the_gate_is_not_judged_to_the_byte() -> None:
    """It may have moved between the sample and the decision."""
    limit = 1000 << 20
    header = HEADER._replace(budget=Budget(limit))
    size = 100 << 20
    near = Sampled(0.5, header.budget.soft_bytes + 1, 0, 2 * size)
    far = near._replace(resident_bytes=header.budget.soft_bytes + (2 << 20))
    assert check(grown(size, sample=near)._replace(header=header)).is_same
    assert not check(grown(size, sample=far)._replace(header=header)).is_same


def test_what_compiled_at_a_sample_keeps_everybody_from_being_parked_again() -> None:
    over_soft = Sampled(0.5, 50, 50, 700)
    assert check(grown(350, sample=over_soft)).is_same
    assert check(grown(350, sample=over_soft._replace(compiling_bytes=200))).is_same
    assert not check(grown(450, sample=Sampled(0.5, 50, 50, 900, 20))).is_same
