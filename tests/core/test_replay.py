"""Traces replayed: the same under the same rules, plausible under others."""

import pytest

from atectl.accounting import Budget
from atectl.arbitration import Action, Decision
from atectl.errors import UnsatisfiableBudget
from atectl.replay import (
    check,
    machine_of,
    recorded_run,
    replayed_run,
    scripts_of,
    summarise,
)
from atectl.trace import (
    Asked,
    Decided,
    Event,
    Finished,
    Header,
    Registered,
    Ruled,
    Sampled,
    Trace,
)
from tests.trace_records import MIB, RECIPES

BUDGET = Budget(1000)
HEADER = Header(BUDGET, "both", None, 4)


def ruled(at_s: float, action: Action, lease: int, size: int = 0, reason: str = "") -> Ruled:
    freed = size if action is Action.SPILL else None
    return Ruled(at_s, action, lease, size, freed, reason, None, 0, 0)


def trace(*events: Event) -> Trace:
    return Trace(HEADER, events)


@pytest.mark.parametrize("name", RECIPES)
def test_the_rules_that_made_a_trace_decide_the_same_again(name: str) -> None:
    checked = check(RECIPES[name].trace())
    assert checked.moments > 0
    assert checked.differences == ()


def test_other_rules_are_seen_to_decide_otherwise() -> None:
    found = RECIPES["spilled"].trace()
    other = found._replace(header=found.header._replace(backpressure="park"))
    differences = check(other).differences
    assert differences
    assert any(x.action is Action.SPILL for x in differences[0].recorded)
    assert not any(x.action is Action.SPILL for x in differences[0].decided)


def test_a_decision_that_was_altered_is_found() -> None:
    found = RECIPES["spilled"].trace()
    place, moment = next(
        (place, event) for place, event in enumerate(found.events) if isinstance(event, Decided)
    )
    altered = moment._replace(decisions=(Decision(Action.ABORT, 1, 0, "altered"),))
    events = (*found.events[:place], altered, *found.events[place + 1 :])
    (difference,) = check(found._replace(events=events)).differences
    assert difference.at_s == moment.at_s
    assert difference.decided == moment.decisions


@pytest.mark.parametrize("name", RECIPES)
def test_the_demand_of_the_leases_is_read_from_a_trace(name: str) -> None:
    recipe = RECIPES[name]
    found = scripts_of(recipe.trace())
    assert [script.priority for script in found] == [x.priority for x in recipe.scripts]
    if name == "aborted":
        return  # of those the rest is not known
    grown = [sum(step.grow_bytes for step in script.steps) for script in found]
    assert grown == [sum(step.grow_bytes for step in script.steps) for script in recipe.scripts]
    worked = [sum(step.work_s for step in script.steps) for script in found]
    meant = [sum(step.work_s for step in script.steps) for script in recipe.scripts]
    assert worked == pytest.approx(meant, rel=0.1)


@pytest.mark.parametrize("name", ["spilled", "calm", "parked"])
def test_a_replay_under_the_same_rules_goes_as_it_was_recorded(name: str) -> None:
    found = RECIPES[name].trace()
    header = found.header
    again = replayed_run(found, header.backpressure, header.policy, header.budget).summary
    recorded = recorded_run(found).summary
    assert again.makespan_s == pytest.approx(recorded.makespan_s, rel=0.1)
    assert again.spilled_bytes == pytest.approx(recorded.spilled_bytes, rel=0.25)
    assert (again.finished, again.aborted) == (recorded.finished, recorded.aborted)


def test_with_a_disk_those_finish_that_were_aborted_without() -> None:
    found = RECIPES["aborted"].trace()
    assert recorded_run(found).summary.aborted
    assert replayed_run(found, "both", None, found.header.budget).summary.aborted == ()


def test_under_a_larger_limit_nothing_is_spilled() -> None:
    found = RECIPES["spilled"].trace()
    assert recorded_run(found).summary.spills > 0
    assert replayed_run(found, "both", None, Budget(4096 * MIB)).summary.spills == 0


def test_under_a_smaller_limit_it_takes_longer_and_stays_below_it() -> None:
    found = RECIPES["spilled"].trace()
    tighter = replayed_run(found, "both", None, Budget(350 * MIB)).summary
    assert tighter.makespan_s > recorded_run(found).summary.makespan_s
    assert tighter.peak_bytes <= 350 * MIB
    assert tighter.finished == 6


def test_a_limit_below_the_baseline_is_refused() -> None:
    found = RECIPES["spilled"].trace()
    with pytest.raises(UnsatisfiableBudget, match=f"{59 * MIB} bytes .* {60 * MIB} bytes"):
        replayed_run(found, "both", None, Budget(59 * MIB))
    assert replayed_run(found, "none", None, Budget(59 * MIB)).summary.finished == 6


def test_what_nobody_is_charged_for_is_replayed_too() -> None:
    found = RECIPES["parked"].trace()
    assert max(size for _, size in machine_of(found, BUDGET).uncharged) > 300 * MIB


def test_work_is_what_a_lease_did_between_its_growths_by_its_share_of_a_core() -> None:
    found = trace(
        Decided(0.0, None, 0, 9, 1, (), ()),
        Registered(0.0, 1, 0),
        Registered(0.0, 2, 0),
        Asked(2.0, 1, 0, 10),  # alone on half a core
        Finished(4.0, 2),
        Asked(5.0, 1, 10, 20),
        ruled(5.0, Action.PARK, 1, 20),
        ruled(8.0, Action.GRANT, 1, 20),
        Finished(9.0, 1),
    )
    first, second = scripts_of(found)
    assert [(step.work_s, step.grow_bytes) for step in first.steps] == [(1, 10), (2, 20), (1, 0)]
    assert [(step.work_s, step.grow_bytes) for step in second.steps] == [(2, 0)]


def test_jobs_that_came_in_as_places_got_free_do_so_again() -> None:
    found = Trace(
        HEADER._replace(jobs=1),
        (Registered(0.5, 1, 0), Finished(1.0, 1), Registered(1.0, 2, 0), Finished(2.0, 2)),
    )
    assert [script.ready_s for script in scripts_of(found)] == [0.5, 0.0]


def test_a_summary_counts_what_was_done() -> None:
    summary = summarise(
        trace(
            Registered(0.0, 1, 0),
            Registered(0.0, 2, 0),
            Sampled(0.5, 700, 100, 200),
            ruled(1.0, Action.PARK, 1),
            ruled(1.5, Action.SPILL, 1, 300, "spilled"),
            ruled(1.6, Action.SPILL, 1, 300, "failed: the disk is full"),
            ruled(2.0, Action.ABORT, 2, 5),
            Finished(2.5, 2),
            Finished(3.0, 1),
        ).events
    )
    assert summary == (3.0, 1, 1, 1, 300, (2,), 700)


def test_an_empty_trace_comes_to_nothing() -> None:
    assert summarise(()) == (0.0, 0, 0, 0, 0, (), 0)
    assert replayed_run(trace(), "both", None, BUDGET).events[-1:] == (Sampled(0.0, None, 0, 0),)
