"""A host that runs no capsule: what rules would do to leases whose demand is known.

Time jumps from one event to the next, so that a simulation is exact, quick and always the same.
Leases share the cores evenly. Parking takes one tick, spilling takes the time of the disk. A lease
touches granted memory little by little as it works; memory that was spilled comes back in the same
way, and that costs no time of its own. What happens is told as a trace.
"""

from collections.abc import Sequence

from atectl.accounting import Pressure
from atectl.arbitration.deciding import decide, is_calm, is_granted_at_once
from atectl.arbitration.policies import Rules
from atectl.arbitration.standing import Phase
from atectl.arbitration.turns import Turns, lets_anybody_go
from atectl.arbitration.view import Action, Decision, HostView
from atectl.trace.events import Asked, Decided, Event, Finished, Registered, Ruled, Sampled
from atectl.trace.workload import Actor, Machine, Script

TICK_S = 0.01
"""How long a running guest takes to see that it is to park or to end."""

RECONCILE_S = 0.05
"""Between two looks at what changes without anybody asking."""

_SOON_S = 1e-9


def simulate(machine: Machine, scripts: Sequence[Script], rules: Rules) -> tuple[Event, ...]:
    """What happens to `scripts`, which are registered in their order.

    Where nobody can go on any more, the events end, and some leases have not finished.
    """
    return _Simulation(machine, scripts, rules).run()


class _Simulation:
    def __init__(self, machine: Machine, scripts: Sequence[Script], rules: Rules) -> None:
        self._machine = machine
        self._rules = rules
        self._coming = [
            (script.number or place, script) for place, script in enumerate(scripts, start=1)
        ][::-1]
        self._actors: dict[int, Actor] = {}
        self._uncharged = list(reversed(machine.uncharged))
        self._uncharged_bytes = 0
        self._is_calm = True
        self._turns = Turns()
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
        """Which share of a core each lease gets that needs one."""
        wanting = sum(actor.needs_core for actor in self._actors.values())
        return min(1.0, self._machine.cores / max(wanting, 1))

    def _until_next(self) -> float | None:
        """Seconds to the next event; None if there is none."""
        rate = self._rate()
        times = [
            self._now_s + actor.left_s / (1.0 if actor.sleeps else rate)
            for actor in self._actors.values()
            if not actor.standing.is_held
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
        turn_s = self._turns.next_s
        if turn_s is not None and turn_s > self._now_s + _SOON_S:
            times.append(turn_s)
        if self._uncharged_bytes and any(actor.needs_core for actor in self._actors.values()):
            # With memory that nobody is charged for, touching granted pages raises the pressure
            # before anybody asks for more: look as often as a real host does.
            times.append((int(self._now_s / RECONCILE_S + _SOON_S) + 1) * RECONCILE_S)
        return max(min(times) - self._now_s, 0.0) if times else None

    def _pass(self, seconds: float) -> None:
        rate = self._rate()
        for actor in self._actors.values():
            if not actor.standing.is_held:
                actor.left_s -= seconds * (1.0 if actor.sleeps else rate)
        self._now_s += seconds

    # Events

    def _happen(self) -> None:
        """Do all that is due now, and decide anew after each of it."""
        while self._uncharged and self._is_due(self._uncharged[-1][0]):
            self._uncharged_bytes = self._uncharged.pop()[1]
            self._settle()
        if self._uncharged_bytes or self._turn_is_due:
            self._settle()
        while self._begins():
            self._settle()
        for actor in list(self._actors.values()):
            # An earlier one in this loop may have caused this one to end.
            if actor.number in self._actors and self._moves(actor):
                self._settle()
                while self._begins():
                    self._settle()
        self._sample()

    def _sample(self) -> None:
        leases = (actor.standing for actor in self._actors.values())
        self._events.append(Sampled.of(leases, self._now_s, self._pressure()))

    def _begins(self) -> bool:
        """Register the next script if it is due and there is a place for it."""
        if not self._coming or len(self._actors) >= self._machine.jobs:
            return False
        number, script = self._coming[-1]
        if script.ready_s > self._now_s + _SOON_S:
            return False
        self._coming.pop()
        actor = self._actors[number] = Actor(number, script)
        self._events.append(
            Registered(self._now_s, number, script.priority, fixed_bytes=script.fixed_bytes)
        )
        self._advance(actor)
        return True

    def _moves(self, actor: Actor) -> bool:
        """Do what is due of one lease; whether anything was."""
        if self._is_due(actor.spilled_at):
            self._spilled(actor)
        elif actor.sleeps and actor.left_s > _SOON_S:
            return False
        elif self._is_due(actor.ends_at):
            self._finish(actor)
        elif not actor.standing.is_held and actor.left_s <= _SOON_S:
            self._asks(actor)
        elif self._is_due(actor.parks_at):
            actor.reach_tick()
        else:
            return False
        return True

    def _is_due(self, at_s: float | None) -> bool:
        return at_s is not None and at_s <= self._now_s + _SOON_S

    def _asks(self, actor: Actor) -> None:
        """The step is worked through, and all memory granted before it is touched by now."""
        actor.untouched_bytes = 0
        added_bytes, held_bytes = actor.step.grow_bytes, actor.standing.held_bytes
        if not added_bytes or actor.standing.aborting:
            self._advance(actor)
            return
        self._events.append(Asked(self._now_s, actor.number, held_bytes, added_bytes))
        room_bytes = self._machine.budget.room_below_soft_bytes(self._pressure())
        is_granted = not self._rules.is_guarded or is_granted_at_once(
            added_bytes, room_bytes, self._is_calm, actor.standing
        )
        actor.ask()
        if is_granted:
            actor.go_on()
            self._advance(actor)

    def _advance(self, actor: Actor) -> None:
        """Begin the next step, or end."""
        if actor.steps and not actor.standing.aborting:
            actor.begin(actor.steps.pop())
        else:
            self._finish(actor)

    def _finish(self, actor: Actor) -> None:
        del self._actors[actor.number]
        self._events.append(Finished(self._now_s, actor.number))

    def _spilled(self, actor: Actor) -> None:
        resident_bytes = actor.resident_bytes
        actor.end_spilling()
        freed_bytes = resident_bytes - actor.resident_bytes
        decision = Decision(Action.SPILL, actor.number, actor.standing.spillable_bytes, "spilled")
        self._record(decision, freed_bytes)

    # Decisions

    def _settle(self) -> None:
        """Decide and carry out, until there is nothing more to be done."""
        for _ in range(len(self._actors) + 1):
            host = self._view()
            decisions = decide(host, self._rules)
            self._note_turn(host, decisions)
            if not decisions:
                break
            self._events.append(Decided.on(host, self._now_s, decisions))
            for decision in decisions:
                self._carry_out(decision)
        holds_anybody_back = any(x.standing.is_held_back for x in self._actors.values())
        self._is_calm = is_calm(
            self._machine.budget, self._pressure(), holds_anybody_back=holds_anybody_back
        )

    def _note_turn(self, host: HostView, decisions: Sequence[Decision]) -> None:
        away_bytes = sum(lease.away_bytes for lease in host.leases)
        self._turns.note(
            self._now_s,
            is_short=self._machine.budget.is_much_on_disk(away_bytes),
            was_taken=self._turn_is_due and lets_anybody_go(decisions),
        )

    def _carry_out(self, decision: Decision) -> None:
        actor = self._actors[decision.lease]
        waited = actor.standing.phase is not Phase.RUNNING
        match decision.action:
            case Action.GRANT:
                actor.go_on()
                self._advance(actor)
            case Action.RESUME:
                actor.go_on()
            case Action.PARK:
                actor.park(self._now_s + TICK_S)
            case Action.SPILL:
                actor.spill(self._now_s + decision.bytes / self._machine.spill_bytes_per_s)
            case Action.ABORT:
                actor.abort(self._now_s + (0.0 if actor.standing.is_held else TICK_S))
        if decision.action is not Action.SPILL and (waited or decision.action is not Action.GRANT):
            self._record(decision)

    def _record(self, decision: Decision, freed_bytes: int | None = None) -> None:
        action, lease, size, reason = decision
        self._events.append(
            Ruled(self._now_s, action, lease, size, freed_bytes, reason, *self._pressure())
        )

    # The host

    def _view(self) -> HostView:
        machine, actors = self._machine, self._actors.values()
        on_disk_bytes = sum(actor.on_disk_bytes for actor in actors)
        return HostView(
            machine.budget,
            self._pressure().resident_bytes,
            self._machine.baseline_bytes,
            tuple(actor.standing for actor in sorted(actors, key=lambda actor: actor.number)),
            max(machine.spill_room_bytes - on_disk_bytes, 0),
            min(machine.cores, machine.jobs),
            enough_leases=self._enough_leases(),
        )

    def _enough_leases(self) -> int:
        """How many keep the cores busy: those that sleep do not."""
        actors, cores = self._actors.values(), min(self._machine.cores, self._machine.jobs)
        enough = cores + sum(actor.sleeps for actor in actors)
        if self._turn_is_due:
            enough = max(enough, 1 + sum(actor.standing.makes_progress for actor in actors))
        return enough if enough > cores else 0

    @property
    def _turn_is_due(self) -> bool:
        return self._turns.is_due(self._now_s + _SOON_S)

    def _pressure(self) -> Pressure:
        actors = self._actors.values()
        resident_bytes = self._machine.baseline_bytes + self._uncharged_bytes
        resident_bytes += sum(actor.resident_bytes for actor in actors)
        return Pressure(
            resident_bytes if self._machine.sees_resident else None,
            self._machine.baseline_bytes,
            sum(actor.standing.charged_bytes for actor in actors),
        )
