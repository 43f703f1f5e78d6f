"""Under pressure, whom to grant, park, spill, resume or abort: rules without threads or clock.

`decide` looks at a `HostView` and says what is to be done now. It does nothing itself, keeps
nothing, and answers the same to the same view, so that a recorded trace can be replayed through
any rules. Whoever calls it carries the decisions out and calls it again when something changed.

It goes through these concerns in their order: let go on what fits, but while much memory is on
disk only as many as keep the machine busy; above soft, park and spill until enough comes free;
while cores are idle, make room for the oldest lease that waits, which goes on meanwhile; and if
nobody at all could go on otherwise, let one go past soft, up to the hard limit. Where that is not
enough either, abort.

Source: "What a host does under pressure" in atectl/README.md.
"""

from typing import Protocol

from atectl.accounting import Budget, Pressure
from atectl.arbitration.policies import Rules
from atectl.arbitration.roster import Roster, Wait
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action, Decision, HostState, HostView

TOO_LARGE_ALONE = "that is more than the limit has beside the baseline"
"""Why a lease is aborted that no spilling of others could help."""


class Overtaker(Protocol):
    """A lease of which it is known whether it may grow while others are held."""

    @property
    def may_overtake(self) -> bool: ...


def decide(host: HostView, rules: Rules) -> list[Decision]:
    """What is to be done now, in the order it is to be done; empty if nothing.

    With neither parking nor spilling allowed, everything is granted.
    """
    if not rules.is_guarded:
        return [_go_on(lease, "no back-pressure") for lease in host.leases if lease.may_go_on]
    leases = Roster(host.leases, rules.spill_order)
    return decide_among(leases, host.state, rules)


def decide_among(leases: Roster, state: HostState, rules: Rules) -> list[Decision]:
    """Likewise, among leases that are kept from one decision to the next.

    The rules have to allow parking or spilling. Whoever carries out what is decided puts there
    where each lease stands then: until that is done, the roster has only what is foreseen.
    """
    return _Round(leases, state, rules).decisions()


def is_calm(budget: Budget, pressure: Pressure, *, holds_anybody_back: bool) -> bool:
    """Whether there is nothing to be decided until somebody asks for more than fits."""
    return not (holds_anybody_back or budget.is_over_soft(pressure.resident_alone))


def is_granted_at_once(
    added_bytes: int, room_bytes: int, host_is_calm: bool, lease: Overtaker
) -> bool:
    """Whether a growth is granted without deciding anything.

    It is if it fits below soft and takes nobody's turn: that of leases which are held, and may
    be waiting for those very bytes.

    Args:
        room_bytes: the room below soft, as `Budget.room_below_soft_bytes` tells it.
        lease: who asks, as it stood before.
    """
    return added_bytes <= room_bytes and (host_is_calm or lease.may_overtake)


def missing_for_leases(host: HostView) -> int:
    """What must come free for the oldest lease that is held to go on; not positive if nothing."""
    budget, pressure = host.budget, host.pressure
    oldest = next((lease for lease in host.leases if lease.may_go_on), None)
    if oldest is None:
        return 0
    over_bytes = budget.over_soft_bytes(pressure.after(oldest.return_bytes))
    if oldest.asked_bytes and oldest.phase is Phase.PARKED:
        return over_bytes
    # What was parked at a tick or spilled comes back only below resume.
    return max(over_bytes, budget.over_resume_bytes(pressure) + 1)


def _go_on(lease: Standing, reason: str) -> Decision:
    if lease.asked_bytes:
        return Decision(Action.GRANT, lease.number, lease.asked_bytes, reason)
    return Decision(Action.RESUME, lease.number, lease.return_bytes, reason)


class _Round:
    """One call of `decide`: the host as it becomes, decision by decision."""

    def __init__(self, leases: Roster, state: HostState, rules: Rules) -> None:
        self._leases = leases
        self._rules = rules
        self._budget = state.budget
        self._pressure = state.pressure
        self._room_bytes = state.spill_room_bytes
        self._compiling_bytes = state.pressure.compiling_bytes
        # Without parking nobody waits for the others: room is made for all who ask.
        self._busy_leases = state.busy_leases if rules.parks else len(leases)
        self._enough_leases = max(self._busy_leases, state.enough_leases)
        self._new_askers = leases.askers
        for number in self._new_askers:
            # Each waits until something else is decided of it.
            leases.put(leases[number].park())
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
        for number in self._leases.wanting_more_than(
            lambda grown_bytes: not self._budget.is_over_limit(self._pressure.of_one(grown_bytes))
        ):
            self._abort(self._leases[number], TOO_LARGE_ALONE)

    def _let_go_what_fits(self) -> None:
        """Grant waiting growths that fit below soft; below resume, resume what was parked, too.

        A lease that holds nothing yet waits behind older ones that are held: else a stream of
        newcomers would take each byte as it comes free, and the oldest would never go on.
        """
        while (room_bytes := self._room_for_more_bytes()) is not None:
            numbers = [self._leases.oldest_waiting([Wait.GROWTH], room_bytes)]
            if self._budget.is_below_resume(self._pressure):
                numbers.append(self._oldest_to_come_back(room_bytes))
            numbers.append(self._first_in_line_without_memory(room_bytes))
            number = min((each for each in numbers if each is not None), default=None)
            if number is None:
                return
            lease = self._leases[number]
            asks = lease.asked_bytes and lease.phase is Phase.PARKED
            self._let_go(lease, "fits below soft" if asks else "below resume")

    def _room_for_more_bytes(self) -> int | None:
        """How much there is for leases that wait; None if no more are to go on.

        While much memory is on disk, none are once enough run. There is no room for all then: if
        all took of what comes free they would grow side by side, and each would have to be spilled
        before it ends. So the oldest get it, and end. Nor are any while memory is being written
        out: young ones that hold little would take the room before an old one fits into it.
        """
        is_short = self._budget.is_much_on_disk(self._leases.away_bytes)
        run_enough = self._leases.running >= self._enough_leases
        if is_short and (run_enough or self._leases.relief_bytes):
            return None
        return self._budget.room_below_soft_bytes(self._pressure)

    def _oldest_to_come_back(self, room_bytes: int) -> int | None:
        """The oldest that was parked at a tick or spilled and may go on, below resume.

        While enough run, nobody comes back from disk who would take the host above resume again:
        what has just been read would soon be written once more.
        """
        if self._leases.running >= self._busy_leases:
            room_bytes = self._budget.room_to_resume_bytes(self._pressure)
        return self._leases.oldest_waiting([Wait.RETURN, Wait.GROWTH_AND_RETURN], room_bytes)

    def _first_in_line_without_memory(self, room_bytes: int) -> int | None:
        """The oldest of all that are held, if it holds nothing yet and may go on."""
        number = self._leases.oldest_held
        if number is None:
            return None
        lease = self._leases[number]
        may_go_on = lease.return_bytes <= room_bytes and (
            (lease.asked_bytes and lease.phase is Phase.PARKED)
            or self._budget.is_below_resume(self._pressure)
        )
        return number if may_go_on and not lease.held_bytes else None

    def _make_way(self) -> None:
        """Over soft: park who runs, one at a time, and spill who is parked."""
        is_over_limit = self._budget.is_over_limit(self._pressure)
        excess_bytes = self._budget.over_soft_bytes(self._pressure) - self._relief_bytes()
        may_park = is_over_limit or not self._leases.parking
        while excess_bytes > 0:
            victim = self._next_to_give(may_park=may_park and self._leases.running > 1)
            if victim is None:
                break
            if victim.phase is Phase.RUNNING:
                self._park(victim, f"over soft: {self._rules.policy.name}")
                may_park = is_over_limit
            else:
                self._spill(victim, f"over soft: {self._rules.policy.name}")
            if self._rules.spills:
                excess_bytes -= victim.spillable_bytes
        if is_over_limit and not self._changes_come():
            self._abort_one("past the hard limit", waiting_too=False)

    def _next_to_give(self, *, may_park: bool) -> Standing | None:
        """The lease to be parked or spilled next. If none runs, never the one that goes on next."""
        last = None if self._leases.running else self._leases.oldest_held
        givers = [next(filter(self._has_room_for, self._leases.spillable(but_for=last)), None)]
        if may_park:
            running = filter(self._may_park, self._leases.all_running())
            # Where the first that runs is to give, the others need not be looked at.
            first = self._rules.policy.takes_first_running
            givers.append(next(running, None) if first else self._rules.policy.victim(running))
        return self._rules.policy.victim(giver for giver in givers if giver is not None)

    def _keep_busy(self) -> None:
        """While fewer run than could, spill for the oldest that can be made to fit below soft.

        If nobody runs, the oldest goes on while that is written, as far past soft as leaves some
        reserve. The others wait: who grows while it is written is soon to be spilled, too.

        While anybody runs, only younger leases are spilled for one, so that two never drive
        each other out in turn; and one that was parked at a tick waits for the resume threshold.
        """
        reserved_bytes, running, last = 0, self._leases.running, None
        while running < self._busy_leases:
            last = self._oldest_that_could_fit(reserved_bytes, is_alone=not running, after=last)
            if last is None:
                break
            lease = self._leases[last]
            over_bytes = reserved_bytes + self._budget.over_soft_bytes(self._after(lease))
            missing_bytes = over_bytes - self._relief_bytes()
            if missing_bytes > 0:
                older_than = lease.number if running else None
                if self._spillable_bytes(lease, older_than) < missing_bytes:
                    continue
                self._spill_some(lease, older_than, missing_bytes)
            if over_bytes <= 0:
                self._let_go(lease, "fits below soft, and the machine is not busy")
            elif not running and self._may_go_ahead(lease, over_bytes):
                self._let_go(lease, "room is being made, and the machine is not busy")
            else:
                reserved_bytes += lease.return_bytes
            running += 1

    def _may_go_ahead(self, lease: Standing, over_bytes: int) -> bool:
        """Whether a lease goes on past soft, as what it is over by is being spilled."""
        is_being_made = over_bytes <= self._leases.relief_bytes
        return is_being_made and self._budget.keeps_reserve(self._after(lease))

    def _oldest_that_could_fit(
        self, reserved_bytes: int, *, is_alone: bool, after: int | None
    ) -> int | None:
        """The oldest younger than `after` that fits below soft if all are spilled who can be."""
        free_bytes = self._relief_bytes() + self._leases.spillable_bytes - reserved_bytes
        most_bytes = self._budget.room_below_soft_bytes(self._pressure, free_bytes)
        waits = [Wait.GROWTH, Wait.GROWTH_AND_RETURN, *([Wait.RETURN] if is_alone else [])]
        numbers = [self._leases.oldest_waiting(waits, most_bytes, after)]
        first = self._leases.oldest_held
        if first is not None and (after is None or after < first):
            lease = self._leases[first]
            if not lease.held_bytes and (is_alone or lease.asked_bytes):
                numbers.append(first)
        return min((each for each in numbers if each is not None), default=None)

    def _let_one_go_on(self) -> None:
        """If nobody would make progress: the oldest that fits below hard, else abort."""
        if self._leases.running or self._changes_come():
            return
        for lease in self._leases.all_held():
            after = self._after(lease)
            if self._budget.over_limit_bytes(after) <= self._spillable_bytes(lease):
                if not self._spill_some(lease, None, self._budget.over_soft_bytes(after)):
                    self._let_go(lease, "only way to progress")
                return
        # A lease that sleeps in a host call will wake, and can be decided on then.
        if not self._leases.awaited_sleepers:
            self._abort_one("nobody can go on below the hard limit", waiting_too=True)

    # What the host comes to

    def _after(self, lease: Standing) -> Pressure:
        """The pressure once `lease` has gone on."""
        return self._pressure.after(lease.return_bytes)

    def _changes_come(self) -> bool:
        """Whether something was asked for that is still being done, or something compiles."""
        return self._leases.changing > 0 or self._compiling_bytes > 0

    def _relief_bytes(self) -> int:
        """What comes free by what was asked for before, or by itself: nobody is asked for it."""
        return self._leases.relief_bytes + self._compiling_bytes

    def _may_park(self, lease: Standing) -> bool:
        """Whether parking one that runs leads somewhere."""
        return self._rules.parks or (lease.spillable_bytes > 0 and self._has_room_for(lease))

    def _has_room_for(self, lease: Standing) -> bool:
        return lease.room_needed_bytes <= self._room_bytes

    def _spillable_bytes(self, lease: Standing, older_than: int | None = None) -> int:
        """What comes free for `lease` if all others are spilled, as far as the disk has room.

        It is counted in the order in which they are spilled: who takes room that another would
        have needed is the same then.

        Args:
            older_than: count only leases that are younger than this one.
        """
        all_fit = self._leases.spillable_room_bytes <= self._room_bytes
        if all_fit and older_than is None:
            return self._leases.spillable_bytes_of_others(lease)
        found_bytes, room_bytes = 0, self._room_bytes
        givers = self._leases.spillable(but_for=lease.number, younger_than=older_than)
        for giver in givers:
            if giver.room_needed_bytes <= room_bytes:
                room_bytes -= giver.room_needed_bytes
                found_bytes += giver.spillable_bytes
        return found_bytes

    # What is done

    def _spill_some(self, lease: Standing, older_than: int | None, missing_bytes: int) -> bool:
        """Spill others for `lease` until `missing_bytes` come free; whether anybody was."""
        some = False
        givers = self._leases.spillable(but_for=lease.number, younger_than=older_than)
        for victim in list(givers):
            if missing_bytes <= 0:
                break
            if self._has_room_for(victim):
                self._spill(victim, f"room for another: {self._rules.policy.name}")
                missing_bytes -= victim.spillable_bytes
                some = True
        return some

    def _abort_one(self, reason: str, *, waiting_too: bool) -> None:
        """End one whose memory that frees; failing that, if so asked, the oldest that waits."""
        charged = [x for x in self._leases if x.charged_bytes and not x.aborting]
        awake = [lease for lease in charged if not lease.stalled]
        victim = self._rules.policy.victim(lease.seen_as_parked() for lease in awake or charged)
        number = victim.number if victim else self._leases.oldest_held if waiting_too else None
        if number is not None:
            self._abort(self._leases[number], f"{reason}: {self._rules.policy.name}")

    def _abort(self, lease: Standing, reason: str) -> None:
        self._decisions.append(Decision(Action.ABORT, lease.number, lease.charged_bytes, reason))
        self._leases.put(lease.abort())

    def _let_go(self, lease: Standing, reason: str) -> None:
        self._decisions.append(_go_on(lease, reason))
        self._pressure = self._after(lease)
        self._leases.put(lease.go_on())

    def _park(self, lease: Standing, reason: str) -> None:
        self._decisions.append(Decision(Action.PARK, lease.number, 0, reason))
        self._leases.put(lease.park())

    def _spill(self, lease: Standing, reason: str) -> None:
        self._decisions.append(Decision(Action.SPILL, lease.number, lease.spillable_bytes, reason))
        self._room_bytes -= lease.room_needed_bytes
        self._leases.put(lease.spill())
