"""Runs of the leases of a trace: as recorded, and as it would have gone under other rules."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.policies import Rules, rules
from atectl.budget.errors import UnsatisfiableBudget
from atectl.budget.file import refuse_unsatisfiable
from atectl.trace.check import Check, check, rules_of
from atectl.trace.demand import baseline_of, machine_of, scripts_of
from atectl.trace.events import Event, Registered, Ruled, Trace
from atectl.trace.simulation import simulate
from atectl.trace.summary import Fate, Summary, fates, summarise


class Run(NamedTuple):
    """One run of the leases of a trace: as it was recorded, or as it would have gone."""

    backpressure: str
    policy: str
    budget: Budget
    is_recorded: bool
    events: tuple[Event, ...]
    leases: tuple[Registered, ...] = ()
    """Those of the trace, in the order they began then."""

    @property
    def summary(self) -> Summary:
        return summarise(self.events, self.leases)

    @property
    def fates(self) -> list[Fate]:
        """What became of each lease, in the order of their numbers."""
        return fates(self.events, self.leases)

    @property
    def decisions(self) -> list[Ruled]:
        """What was done to leases, in the order of time."""
        return [event for event in self.events if isinstance(event, Ruled)]


class RefusedRun(NamedTuple):
    """A run that would not have begun."""

    backpressure: str
    policy: str
    budget: Budget
    error: UnsatisfiableBudget


class ModelError(NamedTuple):
    """How far a replay under the recorded rules is off, as replayed minus recorded. It tells how
    far other replays can be trusted."""

    recorded: Summary
    makespan_s: float
    spills: int
    spilled_bytes: int


class Simulation(NamedTuple):
    """A recorded run, and how it would have gone otherwise."""

    recorded: Run
    others: tuple[Run | RefusedRun, ...]
    checked: Check
    model_error: ModelError | None
    """None where the trace's own budget is below what its host took."""

    @property
    def runs(self) -> list[Run]:
        """Those that there were, the recorded one first."""
        return [self.recorded, *(run for run in self.others if isinstance(run, Run))]

    @property
    def refused(self) -> list[UnsatisfiableBudget]:
        """Why runs would not have begun, each reason once."""
        errors = (run.error for run in self.others if isinstance(run, RefusedRun))
        return list({str(error): error for error in errors}.values())


def simulation_of(
    trace: Trace, asked: Iterable[tuple[str, str | None]], limits: Sequence[int]
) -> Simulation:
    """A trace replayed under every one of `limits`, in bytes, and of the rules asked for.

    Those are back-pressures, each with a policy or None for the one that goes with it.

    Raises:
        KeyError: no such back-pressure or policy.
    """
    budget = trace.header.budget
    others: list[Run | RefusedRun] = []
    combinations = list(asked)
    for limit_bytes in limits:
        other = budget._replace(limit_bytes=limit_bytes)
        others += [run_or_refusal(trace, *combination, other) for combination in combinations]
    return Simulation(recorded_run(trace), tuple(others), check(trace), model_error(trace))


def run_or_refusal(
    trace: Trace, backpressure: str, policy: str | None, budget: Budget
) -> Run | RefusedRun:
    """`replayed_run`, or why there is none."""
    try:
        return replayed_run(trace, backpressure, policy, budget)
    except UnsatisfiableBudget as error:
        return RefusedRun(backpressure, rules(backpressure, policy).policy.name, budget, error)


def recorded_run(trace: Trace) -> Run:
    header = trace.header
    own = rules_of(header)
    return Run(
        header.backpressure, own.policy.name, header.budget, True, trace.events, leases_of(trace)
    )


def replayed_run(trace: Trace, backpressure: str, policy: str | None, budget: Budget) -> Run:
    """How the leases of a trace would have fared under other rules and another budget.

    Raises:
        UnsatisfiableBudget: the limit is below what the host itself takes, and the rules hold
            leases back (exit 125).
        KeyError: no such back-pressure or policy.
    """
    other = rules(backpressure, policy)
    refuse_unsatisfiable(budget, baseline_of(trace.events), is_guarded=other.is_guarded)
    events = replay(trace, other, budget)
    return Run(backpressure, other.policy.name, budget, False, events, leases_of(trace))


def leases_of(trace: Trace) -> tuple[Registered, ...]:
    """The leases of a trace, in the order they began."""
    return tuple(event for event in trace.events if isinstance(event, Registered))


def model_error(trace: Trace) -> ModelError | None:
    """How far off a replay under the rules and the budget of the trace itself is."""
    header = trace.header
    again = run_or_refusal(trace, header.backpressure, header.policy, header.budget)
    if isinstance(again, RefusedRun):
        return None
    recorded, replayed = recorded_run(trace).summary, again.summary
    return ModelError(
        recorded,
        replayed.makespan_s - recorded.makespan_s,
        replayed.spills - recorded.spills,
        replayed.spilled_bytes - recorded.spilled_bytes,
    )


def replay(trace: Trace, rules: Rules, budget: Budget) -> tuple[Event, ...]:
    """What the leases of a trace would have met under other rules and another budget.

    Each lease works between two growths for as long as it did then, at its share of the cores.
    One that was aborted, or had not finished, ends here where its record ends. Jobs that had to
    wait for a free slot wait for one here.
    """
    return simulate(machine_of(trace, budget), scripts_of(trace), rules)
