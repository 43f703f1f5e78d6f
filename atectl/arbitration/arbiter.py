"""The arbiter among running leases: carries out on their threads what `arbitration.decide` says.

A guest is held on its own thread: inside its growth request, or at an epoch tick. What it holds
is spilled by that thread too, outside the arbiter's lock, while nothing of the guest runs. All
else happens under one lock, and whoever is held waits on a condition of that lock.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from atectl.accounting import Budget, Pressure
from atectl.arbitration.deciding import TOO_LARGE_ALONE, decide
from atectl.arbitration.measuring import HostUse
from atectl.arbitration.policies import Rules
from atectl.arbitration.seat import RULINGS_KEPT, Ruling, Seat, Tenant
from atectl.arbitration.view import Action, Decision, HostView, Phase
from atectl.errors import AtectlError
from atectl.spill.area import SpillArea
from atectl.spill.errors import SpillFailed
from atectl.system import memory as host_memory
from atectl.units import format_size, show_size

STALL_S = 0.25
"""How long a guest that was asked to look up may take until nobody waits for it any more."""


class Observer(Protocol):
    """Who is told what happens, in order, under the arbiter's lock."""

    def registered(self, at_s: float, seat: Seat) -> None: ...
    def finished(self, at_s: float, seat: Seat) -> None: ...
    def asked(self, at_s: float, seat: Seat, added_bytes: int) -> None: ...
    def sampled(self, at_s: float, pressure: Pressure) -> None: ...
    def decided(self, at_s: float, host: HostView, decisions: list[Decision]) -> None: ...
    def ruled(self, ruling: Ruling, pressure: Pressure) -> None: ...


class Arbiter:
    """Holds the leases of one process under one budget.

    `reconcile` is to be called every 50 ms or so for as long as there are leases.

    Args:
        budget: what the process may use.
        rules: what may be done to whom.
        tick: has every running guest look up at its next loop or call.
        area: where memory is spilled; None only where the rules do not spill.
        busy_leases: how many running leases keep the machine busy.
        resident: the process's resident bytes now, None where they cannot be read.
        clock: seconds that never go back.
        observer: is told of all that happens.
    """

    def __init__(
        self,
        budget: Budget,
        rules: Rules,
        tick: Callable[[], None],
        *,
        area: SpillArea | None = None,
        busy_leases: int = 1,
        resident: Callable[[], int | None] = host_memory.resident_bytes,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
    ) -> None:
        self.budget = budget
        self.rules = rules
        self.lock = threading.RLock()
        self.spill_failure: AtectlError | None = None
        """Why memory could last not be spilled."""
        self._rulings: deque[Ruling] = deque(maxlen=RULINGS_KEPT)
        self._tick = tick
        self._area = area
        self._busy_leases = busy_leases
        self._use = HostUse(budget, resident, clock)
        self._clock = clock
        self._began = clock()
        self._observer = observer
        self._seats: dict[int, Seat] = {}
        self._abandoned: list[Seat] = []
        self._room_bytes = 0 if area is None else area.room_bytes
        self.drop_idle: Callable[[], None] | None = None
        """Called under pressure, to have every store dropped that no lease has."""
        self._is_calm = True
        self._gates = rules.parks or rules.spills

    # For the host

    def measure_baseline(self) -> int | None:
        """Take what the process holds now for what it needs without any lease.

        Returns:
            Its bytes; None if they cannot be read, and are counted as none.
        """
        with self.lock:
            return self._use.take_baseline()

    def register(self, tenant: Tenant, number: int, priority: int = 0, idle_bytes: int = 0) -> Seat:
        """A seat for a lease that is about to begin, in a store that was idle with `idle_bytes`.

        Its number is unique among them, and tells who came first.
        """
        with self.lock:
            seat = self._seats[number] = Seat(self, number, priority, tenant)
            self._use.idle_bytes -= idle_bytes
            seat.held_bytes = idle_bytes
            if self._observer is not None:
                self._observer.registered(self._now(), seat)
        return seat

    def leave(self, seat: Seat, kept_bytes: int) -> None:
        """See `Seat.leave`."""
        with self.lock:
            self._use.charge(kept_bytes - seat.charged_bytes)
            self._use.idle_bytes += kept_bytes
            seat.held_bytes = 0
            if seat.abandoned:
                self._abandoned.remove(seat)
                self._settle_unless_calm()
            else:
                self._forget(seat)

    def abandon(self, seat: Seat) -> None:
        """See `Seat.abandon`."""
        with self.lock:
            if seat.number in self._seats:
                seat.abandoned = True
                self._abandoned.append(seat)
                self._forget(seat)

    def forget_idle(self, dropped_bytes: int) -> None:
        """Count that stores which no lease has were dropped, and held `dropped_bytes`."""
        with self.lock:
            self._use.idle_bytes -= dropped_bytes
            self._use.charge(-dropped_bytes)

    def reconcile(self) -> None:
        """See what has changed without anybody asking: resident size, disk room, who is asleep."""
        with self.lock:
            if not self._is_calm:
                self._look_for_sleepers()
            self._look()
            if self._observer is not None:
                self._observer.sampled(self._now(), self.pressure)
            self._settle()

    @property
    def pressure(self) -> Pressure:
        """The host's now, its resident size as of the last look."""
        return self._use.pressure

    @property
    def on_disk_bytes(self) -> int:
        """What the files of spilled memory take now: each stays as long as its memory does."""
        return 0 if self._area is None else self._area.used_bytes

    @property
    def now_s(self) -> float:
        """Seconds since the arbiter began, as `Ruling.at_s`."""
        return self._now()

    def latest_rulings(self) -> tuple[Ruling, ...]:
        """The latest decisions that were carried out, the oldest first."""
        with self.lock:
            return tuple(self._rulings)

    # On the guests' threads

    def admit(self, seat: Seat, added_bytes: int) -> bool:
        """Whether the lease may grow by `added_bytes`, after holding it for as long as need be."""
        with self.lock:
            seat.probed_at, seat.stalled = None, False
            if self._observer is not None:
                self._observer.asked(self._now(), seat, added_bytes)
            if not self._gates or self._fits_at_once(seat, added_bytes):
                self._charge(seat, added_bytes)
                return True
            seat.asked_bytes, seat.parking = added_bytes, False
            seat.was_refused = not self._hold(seat)
            seat.asked_bytes = 0
            return not seat.was_refused

    def give_back(self, seat: Seat, freed_bytes: int) -> None:
        """Count that the lease holds `freed_bytes` less."""
        with self.lock:
            self._charge(seat, -freed_bytes)

    def checkpoint(self, seat: Seat) -> None:
        """Hold the lease if it was told to park."""
        with self.lock:
            seat.probed_at, seat.stalled = None, False
            if seat.parking:
                seat.parking = False
                seat.phase = Phase.PARKED
                self._hold(seat)

    def _fits_at_once(self, seat: Seat, added_bytes: int) -> bool:
        """Whether nobody need be asked: it fits below soft, and takes nobody's turn.

        Who is held did not fit when that was last looked at, and who has memory already may use
        what is left; who has none yet waits behind them: see `arbitration`.
        """
        return (
            added_bytes <= self._use.room_bytes
            and (self._is_calm or seat.held_bytes > 0)
            and not seat.parking
        )

    def _hold(self, seat: Seat) -> bool:
        """Keep the calling thread here until its lease may go on; False if it is to end."""
        seat.is_held, seat.may_go_on, seat.room_wanted_bytes = True, False, 0
        try:
            self._settle()
            while not (seat.may_go_on or seat.tenant.is_ending):
                if seat.spilling:
                    self._spill(seat)
                else:
                    seat.wait()
        finally:
            seat.is_held = seat.spilling = False
        return seat.may_go_on

    def _spill(self, seat: Seat) -> None:
        """Write the memory out, on the thread of its guest and without the lock."""
        assert self._area is not None  # noqa: S101 - rules that spill come with a place for it
        freed_bytes, failure = 0, None
        self.lock.release()
        try:
            freed_bytes = seat.tenant.spill(self._area)
        except AtectlError as error:
            failure = error
        except Exception as error:
            # Whoever waits for this to end would wait for ever.
            failure = SpillFailed(f"{type(error).__name__}: {error}")
        finally:
            self.lock.acquire()
        seat.spilling = False
        seat.stored_bytes = seat.tenant.stored_bytes
        self._look()
        if failure is None:
            self._use.charge(-seat.held_bytes)
            seat.phase = Phase.SPILLED
            self._record(Action.SPILL, seat, seat.held_bytes, "spilled", freed_bytes)
        else:
            seat.room_wanted_bytes = self._room_bytes + max(seat.room_needed_bytes, 1)
            self.spill_failure = failure
            self._record(Action.SPILL, seat, seat.held_bytes, f"failed: {failure}", 0)
        self._settle()

    # Under the lock

    def _settle(self) -> None:
        """Decide, and do it, until there is nothing left to be done."""
        if not self._gates:
            return
        self._use.read()
        if self.budget.is_over_limit(self.pressure.resident_alone):
            self._use.look_closely(self._tenants())
        self._make_room_of_idle()
        for _ in range(len(self._seats) + 1):
            host = self._view()
            decisions = decide(host, self.rules)
            if not decisions:
                break
            if self._observer is not None:
                self._observer.decided(self._now(), host, decisions)
            for decision in decisions:
                self._carry_out(decision)
        is_over_soft = self.budget.is_over_soft(self.pressure.resident_alone)
        self._is_calm = not is_over_soft and not any(
            seat.is_held or seat.parking for seat in self._seats.values()
        )

    def _settle_unless_calm(self) -> None:
        if not self._is_calm:
            self._look()
            self._settle()

    def _look(self) -> None:
        """Read what the host uses now, and what may still be spilled."""
        self._use.look(self._tenants())
        self._room_bytes = 0 if self._area is None else self._area.room_bytes

    def _tenants(self) -> list[Tenant]:
        return [seat.tenant for seat in (*self._seats.values(), *self._abandoned)]

    def _make_room_of_idle(self) -> None:
        """Before anybody is held, what nobody uses goes."""
        if not self._use.idle_bytes or self.drop_idle is None:
            return
        asked_bytes = sum(seat.asked_bytes for seat in self._seats.values())
        if self.budget.over_soft_bytes(self.pressure) + asked_bytes > 0:
            self.drop_idle()
            self._use.read()

    def _view(self) -> HostView:
        seats = sorted((*self._seats.values(), *self._abandoned), key=lambda seat: seat.number)
        ordered_bytes = sum(seat.room_needed_bytes for seat in seats if seat.spilling)
        room_bytes = max(self._room_bytes - ordered_bytes, 0)
        return HostView(
            budget=self.budget,
            resident_bytes=self._use.resident_bytes,
            baseline_bytes=self._use.baseline_bytes + self._use.idle_bytes,
            leases=tuple(seat.view(room_bytes) for seat in seats),
            spill_room_bytes=room_bytes,
            busy_leases=self._busy_leases,
        )

    def _carry_out(self, decision: Decision) -> None:
        action, seat = decision.action, self._seats[decision.lease]
        was_held = seat.phase is not Phase.RUNNING
        if action is Action.GRANT:
            self._bring_back(seat)
            self._charge(seat, decision.bytes)
            seat.let_go()
        elif action is Action.RESUME:
            self._bring_back(seat)
            seat.parking = False
            seat.let_go()
        elif action is Action.PARK:
            self._park(seat)
        elif action is Action.SPILL:
            seat.spilling = True
            seat.wake()
        else:
            seat.aborting = True
            seat.tenant.abort(*self._why_aborted(seat, decision))
        if action is not Action.SPILL and (was_held or action is not Action.GRANT):
            self._record(action, seat, decision.bytes, decision.reason)

    def _bring_back(self, seat: Seat) -> None:
        if seat.phase is Phase.SPILLED:
            self._use.charge(seat.held_bytes)
        seat.phase = Phase.RUNNING

    def _park(self, seat: Seat) -> None:
        if seat.is_held:
            seat.phase = Phase.PARKED
        else:
            seat.parking = True
            self._tick()

    def _charge(self, seat: Seat, added_bytes: int) -> None:
        seat.held_bytes += added_bytes
        if seat.phase is not Phase.SPILLED:
            self._use.charge(added_bytes)

    def _forget(self, seat: Seat) -> None:
        del self._seats[seat.number]
        if self._observer is not None:
            self._observer.finished(self._now(), seat)
        self._settle_unless_calm()

    def _look_for_sleepers(self) -> None:
        """Find running guests that reach no tick, so that nobody waits for them."""
        now, asks = self._clock(), False
        for seat in self._seats.values():
            if seat.is_held:
                continue
            if seat.probed_at is None:
                seat.probed_at, asks = now, True
            elif now - seat.probed_at > STALL_S:
                seat.stalled = True
        if asks:
            self._tick()

    def _why_aborted(self, seat: Seat, decision: Decision) -> tuple[str, str]:
        """What is said of a lease that is aborted, and what would help."""
        pressure, budget = self.pressure, self.budget
        why = (
            f"the host was at {show_size(pressure.total_bytes)} of its limit of "
            f"{format_size(budget.limit_bytes)} (baseline {show_size(pressure.baseline_bytes)}, "
            f"charged {show_size(pressure.charged_bytes)}) as this lease, which holds "
            f"{show_size(seat.held_bytes)}, asked for {show_size(seat.asked_bytes)} more: "
            f"{decision.reason}"
        )
        if decision.reason == TOO_LARGE_ALONE:
            return why, "raise the limit, or lower the quota"
        if not self.rules.spills:
            return why, "raise the limit, or allow spilling: --backpressure both"
        refusal = self._why_nothing_is_spilled()
        if refusal is None:
            return why, "raise the limit, or run fewer jobs at once"
        self.spill_failure = refusal
        return f"{why}; no more could be spilled: {refusal}", refusal.remedy

    def _why_nothing_is_spilled(self) -> AtectlError | None:
        """What keeps the least of the leases that stand still from being spilled, if anything."""
        assert self._area is not None  # noqa: S101 - rules that spill come with a place for it
        still = [
            seat
            for seat in self._seats.values()
            if seat.is_held and seat.held_bytes and seat.phase is not Phase.SPILLED
        ]
        if not still:
            return None
        refusal = self._area.refusal(min(seat.room_needed_bytes for seat in still))
        return refusal or (self.spill_failure if any(x.room_wanted_bytes for x in still) else None)

    def _record(
        self, action: Action, seat: Seat, size: int, reason: str, freed: int | None = None
    ) -> None:
        pressure = self.pressure
        ruling = Ruling(self._now(), action, seat.number, size, freed, pressure.total_bytes, reason)
        seat.rulings.append(ruling)
        self._rulings.append(ruling)
        if self._observer is not None:
            self._observer.ruled(ruling, pressure)

    def _now(self) -> float:
        return self._clock() - self._began
