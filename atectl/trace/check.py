"""Whether the rules under which a trace was recorded still decide what they did.

Each recorded decision is made again on the view that was recorded with it. At a sample where
nothing was decided, the view is pieced together from the events before it, and the rules must
decide nothing there again.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.deciding import decide
from atectl.arbitration.policies import Rules, rules
from atectl.arbitration.standing import IllegalTransition, Standing
from atectl.arbitration.view import Action, Decision, HostView
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

_UNSURE_BYTES = 1 << 20
"""How far the resident size may have moved from when it was sampled to when it was decided on."""


class Difference(NamedTuple):
    """A moment at which other decisions are made now than were recorded."""

    at_s: float
    recorded: tuple[Decision, ...]
    decided: tuple[Decision, ...]


class Check(NamedTuple):
    """What came of deciding every recorded moment again, and the samples between them.

    `samples` counts those at which nothing was decided, and of which all is known that this
    depended on. `undecided` is what was done to leases with no decision recorded for it.
    """

    moments: int
    differences: tuple[Difference, ...]
    samples: int = 0
    undecided: tuple[Ruled, ...] = ()

    @property
    def is_same(self) -> bool:
        return not self.differences and not self.undecided


def check(trace: Trace) -> Check:
    """Decide a recorded run again, moment by moment."""
    own = rules_of(trace.header)
    moments = samples = 0
    differences: list[Difference] = []
    past = _Past(trace.header)
    for event, following in _with_next(trace.events):
        past.follow(event)
        decided: tuple[Decision, ...] = ()
        if isinstance(event, Decided):
            moments += 1
            decided = tuple(decide(event.host(trace.header.budget), own))
        elif not isinstance(event, Sampled) or isinstance(following, Decided):
            continue
        else:
            views = past.views(event)
            samples += bool(views)
            decided = _decided_on_all(views, own)
        recorded = event.decisions if isinstance(event, Decided) else ()
        if decided != recorded:
            differences.append(Difference(event.at_s, recorded, decided))
    return Check(moments, tuple(differences), samples, tuple(past.undecided))


def rules_of(header: Header) -> Rules:
    """The rules under which a trace was recorded."""
    return rules(header.backpressure, header.policy)


def _with_next(events: tuple[Event, ...]) -> Iterable[tuple[Event, Event | None]]:
    return pairwise((*events, None))  # type: ignore[arg-type]


def _decided_on_all(views: list[HostView], own: Rules) -> tuple[Decision, ...]:
    """What is decided on the first of `views`; nothing if on any of them nothing is."""
    decided = [decide(view, own) for view in views]
    return tuple(decided[0]) if decided and all(decided) else ()


class _Past:
    """How the leases stand, event by event, as far as that is known.

    What no lease can do from where it stands is no reason to fail: the trace lacks something, and
    its samples are not judged until the next recorded view tells how all stand.
    """

    def __init__(self, header: Header) -> None:
        self.undecided: list[Ruled] = []
        self._budget: Budget = header.budget
        self._busy_leases = header.busy_leases
        self._room_bytes = header.spill_room_bytes or 0
        self._leases: dict[int, Standing] = {}
        self._ordered: Counter[tuple[Action, int]] = Counter()
        self._is_sure = True

    def follow(self, event: Event) -> None:
        if isinstance(event, Decided):
            self._decide(event)
        elif isinstance(event, Ruled):
            self._rule(event)
        elif isinstance(event, Registered):
            self._leases[event.lease] = Standing(
                event.lease, event.priority, 0, fixed_bytes=event.fixed_bytes
            )
        elif isinstance(event, Finished):
            self._leases.pop(event.lease, None)
        elif isinstance(event, Asked):
            held_bytes, asked_bytes = event.held_bytes, event.asked_bytes
            # Taken as granted at once: if it was not, a recorded view comes next and tells.
            self._change(
                event.lease, lambda lease: lease.holding(held_bytes).ask(asked_bytes).go_on()
            )

    def views(self, sample: Sampled) -> list[HostView]:
        """The host as it may have been decided on at a sample; none if that is not known."""
        for number in list(self._leases):
            self._change(number, lambda lease: _sampled(lease, sample))
        view = HostView(
            self._budget,
            sample.resident_bytes,
            sample.baseline_bytes,
            tuple(self._leases[number] for number in sorted(self._leases)),
            self._room_bytes,
            self._busy_leases or 1,
            sample.compiling_bytes,
            baseline_of_others_bytes=sample.baseline_of_others_bytes,
        )
        is_known = (
            self._is_sure
            and self._busy_leases is not None
            and view.charged_bytes == sample.charged_bytes
            # Past the limit the resident size is read once more before anything is decided.
            and not self._budget.is_over_limit(sample.pressure.resident_alone)
        )
        if not is_known:
            return []
        if sample.resident_bytes is None:
            return [view]
        resident_bytes = sample.resident_bytes
        return [
            view._replace(resident_bytes=max(resident_bytes + moved, 0))
            for moved in (0, _UNSURE_BYTES, -_UNSURE_BYTES)
        ]

    def _decide(self, event: Decided) -> None:
        self._leases = {lease.number: lease for lease in event.leases}
        self._is_sure = True
        self._room_bytes = event.spill_room_bytes
        # All but a spill is done as it is decided.
        self._ordered = Counter({x: n for x, n in self._ordered.items() if x[0] is Action.SPILL})
        for action, number, _, _ in event.decisions:
            self._ordered[action, number] += 1
            if action is Action.SPILL and number in self._leases:
                self._room_bytes -= self._leases[number].room_needed_bytes
            self._change(number, _TOLD[action])

    def _rule(self, event: Ruled) -> None:
        order = event.action, event.lease
        if self._ordered[order] > 0:
            self._ordered[order] -= 1
        else:
            self.undecided.append(event)
        if event.action is not Action.SPILL:
            return
        if event.is_failed_spill:
            self._change(event.lease, lambda lease: lease.spill_failed(lease.stored_bytes))
            self._is_sure = False  # no event tells when it may be spilled again
        else:
            self._change(event.lease, lambda lease: lease.spilled(event.bytes))

    def _change(self, number: int, change: Callable[[Standing], Standing]) -> None:
        if number not in self._leases:
            return
        try:
            self._leases[number] = change(self._leases[number])
        except IllegalTransition:
            self._is_sure = False


_TOLD: dict[Action, Callable[[Standing], Standing]] = {
    Action.GRANT: Standing.go_on,
    Action.RESUME: Standing.go_on,
    Action.PARK: Standing.park,
    Action.SPILL: Standing.spill,
    Action.ABORT: Standing.abort,
}
"""How a lease stands once it was decided to do this to it."""


def _sampled(lease: Standing, sample: Sampled) -> Standing:
    """How a lease stands by what only samples tell."""
    number = lease.number
    if number in sample.ending and not lease.aborting:
        lease = lease.abort()
    if lease.parking and number not in sample.parking:
        lease = lease.reach_tick()
    elif number in sample.parking and not lease.parking:
        lease = lease.park()
    return lease.fall_asleep() if number in sample.stalled else lease.wake_up()
