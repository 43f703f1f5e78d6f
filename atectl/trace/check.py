"""Whether the rules under which a trace was recorded still decide what they did.

What was decided is decided again on the view of then. Where nothing was, the view is pieced
together from the events before, and the rules are to do nothing again.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from atectl.accounting import Budget
from atectl.arbitration.deciding import decide
from atectl.arbitration.policies import Rules, rules
from atectl.arbitration.view import Action, Decision, HostView, LeaseView, Phase
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
    """Every recorded moment of decision decided again, and the samples between them.

    `samples` counts those at which nothing was decided and all is known on which that was.
    `undecided` is what was done to leases with no decision recorded for it.
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
    """How the leases stand, event by event."""

    def __init__(self, header: Header) -> None:
        self.undecided: list[Ruled] = []
        self._budget: Budget = header.budget
        self._busy_leases = header.busy_leases
        self._room_bytes = header.spill_room_bytes or 0
        self._leases: dict[int, LeaseView] = {}
        self._ordered: Counter[tuple[Action, int]] = Counter()
        self._is_sure = True

    def follow(self, event: Event) -> None:
        if isinstance(event, Decided):
            self._decide(event)
        elif isinstance(event, Ruled):
            self._rule(event)
        elif isinstance(event, Registered):
            self._leases[event.lease] = LeaseView(event.lease, event.priority, 0)
        elif isinstance(event, Finished):
            self._leases.pop(event.lease, None)
        elif isinstance(event, Asked):
            # Granted at once, or what was decided on it comes next and says how it stands.
            held_bytes = event.held_bytes + event.asked_bytes
            self._become(event.lease, held_bytes=held_bytes, phase=Phase.RUNNING, parking=False)

    def views(self, sample: Sampled) -> list[HostView]:
        """The host as it may have been decided on at a sample; none if that is not known."""
        leases = [self._seen(lease, sample) for lease in self._leases.values()]
        view = HostView(
            self._budget,
            sample.resident_bytes,
            sample.baseline_bytes,
            tuple(sorted(leases, key=lambda lease: lease.number)),
            self._room_bytes,
            self._busy_leases or 1,
        )
        is_known = (
            self._is_sure
            and self._busy_leases is not None
            and view.charged_bytes == sample.charged_bytes
            # Past the limit the resident size is looked at once more.
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

    def _seen(self, lease: LeaseView, sample: Sampled) -> LeaseView:
        number = lease.number
        seen = lease._replace(
            parking=number in sample.parking,
            stalled=number in sample.stalled,
            aborting=number in sample.ending,
        )
        if lease.parking and not seen.parking and not seen.aborting:
            # It got to its tick.
            seen = self._leases[number] = seen._replace(phase=Phase.PARKED, spillable=True)
        return seen

    def _decide(self, event: Decided) -> None:
        self._leases = {lease.number: lease for lease in event.leases}
        self._is_sure = True
        self._room_bytes = event.spill_room_bytes
        # All but a spill is done as it is decided.
        self._ordered = Counter({x: n for x, n in self._ordered.items() if x[0] is Action.SPILL})
        for action, number, _, _ in event.decisions:
            self._ordered[action, number] += 1
            lease = self._leases.get(number)
            if lease is None:
                continue
            if action in (Action.GRANT, Action.RESUME):
                held_bytes = lease.held_bytes + lease.asked_bytes
                self._become(
                    number,
                    held_bytes=held_bytes,
                    asked_bytes=0,
                    phase=Phase.RUNNING,
                    spillable=False,
                    parking=False,
                )
            elif action is Action.PARK and lease.asked_bytes:
                self._become(number, phase=Phase.PARKED)
            elif action is Action.PARK:
                self._become(number, parking=True)
            elif action is Action.SPILL:
                self._room_bytes -= lease.room_needed_bytes
                self._become(number, spilling=True)

    def _rule(self, event: Ruled) -> None:
        order = event.action, event.lease
        if self._ordered[order] > 0:
            self._ordered[order] -= 1
        else:
            self.undecided.append(event)
        if event.action is not Action.SPILL:
            return
        if event.is_failed_spill:
            # When it may be spilled after all is not told.
            self._become(event.lease, spilling=False)
            self._is_sure = False
        else:
            self._become(event.lease, spilling=False, phase=Phase.SPILLED, stored_bytes=event.bytes)

    def _become(self, number: int, **changed: object) -> None:
        if number in self._leases:
            lease = self._leases[number]._replace(**changed)  # type: ignore[arg-type]
            self._leases[number] = lease
