"""The lane of each job in a chart: when it ran, when it was held back, and whether it was ended."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from atectl.arbitration.view import Action
from atectl.trace.events import Event, Finished, Registered, Ruled

RUNS, PARKED, SPILLED = "runs", Action.PARK.value, Action.SPILL.value
_RANKS = ("", RUNS, PARKED, SPILLED)
"""What is shown of a moment in which a job was several of these: the last."""


class Stretch(NamedTuple):
    """A time in which a job ran, was parked, or was in part on disk."""

    begins_s: float
    ends_s: float
    state: str


class Lane(NamedTuple):
    """One job; `aborted_s` is when it was ended by the arbiter, None if it was not."""

    name: str
    stretches: tuple[Stretch, ...]
    aborted_s: float | None = None


class _Open:
    """A lane that is still being read: its state, and since when it is in that."""

    def __init__(self, at_s: float) -> None:
        self.state, self.since_s = RUNS, at_s
        self.stretches: list[Stretch] = []
        self.aborted_s: float | None = None

    def turn(self, at_s: float, state: str) -> None:
        self.stretches.append(Stretch(self.since_s, at_s, self.state))
        self.state, self.since_s = state, at_s


def lanes_of(events: Sequence[Event], leases: Iterable[Registered], ends_s: float) -> list[Lane]:
    """A lane for each lease that began, in the order of their numbers.

    Args:
        events: of the run, in the order of time.
        leases: those that are to be named, as a replay does not know their names.
        ends_s: the end of those that did not finish.
    """
    told = {lease.lease: lease for lease in leases}
    found: dict[int, _Open] = {}
    names: dict[int, str] = {}
    finished: set[int] = set()
    for event in events:
        if isinstance(event, Registered):
            found[event.lease] = _Open(event.at_s)
            names[event.lease] = _name(told.get(event.lease, event))
        elif isinstance(event, Ruled) and event.lease in found:
            _rule(found[event.lease], event)
        elif isinstance(event, Finished) and event.lease in found:
            found[event.lease].turn(event.at_s, "")
            finished.add(event.lease)
    for lease, lane in found.items():
        if lease not in finished:
            lane.turn(ends_s, "")
    return [
        Lane(names[lease], tuple(lane.stretches), lane.aborted_s)
        for lease, lane in sorted(found.items())
    ]


def _rule(lane: _Open, event: Ruled) -> None:
    if event.action is Action.ABORT:
        lane.aborted_s = event.at_s
    elif event.action in (Action.GRANT, Action.RESUME):
        lane.turn(event.at_s, RUNS)
    elif event.action is Action.PARK:
        lane.turn(event.at_s, PARKED)
    elif event.action is Action.SPILL and not event.is_failed_spill:
        lane.turn(event.at_s, SPILLED)


def _name(lease: Registered) -> str:
    return f"{lease.lease} {lease.label or lease.capsule}".rstrip()


def shown_of(lanes: Sequence[Lane], most: int) -> list[Lane]:
    """At most so many lanes, in their order: first those of jobs that were held back or ended."""
    if len(lanes) <= most:
        return list(lanes)
    calm = [place for place, lane in enumerate(lanes) if not _was_touched(lane)]
    touched = [place for place, lane in enumerate(lanes) if _was_touched(lane)]
    return [lanes[place] for place in sorted((touched + calm)[:most])]


def _was_touched(lane: Lane) -> bool:
    return lane.aborted_s is not None or any(x.state != RUNS for x in lane.stretches)


def in_parts(lane: Lane, span_s: float, parts: int) -> list[tuple[int, int, str]]:
    """A lane as runs of equal parts of the time: the first part, the one behind it, the state."""
    ranks = [0] * parts
    for stretch in lane.stretches:
        first = _part(stretch.begins_s, span_s, parts)
        last = max(_part(stretch.ends_s, span_s, parts), first + 1)
        rank = _RANKS.index(stretch.state)
        for place in range(first, min(last, parts)):
            ranks[place] = max(ranks[place], rank)
    found: list[tuple[int, int, str]] = []
    begin = 0
    for place in range(1, parts + 1):
        if place == parts or ranks[place] != ranks[begin]:
            if ranks[begin]:
                found.append((begin, place, _RANKS[ranks[begin]]))
            begin = place
    return found


def _part(at_s: float, span_s: float, parts: int) -> int:
    share = at_s / span_s if span_s > 0 else 0.0
    return min(max(int(share * parts), 0), parts - 1)
