"""Traces replayed: the same under the same rules, plausible under others."""

import pytest

from atectl.accounting import Budget
from atectl.budget.errors import UnsatisfiableBudget
from atectl.trace.events import Asked, Event, Finished, Header, Registered, Sampled, Trace
from atectl.trace.replay import (
    RefusedRun,
    Run,
    model_error,
    recorded_run,
    replayed_run,
    simulation_of,
)
from atectl.trace.summary import summarise
from tests.support.trace_records import MIB, RECIPES

BUDGET = Budget(1000)
HEADER = Header(BUDGET, "both", None, 4)


def trace(*events: Event) -> Trace:
    return Trace(HEADER, events)


@pytest.mark.parametrize("name", ["spilled", "calm", "parked", "aborted"])
def test_a_replay_under_the_same_rules_goes_as_it_was_recorded(name: str) -> None:
    found = RECIPES[name].trace()
    error = model_error(found)
    assert error is not None
    recorded = error.recorded
    assert abs(error.makespan_s) <= 0.1 * recorded.makespan_s
    assert abs(error.spilled_bytes) <= 0.25 * recorded.spilled_bytes
    again = replayed_run(found, found.header.backpressure, None, found.header.budget).summary
    assert (again.finished, again.aborted) == (recorded.finished, recorded.aborted)


def test_how_far_off_a_replay_is_is_told_as_replayed_less_recorded() -> None:
    """The recorded run is made to look a second slower than what its leases did."""
    found = RECIPES["calm"].trace()
    *events, last = found.events
    late = tuple(
        event._replace(at_s=event.at_s + 1.0) if isinstance(event, Finished) else event
        for event in events
    )
    meant, slow = model_error(found), model_error(found._replace(events=(*late, last)))
    assert meant is not None
    assert slow is not None
    assert slow.recorded.makespan_s == pytest.approx(meant.recorded.makespan_s + 1.0)


def test_a_trace_whose_own_budget_cannot_be_met_has_no_measure_of_replays() -> None:
    found = RECIPES["spilled"].trace()
    header = found.header._replace(budget=Budget(59 * MIB))
    assert model_error(found._replace(header=header)) is None


def test_what_a_limit_would_do_is_found_from_a_run_that_had_none() -> None:
    """The same leases really run under the limit are what the replay of the free run foretells."""
    limited = RECIPES["spilled"]
    free = limited._replace(backpressure="none", machine=limited.machine._replace(jobs=12))
    foretold = replayed_run(free.trace(), "both", None, limited.machine.budget).summary
    recorded = summarise(limited.events())
    assert recorded.spills > 0
    assert foretold.makespan_s == pytest.approx(recorded.makespan_s, rel=0.15)
    assert foretold.spilled_bytes == pytest.approx(recorded.spilled_bytes, rel=0.3)


def test_a_replay_speaks_of_leases_by_the_numbers_and_names_they_had() -> None:
    begun = [Registered(0.0, number, 0, "a", f"job {number}", "x.wat") for number in (3, 1, 2)]
    grown = [Asked(0.1, each.lease, 0, 100 * each.lease) for each in begun]
    ended = [Finished(0.5, each.lease) for each in begun]
    run = replayed_run(trace(*begun, *grown, *ended), "park", None, Budget(250))
    assert {x.lease: x.asked_bytes for x in run.events if isinstance(x, Asked)} == {
        1: 100,
        2: 200,
        3: 300,
    }
    assert run.summary.aborted == (3,)
    assert [fate.begun.label for fate in run.fates] == ["job 1", "job 2", "job 3"]


def test_every_combination_asked_for_is_a_run_or_why_it_is_none() -> None:
    found = RECIPES["spilled"].trace()
    asked = [("both", None), ("none", None), ("park", "largest")]
    shown = simulation_of(found, asked, [59 * MIB, 600 * MIB])
    kinds = [(type(x), x.budget.limit_bytes // MIB, x.backpressure) for x in shown.others]
    assert kinds == [
        (RefusedRun, 59, "both"),
        (Run, 59, "none"),
        (RefusedRun, 59, "park"),
        (Run, 600, "both"),
        (Run, 600, "none"),
        (Run, 600, "park"),
    ]
    assert len(shown.refused) == 1
    assert [run.is_recorded for run in shown.runs] == [True, False, False, False, False]


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


def test_an_empty_trace_comes_to_nothing() -> None:
    assert replayed_run(trace(), "both", None, BUDGET).events[-1:] == (Sampled(0.0, None, 0, 0),)
