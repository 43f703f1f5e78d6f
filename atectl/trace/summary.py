"""How a run went, recorded or simulated: as a whole, and for each of its leases."""

from collections.abc import Sequence
from typing import NamedTuple

from atectl.arbitration.view import Action
from atectl.trace.events import Event, Finished, Registered, Ruled, Sampled


class Summary(NamedTuple):
    """How a run went."""

    makespan_s: float
    """How long it took."""
    lease_count: int
    """How many leases there were."""
    finished: int
    """How many of them ended by themselves."""
    unfinished: int
    """How many had not ended where the events end."""
    parks: int
    """How often a lease was parked."""
    spills: int
    """How often a lease was spilled."""
    spilled_bytes: int
    """What was spilled, all times together."""
    aborted: tuple[int, ...]
    """The numbers of the leases that were aborted."""
    peak_bytes: int
    """The most memory that the host used."""


class Fate(NamedTuple):
    """What became of one lease; `begun` says whose it is. Times as in the events.

    `held_s` is how long it was kept from going on, with its memory resident or on disk, and
    `first_held_s` when that began.
    """

    begun: Registered
    parks: int = 0
    first_held_s: float | None = None
    held_s: float = 0.0
    spills: int = 0
    spilled_bytes: int = 0
    aborted_s: float | None = None
    finished_s: float | None = None

    @property
    def was_touched(self) -> bool:
        return bool(self.parks or self.spills) or self.aborted_s is not None


def summarise(events: Sequence[Event], leases: Sequence[Registered] | None = None) -> Summary:
    """Counts and extremes of a run; all zero for no events.

    Args:
        leases: those that were to run, if others than began.
    """
    found = fates(events, leases)
    aborted = sorted(fate.begun.lease for fate in found if fate.aborted_s is not None)
    unfinished = sum(fate.finished_s is None for fate in found)
    ends = [event.at_s for event in events if unfinished or isinstance(event, Finished)]
    return Summary(
        makespan_s=max(ends, default=0.0),
        lease_count=len(found),
        finished=sum(x.finished_s is not None and x.aborted_s is None for x in found),
        unfinished=unfinished,
        parks=sum(fate.parks for fate in found),
        spills=sum(fate.spills for fate in found),
        spilled_bytes=sum(fate.spilled_bytes for fate in found),
        aborted=tuple(aborted),
        peak_bytes=max(
            (event.pressure.total_bytes for event in events if isinstance(event, Sampled | Ruled)),
            default=0,
        ),
    )


def fates(events: Sequence[Event], leases: Sequence[Registered] | None = None) -> list[Fate]:
    """What became of each lease, in the order of their numbers."""
    begun = leases or [event for event in events if isinstance(event, Registered)]
    found = {each.lease: Fate(each) for each in begun}
    held_since: dict[int, float] = {}
    for event in events:
        if isinstance(event, Ruled) and event.lease in found:
            found[event.lease] = _ruled(found[event.lease], event, held_since)
        elif isinstance(event, Finished) and event.lease in found:
            fate = _let_go(found[event.lease], event.at_s, held_since)
            found[event.lease] = fate._replace(finished_s=event.at_s)
    ends_s = events[-1].at_s if events else 0.0
    return [_let_go(found[number], ends_s, held_since) for number in sorted(found)]


def _ruled(fate: Fate, event: Ruled, held_since: dict[int, float]) -> Fate:
    if event.action is Action.PARK:
        held_since.setdefault(event.lease, event.at_s)
        first_s = event.at_s if fate.first_held_s is None else fate.first_held_s
        return fate._replace(parks=fate.parks + 1, first_held_s=first_s)
    if event.action is Action.SPILL and not event.is_failed_spill:
        spilled_bytes = fate.spilled_bytes + event.bytes
        return fate._replace(spills=fate.spills + 1, spilled_bytes=spilled_bytes)
    if event.action is Action.ABORT:
        return fate._replace(aborted_s=event.at_s)
    if event.action in (Action.GRANT, Action.RESUME):
        return _let_go(fate, event.at_s, held_since)
    return fate


def _let_go(fate: Fate, at_s: float, held_since: dict[int, float]) -> Fate:
    since_s = held_since.pop(fate.begun.lease, at_s)
    return fate._replace(held_s=fate.held_s + at_s - since_s)
