"""Carries out what `decide` says, among the leases of one process.

Where each lease stands and what all of them use is changed under one lock. The enforcer owns it,
and whoever calls its methods holds it: `Arbiter`, `Place` and `CompileRoom`.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from atectl.accounting import Budget, Pressure
from atectl.arbitration.chronicle import Chronicle
from atectl.arbitration.compiles import Compiles
from atectl.arbitration.deciding import TOO_LARGE_ALONE, decide_among, is_calm, missing_for_leases
from atectl.arbitration.measuring import HostUse
from atectl.arbitration.occupancy import Occupancy
from atectl.arbitration.policies import Rules
from atectl.arbitration.seat import Seat
from atectl.arbitration.seats import Seats
from atectl.arbitration.spill_disk import SpillDisk
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.turns import Turns, lets_anybody_go
from atectl.arbitration.view import Action, Decision, HostState, HostView

if TYPE_CHECKING:
    from atectl.arbitration.wording import Abortion

STALL_S = 0.25
"""How long a guest may take to show that it is awake, until nobody waits for it any more."""


class Enforcer:
    """The leases of one process under one budget; the arguments are those of `Arbiter`."""

    def __init__(
        self,
        budget: Budget,
        rules: Rules,
        tick: Callable[[], None],
        busy_leases: int,
        idle_s: Callable[[], float | None],
        use: HostUse,
        disk: SpillDisk,
        chronicle: Chronicle,
    ) -> None:
        self.lock = threading.RLock()
        self.seats = Seats(rules.spill_order)
        self.use = use
        self.disk = disk
        self.chronicle = chronicle
        self.is_guarded = rules.is_guarded
        self.is_calm = True
        """Whether nothing is to be decided until somebody asks for more than fits."""
        self.wanting_room: set[Seat] = set()
        """Leases whose spill failed, until the disk has more room."""
        self.drop_idle: Callable[[], None] | None = None
        """Gives up all that no lease uses: stores that are kept, and processes to run leases in."""
        self.compiles = Compiles()
        """What compiles, which gives way to leases."""
        self.budget = budget
        self._rules = rules
        self._tick = tick
        self._busy_leases = busy_leases
        self._turns = Turns()
        self._occupancy = Occupancy(busy_leases, idle_s)

    def view(self) -> HostView:
        """The host as it is decided upon, its resident size and disk room as of the last look."""
        return self._view_in(self._state())

    def _view_in(self, state: HostState) -> HostView:
        return HostView(
            budget=self.budget,
            resident_bytes=self.use.resident_bytes,
            baseline_bytes=self.use.baseline_bytes + self.use.idle_bytes,
            leases=self.seats.seen(),
            spill_room_bytes=state.spill_room_bytes,
            busy_leases=state.busy_leases,
            compiling_bytes=self.use.compiling_bytes,
            enough_leases=state.enough_leases,
            baseline_of_others_bytes=state.pressure.baseline_of_others_bytes,
        )

    def _state(self) -> HostState:
        """The host as it is decided upon, without its leases."""
        use = self.use
        baseline_bytes = use.baseline_bytes + use.idle_bytes
        charged_bytes = use.charged_bytes - use.idle_bytes
        room_bytes = self.disk.room_bytes - self.seats.roster.spilling_bytes
        return HostState(
            self.budget,
            Pressure(
                use.resident_bytes,
                baseline_bytes,
                charged_bytes,
                use.compiling_bytes,
                use.baseline_of_others_bytes + use.idle_bytes,
            ),
            max(room_bytes, 0),
            self._busy_leases,
            self._enough_leases(),
        )

    def _enough_leases(self) -> int:
        """As a view has it: 0 if as many are enough as there are cores."""
        if not self._is_short:
            return 0
        enough = self._occupancy.needed
        if self._turns.is_due(self.chronicle.now_s):
            enough = max(enough, self.seats.roster.running + 1)
        return enough if enough > self._busy_leases else 0

    @property
    def _is_short(self) -> bool:
        """Whether so much memory is on disk that leases wait for those that run."""
        away_bytes = self.seats.roster.away_bytes
        return away_bytes > 0 and self.budget.is_much_on_disk(away_bytes)

    def look_at_cores(self) -> None:
        """See how many leases keep the cores busy, if that matters now."""
        if self._is_short:
            self._occupancy.look(self.chronicle.now_s)
        else:
            self._occupancy.forget()

    def become(self, seat: Seat, standing: Standing) -> None:
        """Have a lease stand otherwise, and count what it is charged for then."""
        changed_bytes = standing.charged_bytes - seat.charged_bytes
        seat.standing = standing
        self.seats.note(seat)
        self.use.charge(changed_bytes)

    def take_back(self, seat: Seat, freed_bytes: int) -> None:
        """Have a lease hold `freed_bytes` less, and be charged less where it is charged for them.

        As with a growth that is granted at once, nothing else changes of a lease that runs.
        """
        if seat.makes_progress:
            seat.held_bytes -= freed_bytes
            self.use.charge(-freed_bytes)
        else:
            self.become(seat, seat.standing.give_back(freed_bytes))

    def remove(self, seat: Seat) -> None:
        """A lease has ended, and holds nothing any more."""
        if seat.charged_bytes:
            self.use.charge(-seat.charged_bytes)
        seat.standing = seat.standing.leave()
        self.seats.remove(seat)

    def look(self) -> None:
        """Read what the host uses now, and what may still be spilled."""
        self.use.look(self.seats.tenants())
        self.disk.look()
        for seat in tuple(self.wanting_room):
            seat.note_room(self.disk.room_bytes)
            self.seats.note(seat)
            if not seat.room_wanted_bytes:
                self.wanting_room.discard(seat)

    def look_for_sleepers(self, now_s: float) -> None:
        """Find running guests that reach no tick, so that nobody waits for them."""
        is_asked = False
        for seat in self.seats.unfinished:
            is_asked = seat.probe(now_s, STALL_S) or is_asked
            self.seats.note(seat)
        if is_asked:
            self._tick()

    def hear_of(self, seat: Seat) -> None:
        """A guest has just shown that it is awake."""
        if seat.probed_at is not None:
            seat.hear_of()
            self.seats.note(seat)

    def settle(self) -> None:
        """Decide, and carry that out, until nothing more is decided."""
        if not self.is_guarded:
            return
        self.use.read()
        if self.budget.is_over_limit(self.use.pressure.resident_alone):
            self.use.look_closely(self.seats.tenants())
        self._make_room_of_idle()
        for _ in range(len(self.seats.unfinished) + 1):
            state = self._state()
            host = self._view_in(state) if self.chronicle.observer else None
            decisions = decide_among(self.seats.roster, state, self._rules)
            self._note(decisions)
            if not decisions:
                break
            if host is not None:
                self.chronicle.decided(host, decisions)
            for decision in decisions:
                self._carry_out(decision)
        self.is_calm = is_calm(
            self.budget, self.use.pressure, holds_anybody_back=self.seats.holds_anybody_back
        )
        if not self.is_calm and self.compiles.running:
            self._have_compiles_give_way()

    def _note(self, decisions: Sequence[Decision]) -> None:
        """What was decided, and is about to be carried out, changes who may go on next."""
        is_short = self._is_short
        if not (is_short or self._turns.next_s):
            return  # as it is nearly always
        now_s = self.chronicle.now_s
        was_taken = self._turns.is_due(now_s) and lets_anybody_go(decisions)
        self._turns.note(now_s, is_short=is_short, was_taken=was_taken)
        self._occupancy.note(now_s, self.seats.roster.running)

    def settle_unless_calm(self) -> None:
        """Memory came free: see whether anybody waits for it."""
        if not self.is_calm:
            self.look()
            self.settle()

    def _have_compiles_give_way(self) -> None:
        """End what compiles where that makes room for the oldest lease that is held."""
        host = self.view()
        self.compiles.give_way(
            missing_for_leases(host), self.budget.over_limit_bytes(host.pressure)
        )

    def _make_room_of_idle(self) -> None:
        """Before anybody is held, have memory dropped that nobody uses."""
        may_be_idle = self.use.idle_bytes or self.use.baseline_of_others_bytes
        if not may_be_idle or self.drop_idle is None:
            return
        if self.budget.over_soft_bytes(self.use.pressure) + self.seats.roster.asked_bytes > 0:
            self.drop_idle()
            self.use.read()

    def _carry_out(self, decision: Decision) -> None:
        action, seat = decision.action, self.seats[decision.lease]
        before = seat.standing
        if action is Action.PARK:
            self.become(seat, before.park())
            if seat.standing.parking:
                self._tick()
        elif action is Action.SPILL:
            self.become(seat, before.spill())
            seat.wake()
        elif action is Action.ABORT:
            self.become(seat, before.abort())
            seat.tenant.abort(self._abortion(before, decision.reason))
        else:
            self.become(seat, before.go_on())
            seat.wake()
        was_running = before.phase is Phase.RUNNING
        # A spill is told of once it is done, and a growth that never waited is no ruling.
        if action is not Action.SPILL and not (action is Action.GRANT and was_running):
            pressure = self.use.pressure
            self.chronicle.ruled(seat, action, decision.bytes, decision.reason, pressure)

    def _abortion(self, lease: Standing, reason: str) -> "Abortion":
        """What a lease is told that is aborted."""
        from atectl.arbitration.wording import abortion

        spills, refusal = self._rules.spills, None
        if spills and reason != TOO_LARGE_ALONE:
            refusal = self.disk.refusal(self.seats.unfinished)
        return abortion(
            lease,
            reason,
            self.budget,
            self.use.pressure,
            spills=spills,
            refusal=refusal,
            may_fit=self.budget.can_hold(
                self.use.least_for_one_bytes, lease.held_bytes + lease.asked_bytes
            ),
        )
