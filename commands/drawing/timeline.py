"""What a chart of a trace shows: pressure and resident size over time, and decisions."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.view import Action
from atectl.trace.events import Event, Finished, Registered, Ruled, Sampled

from .lanes import Lane, lanes_of

MARKED = (Action.PARK, Action.SPILL, Action.ABORT)
"""The actions that a chart marks: those against a lease, not those that let it go on."""


class Point(NamedTuple):
    """The host at one moment; `resident_bytes` is None if it could not be read."""

    at_s: float
    pressure_bytes: int
    resident_bytes: int | None


class Mark(NamedTuple):
    """One action against a lease, and when it was taken."""

    at_s: float
    action: Action
    lease: int


class Timeline(NamedTuple):
    """What a chart shows of one run.

    `least_span_s` and `least_top_bytes` make its axes longer, to be as long as those of others.
    """

    title: str
    budget: Budget
    ends_s: float
    points: tuple[Point, ...]
    marks: tuple[Mark, ...]
    lanes: tuple[Lane, ...] = ()
    least_span_s: float = 0.0
    least_top_bytes: int = 0

    @property
    def span_s(self) -> float:
        """The end of the time axis: at least the end of the run."""
        return max(self.ends_s, self.least_span_s)

    @property
    def top_bytes(self) -> int:
        """The end of the memory axis: at least 5 percent above the limit and every pressure."""
        highest = max((point.pressure_bytes for point in self.points), default=0)
        own = max(self.budget.limit_bytes, highest, 1) * 105 // 100 + 1
        return max(own, self.least_top_bytes)


def timeline_of(
    title: str, budget: Budget, events: Sequence[Event], leases: Iterable[Registered] = ()
) -> Timeline:
    """The timeline of a run, recorded or simulated; `leases` name its jobs if `events` do not."""
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
    ends_s = max(ends, default=0.0)
    lanes = lanes_of(events, leases, ends_s)
    return Timeline(title, budget, ends_s, tuple(points), tuple(marks), tuple(lanes))


def on_common_axes(timelines: Sequence[Timeline]) -> list[Timeline]:
    """The same timelines with axes of the same length, so that they can be compared."""
    span_s = max((timeline.span_s for timeline in timelines), default=0.0)
    top_bytes = max((timeline.top_bytes for timeline in timelines), default=0)
    return [
        timeline._replace(least_span_s=span_s, least_top_bytes=top_bytes) for timeline in timelines
    ]


def in_columns(timeline: Timeline, columns: int) -> list[Point | None]:
    """Time in `columns` equal parts, each with the highest values of its points.

    So no peak is lost. A part without a point has the last point before it. It is None before the
    first point, and after the end of the run.
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
