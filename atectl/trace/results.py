"""What `atectl budget simulate` comes to, as programs read it."""

from typing import Annotated, NamedTuple

from atectl.arbitration.policies import BACKPRESSURES
from atectl.arbitration.view import Action
from atectl.records.types import Mark
from atectl.trace.events import Ruled
from atectl.trace.replay import Run, Simulation
from atectl.trace.summary import Fate, Summary


class ReplayedDecision(NamedTuple):
    """A decision about a lease that was carried out. Times are from the start of the host."""

    at_s: float
    """When."""
    action: Action
    """What was done."""
    lease: int
    """The number of the lease."""
    bytes: int
    """What it is about: the growth that was granted or waits, or what went to disk or came back."""
    freed_bytes: int | None
    """What spilling gave back; null for other actions, or where it is not known."""
    pressure_bytes: int
    """What the whole host used then."""
    reason: str
    """Why."""


class LeaseFate(NamedTuple):
    """What became of one lease. Times are from the start of the host."""

    lease: int
    """Its number."""
    principal: Annotated[str, Mark.EMPTY_IS_UNKNOWN]
    """Who was charged; null in older traces."""
    label: Annotated[str, Mark.EMPTY_IS_UNKNOWN]
    """The note that its job was given; null where there was none."""
    capsule: Annotated[str, Mark.EMPTY_IS_UNKNOWN]
    """The name of the capsule; null in older traces."""
    priority: int
    """The higher, the later it was held back."""
    parks: int
    """How often it was parked."""
    first_held_s: float | None
    """When it was first kept from going on; null if it never was."""
    held_s: float
    """How long it was kept from going on, resident or on disk."""
    spills: int
    """How often it was spilled."""
    spilled_bytes: int
    """What of it was spilled, all times together."""
    aborted_s: float | None
    """When it was aborted; null if it was not."""
    finished_s: float | None
    """When it ended; null if it did not as far as the events go."""


class ReplayedRun(NamedTuple):
    """One run of the leases of a trace: as it was recorded, or as it would have gone."""

    recorded: bool
    """Whether it was recorded; the others are replayed."""
    backpressure: Annotated[str, BACKPRESSURES]
    """How leases were held back."""
    policy: str
    """Whom it met first."""
    limit_bytes: int
    """Most memory of the host."""
    soft_bytes: int
    """Where leases were held back."""
    summary: Annotated[Summary, Mark.INLINE]
    """How it went."""
    leases: tuple[LeaseFate, ...]
    """What became of each lease, in the order of their numbers."""
    decisions: tuple[ReplayedDecision, ...]
    """What was done to leases, in the order of time."""


class ReplayError(NamedTuple):
    """By how much a replay under the recorded rules misses what was recorded: replayed less
    recorded."""

    makespan_s: float
    """Of how long it took."""
    spills: int
    """Of how often was spilled."""
    spilled_bytes: int
    """Of how much was spilled."""


class RefusedLimit(NamedTuple):
    """Why a run would not have begun."""

    code: str
    """The code of the error."""
    message: str
    """What is wrong with its budget."""


class SimulationReport(NamedTuple):
    """A recorded run, how it would have gone otherwise, and how far that can be trusted."""

    moments_checked: int
    """How many recorded moments of decision were decided again."""
    samples_checked: int
    """At how many samples it was checked that nothing is decided."""
    moments_decided_otherwise: tuple[float, ...]
    """When other decisions are made now, in seconds from the start of the host."""
    rulings_without_decision: tuple[float, ...]
    """When something was done that no decision is recorded for, likewise."""
    model_error: ReplayError | None
    """How exact replays are; null where the trace's own budget is below what its host took."""
    refused: tuple[RefusedLimit, ...]
    """Why runs that were asked for would not have begun."""
    runs: tuple[ReplayedRun, ...]
    """The recorded run, and those that were asked for."""


def simulation_report(shown: Simulation) -> SimulationReport:
    """All runs with their leases and decisions."""
    checked, error = shown.checked, shown.model_error
    return SimulationReport(
        moments_checked=checked.moments,
        samples_checked=checked.samples,
        moments_decided_otherwise=tuple(each.at_s for each in checked.differences),
        rulings_without_decision=tuple(each.at_s for each in checked.undecided),
        model_error=None if error is None else ReplayError(*error[1:]),
        refused=tuple(RefusedLimit(each.code, str(each)) for each in shown.refused),
        runs=tuple(map(_run, shown.runs)),
    )


def _run(run: Run) -> ReplayedRun:
    return ReplayedRun(
        recorded=run.is_recorded,
        backpressure=run.backpressure,
        policy=run.policy,
        limit_bytes=run.budget.limit_bytes,
        soft_bytes=run.budget.soft_bytes,
        summary=run.summary,
        leases=tuple(map(_fate, run.fates)),
        decisions=tuple(map(_decision, run.decisions)),
    )


def _decision(event: Ruled) -> ReplayedDecision:
    return ReplayedDecision(
        event.at_s,
        event.action,
        event.lease,
        event.bytes,
        event.freed_bytes,
        event.pressure.total_bytes,
        event.reason,
    )


def _fate(fate: Fate) -> LeaseFate:
    begun = fate.begun
    return LeaseFate(
        begun.lease, begun.principal, begun.label, begun.capsule, begun.priority, *fate[1:]
    )
