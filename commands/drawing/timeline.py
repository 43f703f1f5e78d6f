"""A trace as what a chart of it shows: pressure and resident size over time, and what was done."""

from collections.abc import Sequence
from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.view import Action
from atectl.trace.events import Event, Finished, Ruled, Sampled

MARKED = (Action.PARK, Action.SPILL, Action.ABORT)
"""The actions that a chart marks: what an arbiter takes, not what it gives back."""


class Point(NamedTuple):
    """The host at one moment; `resident_bytes` None where it could not be read."""

    at_s: float
    pressure_bytes: int
    resident_bytes: int | None


class Mark(NamedTuple):
    """What was done to a lease, and when."""

    at_s: float
    action: Action
    lease: int


class Timeline(NamedTuple):
    """What a chart shows of one run."""

    title: str
    budget: Budget
    ends_s: float
    points: tuple[Point, ...]
    marks: tuple[Mark, ...]
    least_span_s: float = 0.0
    least_top_bytes: int = 0

    @property
    def span_s(self) -> float:
        """What the horizontal axis goes to: the end of the run, or further."""
        return max(self.ends_s, self.least_span_s)

    @property
    def top_bytes(self) -> int:
        """What the vertical axis goes up to: a little over the highest shown, or further."""
        highest = max((point.pressure_bytes for point in self.points), default=0)
        own = max(self.budget.limit_bytes, highest, 1) * 105 // 100 + 1
        return max(own, self.least_top_bytes)


def timeline_of(title: str, budget: Budget, events: Sequence[Event]) -> Timeline:
    """The timeline of a run, recorded or simulated."""
    points = [
        Point(event.at_s, event.pressure.total_bytes, event.resident_bytes)
        for event in events
        if isinstance(event, Sampled | Ruled)
    ]
    marks = [
        Mark(event.at_s, event.action, event.lease)
        for event in events
        if isinstance(event, Ruled) and event.action in MARKED and not event.is_failed_spill
    ]
    ends = [event.at_s for event in events if isinstance(event, Finished | Sampled)]
    return Timeline(title, budget, max(ends, default=0.0), tuple(points), tuple(marks))


def on_common_axes(timelines: Sequence[Timeline]) -> list[Timeline]:
    """The same timelines, all to one scale, so that one can be laid beside the other."""
    span_s = max((timeline.span_s for timeline in timelines), default=0.0)
    top_bytes = max((timeline.top_bytes for timeline in timelines), default=0)
    return [
        timeline._replace(least_span_s=span_s, least_top_bytes=top_bytes) for timeline in timelines
    ]


def in_columns(timeline: Timeline, columns: int) -> list[Point | None]:
    """The highest point in each of `columns` equal stretches of time, so that no peak is lost.

    A stretch without any point goes on from the one before; None before the first, and once the
    run has ended.
    """
    found: list[Point | None] = [None] * columns
    for point in timeline.points:
        place = column_of(point.at_s, timeline, columns)
        before = found[place]
        found[place] = point if before is None else _higher(before, point)
    last: Point | None = None
    latest = {column_of(point.at_s, timeline, columns): point for point in timeline.points}
    for place in range(column_of(timeline.ends_s, timeline, columns) + 1):
        if found[place] is None:
            found[place] = last
        last = latest.get(place, last)
    return found


def column_of(at_s: float, timeline: Timeline, columns: int) -> int:
    if timeline.span_s <= 0:
        return 0
    return min(int(at_s / timeline.span_s * columns), columns - 1)


def _higher(one: Point, other: Point) -> Point:
    resident = [x.resident_bytes for x in (one, other) if x.resident_bytes is not None]
    pressure_bytes = max(one.pressure_bytes, other.pressure_bytes)
    return Point(one.at_s, pressure_bytes, max(resident, default=None))
