"""What a trace says: how the run went, and how it would have gone under other rules."""

from collections.abc import Sequence
from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration import Action, Decision, Phase, Rules, decide, rules
from atectl.budget import refuse_unsatisfiable
from atectl.simulation import Machine, Script, Step, simulate
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

_DEFAULT_SPILL_BYTES_PER_S = 1 << 30
_DEFAULT_SPILL_ROOM_BYTES = 1 << 50
_LEAST_UNCHARGED_SHARE = 0.01


class Difference(NamedTuple):
    """A moment at which other decisions are made now than were recorded."""

    at_s: float
    recorded: tuple[Decision, ...]
    decided: tuple[Decision, ...]


class Check(NamedTuple):
    """Every recorded moment of decision decided again on the view of then."""

    moments: int
    differences: tuple[Difference, ...]


class Summary(NamedTuple):
    """How a run went. `aborted` are the numbers of the leases, `finished` counts the others."""

    makespan_s: float
    finished: int
    parks: int
    spills: int
    spilled_bytes: int
    aborted: tuple[int, ...]
    peak_bytes: int


class Run(NamedTuple):
    """One run of the leases of a trace: as it was recorded, or as it would have gone."""

    backpressure: str
    policy: str
    budget: Budget
    is_recorded: bool
    events: tuple[Event, ...]

    @property
    def summary(self) -> Summary:
        return summarise(self.events)

    @property
    def decisions(self) -> list[Ruled]:
        """What was done to leases, in the order of time."""
        return [event for event in self.events if isinstance(event, Ruled)]


def recorded_run(trace: Trace) -> Run:
    header = trace.header
    own = rules_of(header)
    return Run(header.backpressure, own.policy.name, header.budget, True, trace.events)


def replayed_run(trace: Trace, backpressure: str, policy: str | None, budget: Budget) -> Run:
    """How the leases of a trace would have fared under other rules and another budget.

    Raises:
        UnsatisfiableBudget: the limit is below what the host itself takes, and the rules hold
            leases back (exit 125).
        KeyError: no such back-pressure or policy.
    """
    other = rules(backpressure, policy)
    is_guarded = other.parks or other.spills
    refuse_unsatisfiable(budget, baseline_of(trace.events), is_guarded=is_guarded)
    events = replay(trace, other, budget)
    return Run(backpressure, other.policy.name, budget, False, events)


def check(trace: Trace) -> Check:
    """Whether the rules under which a trace was recorded still decide what they did."""
    own = rules_of(trace.header)
    moments = [event for event in trace.events if isinstance(event, Decided)]
    differences = []
    for moment in moments:
        decided = tuple(decide(moment.host(trace.header.budget), own))
        if decided != moment.decisions:
            differences.append(Difference(moment.at_s, moment.decisions, decided))
    return Check(len(moments), tuple(differences))


def rules_of(header: Header) -> Rules:
    return rules(header.backpressure, header.policy)


def summarise(events: Sequence[Event]) -> Summary:
    """Counts and extremes of a run; all zero for no events."""
    ruled = [event for event in events if isinstance(event, Ruled)]
    spills = [
        event for event in ruled if event.action is Action.SPILL and not event.is_failed_spill
    ]
    aborted = tuple(sorted({event.lease for event in ruled if event.action is Action.ABORT}))
    finished = {event.lease for event in events if isinstance(event, Finished)}
    ends = [event.at_s for event in events if isinstance(event, Finished)]
    return Summary(
        makespan_s=max(ends, default=0.0),
        finished=len(finished - set(aborted)),
        parks=sum(event.action is Action.PARK for event in ruled),
        spills=len(spills),
        spilled_bytes=sum(event.bytes for event in spills),
        aborted=aborted,
        peak_bytes=max(
            (event.pressure.total_bytes for event in events if isinstance(event, Sampled | Ruled)),
            default=0,
        ),
    )


def replay(trace: Trace, rules: Rules, budget: Budget) -> tuple[Event, ...]:
    """What the leases of a trace would have met under other rules and another budget.

    Each works between its growths for as long as it did then, by its share of the cores. Of a
    lease that was aborted the rest is not known: it ends where it was ended. Jobs that came in
    only as places got free come in so here.
    """
    return simulate(machine_of(trace, budget), scripts_of(trace), rules)


def machine_of(trace: Trace, budget: Budget) -> Machine:
    """The host of a trace, as far as it is seen there, under another budget."""
    samples = [event for event in trace.events if isinstance(event, Sampled)]
    rooms = [event.spill_room_bytes for event in trace.events if isinstance(event, Decided)]
    header = trace.header
    return Machine(
        budget,
        baseline_bytes=baseline_of(trace.events),
        cores=cores_of(trace),
        jobs=header.jobs,
        spill_room_bytes=max(rooms, default=_DEFAULT_SPILL_ROOM_BYTES),
        spill_bytes_per_s=_spill_rate(trace.events),
        uncharged=_uncharged(samples, int(header.budget.limit_bytes * _LEAST_UNCHARGED_SHARE)),
        sees_resident=any(sample.resident_bytes is not None for sample in samples),
    )


def cores_of(trace: Trace) -> int:
    """How many leases kept the machine busy; where nothing was decided, all that ran at once."""
    moments = (event for event in trace.events if isinstance(event, Decided))
    return max((moment.busy_leases for moment in moments), default=trace.header.jobs)


def baseline_of(events: Sequence[Event]) -> int:
    """What the host itself took; 0 if no event says it."""
    seen = (event for event in events if isinstance(event, Sampled | Ruled | Decided))
    return max((event.baseline_bytes for event in seen), default=0)


def _spill_rate(events: Sequence[Event]) -> float:
    """Bytes a second that were written, from each order to spill until it was done."""
    began: dict[int, float] = {}
    total_bytes, seconds = 0, 0.0
    for event in events:
        if isinstance(event, Decided):
            spilled = [x.lease for x in event.decisions if x.action is Action.SPILL]
            began |= dict.fromkeys(spilled, event.at_s)
        elif isinstance(event, Ruled) and event.action is Action.SPILL and event.lease in began:
            total_bytes += event.bytes
            seconds += event.at_s - began.pop(event.lease)
    return total_bytes / seconds if total_bytes and seconds else _DEFAULT_SPILL_BYTES_PER_S


def _uncharged(samples: Sequence[Sampled], least_bytes: int) -> tuple[tuple[float, int], ...]:
    """When how much was resident that nobody was charged for, as far as it changed much."""
    changes: list[tuple[float, int]] = []
    last_bytes = 0
    for sample in samples:
        charged_bytes = sample.baseline_bytes + sample.charged_bytes
        over_bytes = max((sample.resident_bytes or 0) - charged_bytes, 0)
        if abs(over_bytes - last_bytes) > least_bytes:
            changes.append((sample.at_s, over_bytes))
            last_bytes = over_bytes
    return tuple(changes)


class _Past:
    """One lease of a trace, as its script is pieced together."""

    def __init__(self, begun: Registered, ready_s: float) -> None:
        self.priority = begun.priority
        self.ready_s = ready_s
        self.phase = Phase.RUNNING
        self.work_s = 0.0
        self.spilled_bytes = 0
        self.steps: list[Step] = []

    def end_step(self, grow_bytes: int) -> None:
        self.steps.append(Step(max(self.work_s, 0.0), grow_bytes))
        self.work_s = 0.0

    def go_on(self, spill_rate: float) -> None:
        """It runs again. What it spends on bringing its memory back is no work of its own."""
        self.phase = Phase.RUNNING
        self.work_s -= self.spilled_bytes / spill_rate
        self.spilled_bytes = 0


def scripts_of(trace: Trace) -> list[Script]:
    """What each lease of a trace did, in the order of registration.

    While more ran than there are cores, each is taken to have had its share.
    """
    cores, jobs = cores_of(trace), trace.header.jobs
    spill_rate = _spill_rate(trace.events)
    known: dict[int, _Past] = {}
    unfinished: dict[int, _Past] = {}
    now_s = 0.0
    for event in trace.events:
        running = [past for past in unfinished.values() if past.phase is Phase.RUNNING]
        share = min(1.0, cores / max(len(running), 1)) * (event.at_s - now_s)
        for past in running:
            past.work_s += share
        now_s = event.at_s
        if isinstance(event, Registered):
            ready_s = event.at_s if len(known) < jobs else 0.0
            known[event.lease] = unfinished[event.lease] = _Past(event, ready_s)
        elif not isinstance(event, Sampled | Decided) and event.lease in unfinished:
            _follow(event, unfinished, spill_rate)
    return [Script(tuple(past.steps), past.priority, past.ready_s) for past in known.values()]


def _follow(
    event: Asked | Ruled | Finished, unfinished: dict[int, _Past], spill_rate: float
) -> None:
    past = unfinished[event.lease]
    if isinstance(event, Asked):
        past.end_step(event.asked_bytes)
        past.phase = Phase.RUNNING
    elif isinstance(event, Finished):
        past.end_step(0)
        del unfinished[event.lease]
    elif event.action is Action.PARK:
        past.phase = Phase.PARKED
    elif event.action is Action.SPILL and not event.is_failed_spill:
        past.spilled_bytes = event.bytes
    elif event.action in (Action.GRANT, Action.RESUME):
        past.go_on(spill_rate)
