"""What a trace says of its leases and their machine."""

import pytest

from atectl.accounting import Budget
from atectl.arbitration.view import Action
from atectl.trace.demand import baseline_of, cores_of, machine_of, scripts_of
from atectl.trace.events import (
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
from tests.support.trace_records import MIB, RECIPES

BUDGET = Budget(1000)
HEADER = Header(BUDGET, "both", None, 4)


def ruled(at_s: float, action: Action, lease: int, size: int = 0) -> Ruled:
    return Ruled(at_s, action, lease, size, None, "", None, 0, 0)


def trace(*events: Event) -> Trace:
    return Trace(HEADER, events)


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


def test_scripts_keep_the_numbers_of_their_leases() -> None:
    found = trace(Registered(0.0, 3, 1), Registered(0.1, 1, 2), Finished(1.0, 3), Finished(1.0, 1))
    assert [(script.number, script.priority) for script in scripts_of(found)] == [(3, 1), (1, 2)]


def test_the_cores_and_the_room_are_known_where_nothing_was_decided() -> None:
    header = HEADER._replace(jobs=12, busy_leases=2, spill_room_bytes=777)
    found = machine_of(Trace(header, ()), BUDGET)
    assert (found.cores, found.jobs, found.spill_room_bytes) == (2, 12, 777)


def test_an_older_trace_tells_the_cores_by_its_decisions_or_not_at_all() -> None:
    assert cores_of(trace(Decided(0.0, None, 0, 9, 3, (), ()))) == 3
    assert cores_of(trace()) == HEADER.jobs


def test_what_a_lease_did_up_to_where_the_trace_was_cut_off_is_in_its_script() -> None:
    found = trace(Registered(0.0, 1, 0), Asked(1.0, 1, 0, 10), Sampled(3.0, None, 0, 10))
    (script,) = scripts_of(found)
    assert [(step.work_s, step.grow_bytes) for step in script.steps] == [(1, 10), (2, 0)]


def test_a_baseline_that_was_measured_too_high_for_a_moment_is_not_the_baseline() -> None:
    sizes = [30, 31, 31, 220, 31]
    events = [Sampled(at / 20, None, size, 0) for at, size in enumerate(sizes)]
    assert baseline_of(events) == 31
    assert baseline_of(()) == 0
