"""What is read off a trace for a replay: what each lease did, and what they all ran on."""

from collections.abc import Sequence

from atectl.accounting import Budget
from atectl.arbitration.view import Action
from atectl.trace.events import Asked, Decided, Event, Finished, Registered, Ruled, Sampled, Trace
from atectl.trace.workload import Machine, Script, Step

_DEFAULT_SPILL_BYTES_PER_S = 1 << 30
_DEFAULT_SPILL_ROOM_BYTES = 1 << 50
_LEAST_UNCHARGED_SHARE = 0.002
"""As a share of the limit: smaller changes of the memory that nobody is charged for are noise."""


def machine_of(trace: Trace, budget: Budget) -> Machine:
    """The host of a trace, as far as it is seen there, under another budget."""
    samples = [event for event in trace.events if isinstance(event, Sampled)]
    header = trace.header
    return Machine(
        budget,
        baseline_bytes=baseline_of(trace.events),
        cores=cores_of(trace),
        jobs=header.jobs,
        spill_room_bytes=_spill_room(trace),
        spill_bytes_per_s=_spill_rate(trace.events),
        uncharged=_uncharged(samples, int(header.budget.limit_bytes * _LEAST_UNCHARGED_SHARE)),
        sees_resident=any(sample.resident_bytes is not None for sample in samples),
    )


def cores_of(trace: Trace) -> int:
    """How many running leases kept the machine busy.

    Older traces tell this only where something was decided. Where nothing was, it is taken to be
    as many as ran at once.
    """
    moments = (event for event in trace.events if isinstance(event, Decided))
    return trace.header.busy_leases or max(
        (moment.busy_leases for moment in moments), default=trace.header.jobs
    )


def baseline_of(events: Sequence[Event]) -> int:
    """The median of what the host itself took, as measured again and again; 0 if it never was.

    A single measurement may be too high, for a moment, while a lease is ending.
    """
    seen = sorted(
        event.baseline_bytes for event in events if isinstance(event, Sampled | Ruled | Decided)
    )
    return seen[len(seen) // 2] if seen else 0


def _spill_room(trace: Trace) -> int:
    """The most room that the spill disk was seen to have."""
    if trace.header.spill_room_bytes is not None:
        return trace.header.spill_room_bytes
    rooms = [event.spill_room_bytes for event in trace.events if isinstance(event, Decided)]
    return max(rooms, default=_DEFAULT_SPILL_ROOM_BYTES)


def _spill_rate(events: Sequence[Event]) -> float:
    """Bytes written per second, from each decision to spill until that was done."""
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
    """How much was resident that nobody was charged for, at each moment it changed by much."""
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
        self.begun = begun
        self.ready_s = ready_s
        self.is_running = True
        self.work_s = 0.0
        self.steps: list[Step] = []

    def end_step(self, grow_bytes: int) -> None:
        self.steps.append(Step(self.work_s, grow_bytes))
        self.work_s = 0.0

    def script(self) -> Script:
        begun = self.begun
        return Script(
            tuple(self.steps), begun.priority, self.ready_s, begun.lease, begun.fixed_bytes
        )


def scripts_of(trace: Trace) -> list[Script]:
    """What each lease of a trace did, in the order of registration.

    While more leases ran than there were cores, each is taken to have had an equal share of them.
    The time in which a lease read back what had been spilled counts as its work. Nothing is known
    of what a lease did after the end of the trace, so that it ends there.
    """
    cores, jobs = cores_of(trace), trace.header.jobs
    known: dict[int, _Past] = {}
    unfinished: dict[int, _Past] = {}
    now_s = 0.0
    for event in trace.events:
        running = [past for past in unfinished.values() if past.is_running]
        share = min(1.0, cores / max(len(running), 1)) * (event.at_s - now_s)
        for past in running:
            past.work_s += share
        now_s = event.at_s
        if isinstance(event, Registered):
            ready_s = event.at_s if len(known) < jobs else 0.0
            known[event.lease] = unfinished[event.lease] = _Past(event, ready_s)
        elif not isinstance(event, Sampled | Decided) and event.lease in unfinished:
            _follow(event, unfinished)
    for past in unfinished.values():
        past.end_step(0)
    return [past.script() for past in known.values()]


def _follow(event: Asked | Ruled | Finished, unfinished: dict[int, _Past]) -> None:
    past = unfinished[event.lease]
    if isinstance(event, Asked):
        past.end_step(event.asked_bytes)
        past.is_running = True
    elif isinstance(event, Finished):
        past.end_step(0)
        del unfinished[event.lease]
    elif event.action is Action.PARK:
        past.is_running = False
    elif event.action in (Action.GRANT, Action.RESUME):
        past.is_running = True
