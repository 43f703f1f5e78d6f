"""Laws of whole runs of a simulated host, under any rules."""

from collections.abc import Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from atectl.accounting import Budget
from atectl.arbitration.deciding import decide
from atectl.arbitration.policies import Rules, rules
from atectl.arbitration.view import Action
from atectl.trace.events import Decided, Event, Finished, Ruled, Sampled
from atectl.trace.simulation import simulate
from atectl.trace.workload import Machine, Script, Step
from tests.support.any_rules import GUARDED, any_rules, choosing_rules, guarded_rules

BUDGET = Budget(1000)  # soft 800, resume 700
BASELINE = 100
BOTH = rules("both")

steps = st.builds(
    Step,
    st.floats(0.001, 0.5),
    st.one_of(st.just(0), st.integers(1, 250)),
    st.sampled_from([False, False, False, True]),
)
scripts = st.lists(
    st.builds(
        Script,
        st.lists(steps, min_size=1, max_size=8).map(tuple),
        st.integers(-1, 1),
        st.sampled_from([0.0, 0.0, 0.1, 0.4]),
        number=st.just(0),
        fixed_bytes=st.one_of(st.just(0), st.integers(0, 250)),
    ),
    min_size=1,
    max_size=8,
)
uncharged = st.lists(st.tuples(st.floats(0, 2), st.integers(0, 900)), max_size=4).map(
    lambda changes: tuple(sorted(changes))
)


def machine(room: int, cores: int, jobs: int, changes: tuple[tuple[float, int], ...]) -> Machine:
    return Machine(BUDGET, BASELINE, cores, jobs, room, 5000.0, changes)


machines = st.builds(machine, st.integers(0, 3000), st.integers(1, 4), st.integers(1, 8), uncharged)
roomy_machines = st.builds(
    machine, st.just(1 << 40), st.integers(1, 4), st.integers(1, 8), st.just(())
)


def finished(events: Sequence[Event]) -> list[int]:
    return sorted(event.lease for event in events if isinstance(event, Finished))


def aborted(events: Sequence[Event]) -> list[int]:
    return [x.lease for x in events if isinstance(x, Ruled) and x.action is Action.ABORT]


@settings(max_examples=300)
@given(machines, scripts, any_rules)
def test_every_run_ends(machine: Machine, scripts: list[Script], rules: Rules) -> None:
    events = simulate(machine, scripts, rules)
    assert finished(events) == list(range(1, len(scripts) + 1))


@given(machines, scripts, any_rules)
def test_the_same_run_goes_the_same(machine: Machine, scripts: list[Script], rules: Rules) -> None:
    assert simulate(machine, scripts, rules) == simulate(machine, scripts, rules)


def demand(script: Script) -> int:
    return sum(step.grow_bytes for step in script.steps)


@settings(max_examples=300)
@given(roomy_machines, scripts, choosing_rules)
def test_leases_that_each_fit_alone_all_finish_unharmed_if_they_may_be_spilled(
    machine: Machine, scripts: list[Script], rules: Rules
) -> None:
    assume(rules.spills)
    of_all = sum(script.fixed_bytes for script in scripts)  # none of it comes free by a spill
    most = max(max(demand(script) - script.fixed_bytes, 0) for script in scripts)
    assume(BASELINE + of_all + most <= BUDGET.limit_bytes)
    assert aborted(simulate(machine, scripts, rules)) == []


@settings(max_examples=300)
@given(machines, scripts, guarded_rules)
def test_the_charge_never_passes_hard(
    machine: Machine, scripts: list[Script], rules: Rules
) -> None:
    events = simulate(machine._replace(uncharged=()), scripts, rules)
    for event in events:
        if isinstance(event, Sampled):
            assert event.pressure.total_bytes <= BUDGET.limit_bytes


@settings(max_examples=300)
@given(machines, scripts, guarded_rules)
def test_holding_and_letting_go_do_not_alternate_without_end(
    machine: Machine, scripts: list[Script], rules: Rules
) -> None:
    """Who is held at a tick was held for a growth or for a change of what nobody is charged for."""
    events = simulate(machine, scripts, rules)
    ticks = sum(isinstance(x, Ruled) and x.action is Action.PARK and not x.bytes for x in events)
    causes = 1 + len(machine.uncharged) + sum(len(script.steps) for script in scripts)
    assert ticks <= causes * len(scripts)


@given(roomy_machines, scripts)
def test_nobody_is_touched_where_all_fits(machine: Machine, scripts: list[Script]) -> None:
    total = sum(map(demand, scripts))
    ample = machine._replace(budget=Budget(2 * (BASELINE + total)))
    events = simulate(ample, scripts, BOTH)
    assert not any(isinstance(event, Ruled) for event in events)


def test_leases_that_never_ask_are_left_alone_by_the_charge() -> None:
    busy = Script((Step(0.2, 300), Step(5.0)))
    events = simulate(machine(1 << 40, 2, 4, ()), [busy] * 4, BOTH)
    assert finished(events) == [1, 2, 3, 4]
    assert aborted(events) == []


def test_decisions_are_seen_with_the_view_they_were_made_on() -> None:
    events = simulate(machine(1 << 40, 2, 4, ()), [Script((Step(0.1, 400), Step(0.1)))] * 3, BOTH)
    decided = [event for event in events if isinstance(event, Decided)]
    assert decided
    for event in decided:
        assert decide(event.host(BUDGET), BOTH) == list(event.decisions)


# Turns


@given(
    large=st.integers(300, 800),
    small=st.lists(st.integers(20, 200), min_size=30, max_size=30),
    backpressure=st.sampled_from(GUARDED),
)
@settings(max_examples=60, deadline=None)
def test_however_many_newcomers_come_the_oldest_has_its_turn(
    large: int, small: list[int], backpressure: str
) -> None:
    step = Script((Step(1.0, 50), Step(1.0, large - 50), Step(1.0)))
    stream = [Script((Step(0.5, size), Step(2.0)), ready_s=0.1) for size in small]
    machine = Machine(BUDGET, BASELINE, 3, 3, 10_000, 1000.0)
    events = simulate(machine, [step, *stream], rules(backpressure))
    ended = [event.lease for event in events if isinstance(event, Finished)]
    assert len(ended) == 31
    assert ended.index(1) <= 12
