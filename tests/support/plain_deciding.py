"""The rules of `decide` in their plainest form, which looks at every lease each time.

It is what `atectl.arbitration.deciding` is held against: that one keeps orders and sums, and must
decide the same.
"""

from atectl.accounting import Pressure
from atectl.arbitration.deciding import TOO_LARGE_ALONE
from atectl.arbitration.policies import Rules
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action, Decision, HostView


def decide_plainly(host: HostView, rules: Rules) -> list[Decision]:
    """What is to be done now, in the order it is to be done; empty if nothing.

    With neither parking nor spilling allowed, everything is granted.
    """
    if not rules.is_guarded:
        return [_go_on(lease, "no back-pressure") for lease in host.leases if lease.may_go_on]
    return _Round(host, rules).decisions()


def _go_on(lease: Standing, reason: str) -> Decision:
    if lease.asked_bytes:
        return Decision(Action.GRANT, lease.number, lease.asked_bytes, reason)
    return Decision(Action.RESUME, lease.number, lease.return_bytes, reason)


class _Round:
    """One call of `decide`: the host as it becomes, decision by decision."""

    def __init__(self, host: HostView, rules: Rules) -> None:
        self._rules = rules
        self._budget = host.budget
        self._pressure = host.pressure
        self._room_bytes = host.spill_room_bytes
        self._compiling_bytes = host.compiling_bytes
        # Without parking nobody waits for the others: room is made for all who ask.
        self._busy_leases = host.busy_leases if rules.parks else len(host.leases)
        self._enough_leases = max(self._busy_leases, host.enough_leases)
        self._leases = {lease.number: lease for lease in host.leases}
        self._new_askers = [lease.number for lease in host.leases if lease.awaits_first_answer]
        for number in self._new_askers:
            # Each waits until something else is decided of it.
            self._leases[number] = self._leases[number].park()
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
            fits_alone = not self._budget.is_over_limit(self._pressure.of_one(grown_bytes))
            if lease.asked_bytes and not fits_alone:
                self._abort(lease, TOO_LARGE_ALONE)

    def _let_go_what_fits(self) -> None:
        """Grant waiting growths that fit below soft; below resume, resume what was parked, too.

        A lease that holds nothing yet waits behind older ones that are held: else a stream of
        newcomers would take each byte as it comes free, and the oldest would never go on.
        """
        for lease in self._held():
            if self._budget.is_over_soft(self._after(lease)) or self._is_behind_older(lease):
                continue
            may_return = self._may_come_back(lease)
            if not may_return and not (lease.asked_bytes and lease.phase is Phase.PARKED):
                continue
            if not self._may_let_more_go():
                return
            if lease.asked_bytes and lease.phase is Phase.PARKED:
                self._let_go(lease, "fits below soft")
            else:
                self._let_go(lease, "below resume")

    def _may_let_more_go(self) -> bool:
        """Whether one more is to go on; while much memory is on disk, only until enough run, and
        not while more is being written there."""
        away_bytes = sum(lease.away_bytes for lease in self._leases.values())
        if not self._budget.is_much_on_disk(away_bytes):
            return True
        return self._running() < self._enough_leases and not self._coming_free_bytes()

    def _may_come_back(self, lease: Standing) -> bool:
        """Whether a lease that was parked at a tick or spilled may go on.

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
            victim = self._rules.policy.victim(givers)
            if victim is None:
                break
            if victim.phase is Phase.RUNNING:
                self._park(victim, f"over soft: {self._rules.policy.name}")
                may_park = is_over_limit
                excess_bytes -= victim.spillable_bytes if self._rules.spills else 0
            else:
                self._spill(victim, f"over soft: {self._rules.policy.name}")
                excess_bytes -= victim.spillable_bytes
        if is_over_limit and not self._changes_come():
            self._abort_one("past the hard limit", waiting_too=False)

    def _keep_busy(self) -> None:
        """While fewer run than could, spill for the oldest that can be made to fit below soft.

        If nobody runs, the oldest goes on while that is written, and leaves some reserve.
        While anybody runs, only younger leases are spilled for one, so that two never drive
        each other out in turn; and one that was parked at a tick waits for the resume threshold.
        """
        reserved_bytes = 0
        running = self._running()
        for lease in self._held():
            if running >= self._busy_leases:
                break
            if not self._leases[lease.number].may_go_on:
                continue  # it was told to spill for an older one
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
            elif not running and self._may_go_ahead(lease, over_bytes):
                self._let_go(lease, "room is being made, and the machine is not busy")
            else:
                reserved_bytes += lease.return_bytes
            running += 1

    def _may_go_ahead(self, lease: Standing, over_bytes: int) -> bool:
        total_bytes, budget = self._after(lease).total_bytes, self._budget
        is_reserve_left = total_bytes - budget.soft_bytes <= budget.limit_bytes - total_bytes
        return over_bytes <= self._coming_free_bytes() and is_reserve_left

    def _coming_free_bytes(self) -> int:
        return sum(each.relief_bytes for each in self._leases.values())

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
        # A lease that sleeps in a host call will wake, and can be decided on then.
        if not any(x.stalled and not x.aborting for x in self._leases.values()):
            self._abort_one("nobody can go on below the hard limit", waiting_too=True)

    # What the host comes to

    def _after(self, lease: Standing) -> Pressure:
        """The pressure once `lease` has gone on."""
        return self._pressure.after(lease.return_bytes)

    def _held(self) -> list[Standing]:
        """Who could be let go on, the oldest first."""
        return [lease for lease in self._leases.values() if lease.may_go_on]

    def _running(self) -> int:
        return sum(lease.makes_progress for lease in self._leases.values())

    def _changes_come(self) -> bool:
        """Whether something was asked for that is still being done, or something compiles."""
        is_changing = any(lease.is_changing for lease in self._leases.values())
        return is_changing or self._compiling_bytes > 0

    def _relief_bytes(self) -> int:
        """What comes free by what was asked for before, or by itself: nobody is asked for it."""
        of_leases = sum(lease.relief_bytes for lease in self._leases.values())
        return of_leases + self._compiling_bytes

    def _can_park(self, lease: Standing) -> bool:
        """Whether it runs, and parking it leads somewhere."""
        leads = self._rules.parks or (lease.spillable_bytes > 0 and self._has_room_for(lease))
        return leads and lease.makes_progress

    def _can_spill(self, lease: Standing) -> bool:
        return self._rules.spills and lease.can_be_spilled and self._has_room_for(lease)

    def _has_room_for(self, lease: Standing) -> bool:
        return lease.room_needed_bytes <= self._room_bytes

    def _is_behind_older(self, lease: Standing) -> bool:
        """Whether it holds nothing yet, and somebody older is held."""
        oldest = self._oldest_held()
        return not lease.held_bytes and oldest is not None and oldest < lease.number

    def _oldest_held(self) -> int | None:
        """Who is to go on next, and so is not to be spilled."""
        return next((lease.number for lease in self._held()), None)

    def _givers_for(self, lease: Standing, *, only_younger: bool) -> list[Standing]:
        """Whose memory may be spilled to make room for `lease`."""
        return [
            giver
            for giver in self._leases.values()
            if self._can_spill(giver)
            and (giver.number > lease.number if only_younger else giver.number != lease.number)
        ]

    def _spillable_bytes(self, givers: list[Standing]) -> int:
        """What `givers` come to, if the policy takes from anybody and as the disk has room."""
        order = self._rules.policy.order
        found_bytes, room_bytes = 0, self._room_bytes
        for giver in sorted(givers, key=order) if order else ():
            if giver.room_needed_bytes <= room_bytes:
                room_bytes -= giver.room_needed_bytes
                found_bytes += giver.spillable_bytes
        return found_bytes

    # What is done

    def _spill_some(self, givers: list[Standing], missing_bytes: int) -> bool:
        """Spill `givers` until `missing_bytes` come free; whether anybody was."""
        some = False
        while missing_bytes > 0 and (victim := self._rules.policy.victim(givers)):
            givers.remove(victim)
            if self._has_room_for(victim):
                self._spill(victim, f"room for another: {self._rules.policy.name}")
                missing_bytes -= victim.spillable_bytes
                some = True
        return some

    def _abort_one(self, reason: str, *, waiting_too: bool) -> None:
        """End one whose memory that frees; failing that, if so asked, the oldest that waits."""
        charged = [x for x in self._leases.values() if x.charged_bytes and not x.aborting]
        awake = [lease for lease in charged if not lease.stalled]
        givers = [lease.seen_as_parked() for lease in awake or charged]
        victim = self._rules.policy.victim(givers)
        number = victim.number if victim else self._oldest_held() if waiting_too else None
        if number is not None:
            self._abort(self._leases[number], f"{reason}: {self._rules.policy.name}")

    def _abort(self, lease: Standing, reason: str) -> None:
        self._decisions.append(Decision(Action.ABORT, lease.number, lease.charged_bytes, reason))
        self._leases[lease.number] = lease.abort()

    def _let_go(self, lease: Standing, reason: str) -> None:
        self._decisions.append(_go_on(lease, reason))
        self._pressure = self._after(lease)
        self._leases[lease.number] = lease.go_on()

    def _park(self, lease: Standing, reason: str) -> None:
        self._decisions.append(Decision(Action.PARK, lease.number, 0, reason))
        self._leases[lease.number] = lease.park()

    def _spill(self, lease: Standing, reason: str) -> None:
        self._decisions.append(Decision(Action.SPILL, lease.number, lease.spillable_bytes, reason))
        self._room_bytes -= lease.room_needed_bytes
        self._leases[lease.number] = lease.spill()
