"""Under pressure, whom to grant, park, spill, resume or abort: rules without threads or clock.

`decide` looks at a `HostView` and says what is to be done now. It does nothing itself, keeps
nothing, and answers the same to the same view, so that a recorded trace can be replayed through
any rules. Whoever calls it carries the decisions out and calls it again when something changed.

The order of its concerns: grant and resume what fits, make way where the host is over a gate,
make room for the oldest that waits while the machine is not busy, and, if nobody at all could
go on otherwise, go up to the hard limit; past that, abort.

Source: arbitration.md, seeds/bounded-memory.txt.
"""

from atectl.accounting import Pressure
from atectl.arbitration.policies import Rules
from atectl.arbitration.view import Action, Decision, HostView, LeaseView, Phase

TOO_LARGE_ALONE = "larger than the limit, even alone"
"""Why a lease is aborted that no spilling of others could help."""


def decide(host: HostView, rules: Rules) -> list[Decision]:
    """What is to be done now, in the order it is to be done; empty if nothing.

    With neither parking nor spilling allowed, everything is granted.
    """
    if not (rules.parks or rules.spills):
        return [_go_on(lease, "no back-pressure") for lease in host.leases if _is_held(lease)]
    return _Round(host, rules).decisions()


def _go_on(lease: LeaseView, reason: str) -> Decision:
    if lease.asked_bytes:
        return Decision(Action.GRANT, lease.number, lease.asked_bytes, reason)
    size = lease.held_bytes if lease.phase is Phase.SPILLED else 0
    return Decision(Action.RESUME, lease.number, size, reason)


def _is_held(lease: LeaseView) -> bool:
    """Whether the lease stands at a safe point and could be let go on."""
    stands = lease.asked_bytes > 0 or lease.phase is not Phase.RUNNING
    return stands and not (lease.spilling or lease.aborting)


def _return_bytes(lease: LeaseView) -> int:
    """What is charged more once the lease goes on."""
    return lease.asked_bytes + (lease.held_bytes if lease.phase is Phase.SPILLED else 0)


def _makes_progress(lease: LeaseView) -> bool:
    return (
        lease.phase is Phase.RUNNING
        and not lease.asked_bytes
        and not (lease.parking or lease.aborting or lease.stalled)
    )


class _Round:
    """One call of `decide`: the view as it becomes, decision by decision."""

    def __init__(self, host: HostView, rules: Rules) -> None:
        self._rules = rules
        self._budget = host.budget
        self._pressure = host.pressure
        self._room_bytes = host.spill_room_bytes
        # Without parking nobody waits for the others: room is made for all who ask.
        self._busy_leases = host.busy_leases if rules.parks else len(host.leases)
        self._leases = {lease.number: lease for lease in host.leases}
        self._new_askers = [
            lease.number
            for lease in host.leases
            if lease.asked_bytes and lease.phase is Phase.RUNNING and not lease.aborting
        ]
        for number in self._new_askers:
            self._become(number, phase=Phase.PARKED)
        self._decisions: list[Decision] = []

    def decisions(self) -> list[Decision]:
        self._end_what_never_fits()
        self._let_go_what_fits()
        self._make_way()
        self._keep_busy()
        self._let_one_go_on()
        answered = {made.lease for made in self._decisions if made.action is not Action.SPILL}
        waiting = [
            Decision(Action.PARK, number, self._leases[number].asked_bytes, "over soft: waits")
            for number in self._new_askers
            if number not in answered
        ]
        return waiting + self._decisions

    # The concerns, in their order

    def _end_what_never_fits(self) -> None:
        """Abort whoever asks for more than the host has, even alone."""
        for lease in self._held():
            grown_bytes = lease.held_bytes + lease.asked_bytes
            fits_alone = self._budget.can_hold(self._pressure.baseline_bytes, grown_bytes)
            if lease.asked_bytes and not fits_alone:
                self._abort(lease, TOO_LARGE_ALONE)

    def _let_go_what_fits(self) -> None:
        """Grant waiting growths below soft; below resume, let back who was taken off, too.

        Who holds nothing yet waits behind whoever is older and has to wait: a stream of newcomers
        would else take each byte as it comes free, and the oldest would never go on.
        """
        for lease in self._held():
            if self._budget.is_over_soft(self._after(lease)) or self._is_behind_older(lease):
                continue
            if lease.asked_bytes and lease.phase is Phase.PARKED:
                self._let_go(lease, "fits below soft")
            elif self._may_come_back(lease):
                self._let_go(lease, "below resume")

    def _may_come_back(self, lease: LeaseView) -> bool:
        """Whether one that was taken off may go on.

        While enough run, nobody comes back from disk who would take the host above resume again:
        what has just been read would soon be written once more.
        """
        return self._budget.is_below_resume(self._pressure) and (
            lease.phase is Phase.PARKED
            or self._running() < self._busy_leases
            or not self._budget.is_over_resume(self._after(lease))
        )

    def _make_way(self) -> None:
        """Over soft: park who runs, one at a time, and spill who is parked."""
        is_over_limit = self._budget.is_over_limit(self._pressure)
        excess_bytes = self._budget.over_soft_bytes(self._pressure) - self._relief_bytes()
        may_park = is_over_limit or not any(
            lease.parking and not lease.stalled for lease in self._leases.values()
        )
        while excess_bytes > 0:
            running = self._running()
            last = None if running else self._oldest_held()
            givers = [
                lease
                for lease in self._leases.values()
                if (may_park and running > 1 and self._can_park(lease))
                or (lease.number != last and self._can_spill(lease))
            ]
            victim = self._rules.policy.victim(givers, excess_bytes)
            if victim is None:
                break
            if victim.phase is Phase.RUNNING:
                self._park(victim, f"over soft: {self._rules.policy.name}")
                may_park = is_over_limit
                excess_bytes -= victim.held_bytes if self._rules.spills else 0
            else:
                self._spill(victim, f"over soft: {self._rules.policy.name}")
                excess_bytes -= victim.held_bytes
        if is_over_limit and not self._changes_come():
            self._abort_one("past the hard limit", waiting_too=False)

    def _keep_busy(self) -> None:
        """While fewer run than could, spill for the oldest that can be made to fit below soft.

        While anybody runs, only younger ones are spilled for a lease, so that two never drive
        each other out in turn; and who was held at a tick waits for the resume threshold.
        """
        reserved_bytes = 0
        running = self._running()
        for lease in self._held():
            if running >= self._busy_leases:
                break
            if (running and not lease.asked_bytes) or self._is_behind_older(lease):
                continue
            over_bytes = reserved_bytes + self._budget.over_soft_bytes(self._after(lease))
            missing_bytes = over_bytes - self._relief_bytes()
            if missing_bytes > 0:
                givers = self._givers_for(lease, only_younger=running > 0)
                if self._spillable_bytes(givers) < missing_bytes:
                    continue
                self._spill_some(givers, missing_bytes)
            if over_bytes <= 0:
                self._let_go(lease, "fits below soft, and the machine is not busy")
            else:
                reserved_bytes += _return_bytes(lease)
            running += 1

    def _let_one_go_on(self) -> None:
        """If nobody would make progress: the oldest that fits below hard, else abort."""
        if self._running() or self._changes_come():
            return
        for lease in self._held():
            givers = self._givers_for(lease, only_younger=False)
            after = self._after(lease)
            if self._budget.over_limit_bytes(after) <= self._spillable_bytes(givers):
                if not self._spill_some(givers, self._budget.over_soft_bytes(after)):
                    self._let_go(lease, "only way to progress")
                return
        # Who sleeps in a host call will wake, and others can wait for that: nobody runs but it.
        if self._held() and not any(x.stalled and not x.aborting for x in self._leases.values()):
            self._abort_one("nobody can go on below the hard limit", waiting_too=True)

    # What the view says

    def _after(self, lease: LeaseView) -> Pressure:
        """The pressure once `lease` has gone on."""
        return self._pressure.after(_return_bytes(lease))

    def _held(self) -> list[LeaseView]:
        """Who could be let go on, the oldest first."""
        return [lease for lease in self._leases.values() if _is_held(lease)]

    def _running(self) -> int:
        return sum(map(_makes_progress, self._leases.values()))

    def _changes_come(self) -> bool:
        """Whether something was asked for that is still being done."""
        return any(
            lease.spilling or ((lease.parking or lease.aborting) and not lease.stalled)
            for lease in self._leases.values()
        )

    def _relief_bytes(self) -> int:
        """What is being given back: never to be asked for a second time."""
        return sum(
            lease.held_bytes
            for lease in self._leases.values()
            if lease.phase is not Phase.SPILLED
            and (lease.spilling or (lease.aborting and not lease.stalled))
        )

    def _can_park(self, lease: LeaseView) -> bool:
        """Whether it runs, and parking it leads somewhere."""
        leads = self._rules.parks or (lease.held_bytes > 0 and self._has_room_for(lease))
        return leads and _makes_progress(lease)

    def _can_spill(self, lease: LeaseView) -> bool:
        return (
            self._rules.spills
            and lease.phase is Phase.PARKED
            and lease.spillable
            and not (lease.spilling or lease.aborting)
            and lease.held_bytes > 0
            and self._has_room_for(lease)
        )

    def _has_room_for(self, lease: LeaseView) -> bool:
        return lease.room_needed_bytes <= self._room_bytes

    def _is_behind_older(self, lease: LeaseView) -> bool:
        """Whether it holds nothing yet, and somebody older is held."""
        oldest = self._oldest_held()
        return not lease.held_bytes and oldest is not None and oldest < lease.number

    def _oldest_held(self) -> int | None:
        """Who is to go on next, and so is not to be taken off."""
        return next((lease.number for lease in self._held()), None)

    def _givers_for(self, lease: LeaseView, *, only_younger: bool) -> list[LeaseView]:
        return [
            giver
            for giver in self._leases.values()
            if self._can_spill(giver)
            and (giver.number > lease.number if only_younger else giver.number != lease.number)
        ]

    def _spillable_bytes(self, givers: list[LeaseView]) -> int:
        """What `givers` come to, if the policy takes from anybody and as the disk has room."""
        if not givers or self._rules.policy.victim(givers, 0) is None:
            return 0
        found_bytes, room_bytes = 0, self._room_bytes
        for giver in givers:
            if giver.room_needed_bytes <= room_bytes:
                room_bytes -= giver.room_needed_bytes
                found_bytes += giver.held_bytes
        return found_bytes

    # What is done

    def _spill_some(self, givers: list[LeaseView], missing_bytes: int) -> bool:
        """Spill `givers` until `missing_bytes` come free; whether anybody was."""
        some = False
        while missing_bytes > 0 and (victim := self._rules.policy.victim(givers, missing_bytes)):
            givers.remove(victim)
            if self._has_room_for(victim):
                self._spill(victim, f"room for another: {self._rules.policy.name}")
                missing_bytes -= victim.held_bytes
                some = True
        return some

    def _abort_one(self, reason: str, *, waiting_too: bool) -> None:
        """End one whose memory that frees; failing that, if so asked, the oldest that waits."""
        charged = [
            lease
            for lease in self._leases.values()
            if lease.held_bytes and lease.phase is not Phase.SPILLED and not lease.aborting
        ]
        awake = [lease for lease in charged if not lease.stalled]
        # Nobody is left to be parked, so that no policy is to see one that runs.
        givers = [lease._replace(phase=Phase.PARKED) for lease in awake or charged]
        excess_bytes = self._budget.over_limit_bytes(self._pressure)
        victim = self._rules.policy.victim(givers, excess_bytes)
        number = victim.number if victim else self._oldest_held() if waiting_too else None
        if number is not None:
            self._abort(self._leases[number], f"{reason}: {self._rules.policy.name}")

    def _abort(self, lease: LeaseView, reason: str) -> None:
        held_bytes = 0 if lease.phase is Phase.SPILLED else lease.held_bytes
        self._decisions.append(Decision(Action.ABORT, lease.number, held_bytes, reason))
        self._become(lease.number, aborting=True)

    def _let_go(self, lease: LeaseView, reason: str) -> None:
        self._decisions.append(_go_on(lease, reason))
        self._pressure = self._after(lease)
        self._become(
            lease.number,
            held_bytes=lease.held_bytes + lease.asked_bytes,
            asked_bytes=0,
            phase=Phase.RUNNING,
        )

    def _park(self, lease: LeaseView, reason: str) -> None:
        self._decisions.append(Decision(Action.PARK, lease.number, 0, reason))
        self._become(lease.number, parking=True)

    def _spill(self, lease: LeaseView, reason: str) -> None:
        self._decisions.append(Decision(Action.SPILL, lease.number, lease.held_bytes, reason))
        self._room_bytes -= lease.room_needed_bytes
        self._become(lease.number, spilling=True)

    def _become(self, number: int, **changed: object) -> None:
        self._leases[number] = self._leases[number]._replace(**changed)  # type: ignore[arg-type]
