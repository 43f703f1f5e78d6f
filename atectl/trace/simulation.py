"""A host that runs no capsule: what rules would do to leases whose demand is known.

Time goes from one event to the next, so that a simulation is exact, quick and always the same.
Leases share the cores evenly; parking takes a tick, spilling takes the time of the disk. Memory is
touched only after it was granted, little by little as its lease works, and comes back from disk
likewise, at no cost of its own. What happens is told as a trace.
"""

from collections.abc import Sequence
from typing import NamedTuple

from atectl.accounting import Budget, Pressure
from atectl.arbitration.deciding import decide
from atectl.arbitration.policies import Rules
from atectl.arbitration.view import Action, Decision, HostView, LeaseView, Phase
from atectl.trace.events import Asked, Decided, Event, Finished, Registered, Ruled, Sampled

TICK_S = 0.01
"""How long a running guest takes to see that it is to park or to end."""

RECONCILE_S = 0.05
"""Between two looks at what changes without anybody asking."""

_SOON_S = 1e-9


class Step(NamedTuple):
    """A lease works for `work_s` seconds of one core, then asks for `grow_bytes` more.

    With `grow_bytes` 0 it goes on to its next step. In a host call it needs no core, sees no
    tick, and so cannot be parked.
    """

    work_s: float
    grow_bytes: int = 0
    in_host_call: bool = False


class Script(NamedTuple):
    """All that one lease does, from `ready_s` on. `number` 0 is its place among the scripts."""

    steps: tuple[Step, ...]
    priority: int = 0
    ready_s: float = 0.0
    number: int = 0


class Machine(NamedTuple):
    """What the leases run on.

    `jobs` is how many run at once at most. `uncharged` is resident memory that nobody is charged
    for, as (from when, bytes) in the order of time. `sees_resident` is no where the resident size
    cannot be read.
    """

    budget: Budget
    baseline_bytes: int
    cores: int
    jobs: int
    spill_room_bytes: int
    spill_bytes_per_s: float
    uncharged: tuple[tuple[float, int], ...] = ()
    sees_resident: bool = True


def simulate(machine: Machine, scripts: Sequence[Script], rules: Rules) -> tuple[Event, ...]:
    """What happens to `scripts`, which are registered in their order.

    If nobody could go on any more, the events end there: some lease has then not finished.
    """
    return _Simulation(machine, scripts, rules).run()


class _Actor:
    """A lease that has begun."""

    def __init__(self, number: int, script: Script) -> None:
        self.number = number
        self.priority = script.priority
        self.steps = list(reversed(script.steps))
        self.step = Step(0.0)
        self.left_s = self.work_s = 0.0
        self.held_bytes = self.asked_bytes = self.stored_bytes = 0
        self.untouched_bytes = 0  # of what it holds, as its step began
        self.phase = Phase.RUNNING
        self.parks_at: float | None = None
        self.spilled_at: float | None = None
        self.ends_at: float | None = None
        self.is_held = False

    @property
    def charged_bytes(self) -> int:
        return 0 if self.phase is Phase.SPILLED else self.held_bytes

    @property
    def resident_bytes(self) -> int:
        if self.phase is Phase.SPILLED:
            return 0
        share = self.left_s / self.work_s if self.work_s > 0 else 1.0
        return self.held_bytes - int(self.untouched_bytes * min(max(share, 0.0), 1.0))

    @property
    def to_be_stored_bytes(self) -> int:
        """What it takes of the disk once it is spilled: its file never shrinks."""
        return max(self.held_bytes, self.stored_bytes)

    def grow(self) -> None:
        self._stand()
        self.held_bytes += self.asked_bytes
        self.untouched_bytes += self.asked_bytes
        self.asked_bytes = 0

    def work(self, seconds: float) -> None:
        """Have it touch what it holds over `seconds` of a core, and ask again after them."""
        self._stand()
        self.left_s = self.work_s = seconds

    def spill(self) -> None:
        """All that it holds is gone, and comes back as it is used."""
        self.phase = Phase.SPILLED
        self.stored_bytes = self.to_be_stored_bytes
        self.untouched_bytes, self.work_s = self.held_bytes, self.left_s

    def _stand(self) -> None:
        """Count from now on what is yet to be touched."""
        self.untouched_bytes = self.held_bytes - self.resident_bytes
        self.work_s = self.left_s

    @property
    def sleeps(self) -> bool:
        return self.step.in_host_call and not self.is_held

    @property
    def needs_core(self) -> bool:
        return not (self.is_held or self.sleeps)

    def view(self) -> LeaseView:
        return LeaseView(
            number=self.number,
            priority=self.priority,
            held_bytes=self.held_bytes,
            asked_bytes=self.asked_bytes,
            phase=self.phase,
            spillable=self.is_held,
            parking=self.parks_at is not None,
            spilling=self.spilled_at is not None,
            aborting=self.ends_at is not None,
            stalled=self.sleeps,
            stored_bytes=self.stored_bytes,
        )


class _Simulation:
    def __init__(self, machine: Machine, scripts: Sequence[Script], rules: Rules) -> None:
        self._machine = machine
        self._rules = rules
        self._coming = [
            (script.number or place, script) for place, script in enumerate(scripts, start=1)
        ][::-1]
        self._actors: dict[int, _Actor] = {}
        self._uncharged = list(reversed(machine.uncharged))
        self._uncharged_bytes = 0
        self._is_calm = True
        self._events: list[Event] = []
        self._now_s = 0.0

    def run(self) -> tuple[Event, ...]:
        self._happen()
        while self._coming or self._actors:
            waits_s = self._until_next()
            if waits_s is None:
                break
            self._pass(waits_s)
            self._happen()
        return tuple(self._events)

    # Time

    def _rate(self) -> float:
        """How much of a core each lease has that needs one."""
        wanting = sum(actor.needs_core for actor in self._actors.values())
        return min(1.0, self._machine.cores / max(wanting, 1))

    def _until_next(self) -> float | None:
        """Seconds to the next event; None if there is none."""
        rate = self._rate()
        times = [
            self._now_s + actor.left_s / (1.0 if actor.sleeps else rate)
            for actor in self._actors.values()
            if not actor.is_held
        ]
        for actor in self._actors.values():
            times += [
                at_s
                for at_s in (actor.parks_at, actor.spilled_at, actor.ends_at)
                if at_s is not None and not actor.sleeps
            ]
        if self._coming and len(self._actors) < self._machine.jobs:
            times.append(self._coming[-1][1].ready_s)
        if self._uncharged and self._actors:
            times.append(self._uncharged[-1][0])
        if self._uncharged_bytes and any(actor.needs_core for actor in self._actors.values()):
            # What is touched is else covered by what is charged, and changes nothing.
            times.append((int(self._now_s / RECONCILE_S + _SOON_S) + 1) * RECONCILE_S)
        return max(min(times) - self._now_s, 0.0) if times else None

    def _pass(self, seconds: float) -> None:
        rate = self._rate()
        for actor in self._actors.values():
            if not actor.is_held:
                actor.left_s -= seconds * (1.0 if actor.sleeps else rate)
        self._now_s += seconds

    # Events

    def _happen(self) -> None:
        """Do all that is due now, and decide after each."""
        while self._uncharged and self._is_due(self._uncharged[-1][0]):
            self._uncharged_bytes = self._uncharged.pop()[1]
            self._settle()
        if self._uncharged_bytes:
            self._settle()
        while self._begins():
            self._settle()
        for actor in list(self._actors.values()):
            # What was done for another may have ended it.
            if actor.number in self._actors and self._moves(actor):
                self._settle()
                while self._begins():
                    self._settle()
        self._sample()

    def _sample(self) -> None:
        actors = self._actors.values()
        self._events.append(
            Sampled(
                self._now_s,
                *self._pressure(),
                parking=tuple(x.number for x in actors if x.parks_at is not None),
                stalled=tuple(x.number for x in actors if x.sleeps),
                ending=tuple(x.number for x in actors if x.ends_at is not None),
            )
        )

    def _begins(self) -> bool:
        """Register the next script if it is due and there is a place for it."""
        if not self._coming or len(self._actors) >= self._machine.jobs:
            return False
        number, script = self._coming[-1]
        if script.ready_s > self._now_s + _SOON_S:
            return False
        self._coming.pop()
        actor = self._actors[number] = _Actor(number, script)
        self._events.append(Registered(self._now_s, number, script.priority))
        self._advance(actor)
        return True

    def _moves(self, actor: _Actor) -> bool:
        """Do what is due of one lease; whether anything was."""
        if self._is_due(actor.spilled_at):
            self._spilled(actor)
        elif actor.sleeps and actor.left_s > _SOON_S:
            return False
        elif self._is_due(actor.ends_at):
            self._finish(actor)
        elif not actor.is_held and actor.left_s <= _SOON_S:
            self._asks(actor)
        elif self._is_due(actor.parks_at):
            actor.parks_at, actor.is_held, actor.phase = None, True, Phase.PARKED
        else:
            return False
        return True

    def _is_due(self, at_s: float | None) -> bool:
        return at_s is not None and at_s <= self._now_s + _SOON_S

    def _asks(self, actor: _Actor) -> None:
        """The work of a step is done: by now all that was granted before it is touched."""
        actor.untouched_bytes = 0
        if not actor.step.grow_bytes or actor.ends_at is not None:
            self._advance(actor)
            return
        self._events.append(
            Asked(self._now_s, actor.number, actor.held_bytes, actor.step.grow_bytes)
        )
        actor.asked_bytes = actor.step.grow_bytes
        if self._fits_at_once(actor):
            actor.grow()
            self._advance(actor)
        else:
            actor.is_held, actor.parks_at = True, None

    def _fits_at_once(self, actor: _Actor) -> bool:
        """Whether nothing need be decided, as in `arbiter`."""
        if not (self._rules.parks or self._rules.spills):
            return True
        return (
            not self._machine.budget.is_over_soft(self._pressure().after(actor.asked_bytes))
            and (self._is_calm or actor.held_bytes > 0)
            and actor.parks_at is None
        )

    def _advance(self, actor: _Actor) -> None:
        """Begin the next step, or end."""
        if actor.ends_at is None and actor.steps:
            actor.step = actor.steps.pop()
            actor.work(actor.step.work_s)
        else:
            self._finish(actor)

    def _finish(self, actor: _Actor) -> None:
        del self._actors[actor.number]
        self._events.append(Finished(self._now_s, actor.number))

    def _spilled(self, actor: _Actor) -> None:
        actor.spilled_at = None
        freed_bytes = actor.resident_bytes
        actor.spill()
        decision = Decision(Action.SPILL, actor.number, actor.held_bytes, "spilled")
        self._record(decision, freed_bytes)

    # Decisions

    def _settle(self) -> None:
        """Decide and carry out, until there is nothing more to be done."""
        for _ in range(len(self._actors) + 1):
            host = self._view()
            decisions = decide(host, self._rules)
            if not decisions:
                break
            self._events.append(
                Decided(
                    self._now_s,
                    host.resident_bytes,
                    host.baseline_bytes,
                    host.spill_room_bytes,
                    host.busy_leases,
                    host.leases,
                    tuple(decisions),
                )
            )
            for decision in decisions:
                self._carry_out(decision)
        is_over_soft = self._machine.budget.is_over_soft(self._pressure().resident_alone)
        self._is_calm = not is_over_soft and not any(
            x.is_held or x.parks_at is not None for x in self._actors.values()
        )

    def _carry_out(self, decision: Decision) -> None:
        actor = self._actors[decision.lease]
        waited = actor.phase is not Phase.RUNNING
        match decision.action:
            case Action.GRANT:
                self._bring_back(actor)
                actor.grow()
                self._advance(actor)
            case Action.RESUME:
                self._bring_back(actor)
            case Action.PARK if actor.is_held:
                actor.phase = Phase.PARKED
            case Action.PARK:
                actor.parks_at = self._now_s + TICK_S
            case Action.SPILL:
                actor.spilled_at = self._now_s + self._disk_s(actor)
            case Action.ABORT:
                actor.ends_at = self._now_s + (0.0 if actor.is_held else TICK_S)
        if decision.action is not Action.SPILL and (waited or decision.action is not Action.GRANT):
            self._record(decision)

    def _bring_back(self, actor: _Actor) -> None:
        actor.phase = Phase.RUNNING
        actor.is_held = False

    def _disk_s(self, actor: _Actor) -> float:
        return actor.held_bytes / self._machine.spill_bytes_per_s

    def _record(self, decision: Decision, freed_bytes: int | None = None) -> None:
        action, lease, size, reason = decision
        self._events.append(
            Ruled(self._now_s, action, lease, size, freed_bytes, reason, *self._pressure())
        )

    # The host

    def _view(self) -> HostView:
        machine, actors = self._machine, self._actors.values()
        on_disk_bytes = sum(
            actor.stored_bytes if actor.spilled_at is None else actor.to_be_stored_bytes
            for actor in actors
        )
        return HostView(
            machine.budget,
            self._pressure().resident_bytes,
            self._machine.baseline_bytes,
            tuple(actor.view() for actor in sorted(actors, key=lambda actor: actor.number)),
            max(machine.spill_room_bytes - on_disk_bytes, 0),
            min(machine.cores, machine.jobs),
        )

    def _pressure(self) -> Pressure:
        actors = self._actors.values()
        resident_bytes = self._machine.baseline_bytes + self._uncharged_bytes
        resident_bytes += sum(actor.resident_bytes for actor in actors)
        return Pressure(
            resident_bytes if self._machine.sees_resident else None,
            self._machine.baseline_bytes,
            sum(actor.charged_bytes for actor in actors),
        )
