"""The arbiter among running leases: carries out on their threads what `arbitration.decide` says.

A guest is held on its own thread: inside its growth request, or at an epoch tick. What it holds
is spilled by that thread too, outside the arbiter's lock, while nothing of the guest runs. All
else happens under one lock, and whoever is held waits on a condition of that lock.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from atectl import host_memory
from atectl.accounting import Budget, Pressure
from atectl.arbitration import Action, Decision, HostView, LeaseView, Phase, Rules, decide
from atectl.errors import AtectlError
from atectl.spill import SpillArea
from atectl.units import format_size, show_size

STALL_S = 0.25
"""How long a guest that was asked to look up may take until nobody waits for it any more."""

_RULINGS_KEPT = 200


class Ruling(NamedTuple):
    """A decision that was carried out. `at_s` is seconds since the arbiter began.

    `lease` is its number. `bytes` is as in `arbitration.Decision`; `freed_bytes` what spilling
    was measured to have given back, None for other actions. `pressure_bytes` is the host's as
    it was decided.
    """

    at_s: float
    action: Action
    lease: int
    bytes: int
    freed_bytes: int | None
    pressure_bytes: int
    reason: str


class Tenant(Protocol):
    """A lease, as the arbiter knows it."""

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end, by whomever."""
        ...

    def abort(self, why: str) -> None:
        """Have it end for want of memory. Called under the arbiter's lock."""
        ...

    def spill(self, area: SpillArea) -> int:
        """Write its memory to disk; the resident bytes that this freed."""
        ...


class Observer(Protocol):
    """Who is told what happens, in order, under the arbiter's lock."""

    def registered(self, at_s: float, seat: "Seat") -> None: ...
    def finished(self, at_s: float, seat: "Seat") -> None: ...
    def asked(self, at_s: float, seat: "Seat", added_bytes: int) -> None: ...
    def sampled(self, at_s: float, pressure: Pressure) -> None: ...
    def decided(self, at_s: float, host: HostView, decisions: list[Decision]) -> None: ...
    def ruled(self, ruling: Ruling, pressure: Pressure) -> None: ...


class Seat:
    """One lease's place at the arbiter: what it holds and where it stands.

    It is the gate of the lease's memory (`linear_memory.Gate`).
    """

    __slots__ = (
        "_arbiter", "_changed", "abandoned", "aborting", "asked_bytes", "held_bytes", "is_held",
        "may_go_on", "number", "parking", "phase", "priority", "probed_at", "rulings",
        "spill_failed", "spilling", "stalled", "tenant", "was_refused",
    )  # fmt: skip

    def __init__(self, arbiter: "Arbiter", number: int, priority: int, tenant: Tenant) -> None:
        self._arbiter = arbiter
        self._changed = threading.Condition(arbiter.lock)
        self.number = number
        self.priority = priority
        self.tenant = tenant
        self.held_bytes = self.asked_bytes = 0
        self.phase = Phase.RUNNING
        self.is_held = self.may_go_on = False
        self.parking = self.spilling = self.spill_failed = self.aborting = False
        self.stalled = self.abandoned = self.was_refused = False
        self.probed_at: float | None = None
        self.rulings: deque[Ruling] = deque(maxlen=_RULINGS_KEPT)

    @property
    def charged_bytes(self) -> int:
        return 0 if self.phase is Phase.SPILLED else self.held_bytes

    def admit(self, added_bytes: int) -> bool:
        """Whether the lease may grow; its thread may be held here first."""
        return self._arbiter.admit(self, added_bytes)

    def give_back(self, freed_bytes: int) -> None:
        """Count that `freed_bytes` of what was admitted are gone."""
        self._arbiter.give_back(self, freed_bytes)

    def checkpoint(self) -> None:
        """Called on the guest's thread at an epoch tick; it may be held here."""
        self._arbiter.checkpoint(self)

    def leave(self) -> None:
        """The lease has ended, and its memory is gone."""
        self._arbiter.leave(self)

    def abandon(self) -> None:
        """The lease has ended, but its guest is asleep in a host call and keeps its memory."""
        self._arbiter.abandon(self)

    def wake(self) -> None:
        """Have the lease see at once that it is to end."""
        with self._arbiter.lock:
            self._changed.notify()

    def wait(self) -> None:
        self._changed.wait()

    def let_go(self) -> None:
        self.may_go_on, self.is_held, self.asked_bytes = True, False, 0
        self._changed.notify()

    def view(self) -> LeaseView:
        return LeaseView(
            number=self.number,
            priority=self.priority,
            held_bytes=self.held_bytes,
            asked_bytes=self.asked_bytes,
            phase=self.phase,
            spillable=self.is_held and not self.spill_failed,
            parking=self.parking,
            spilling=self.spilling,
            aborting=self.aborting or self.tenant.is_ending,
            stalled=self.stalled,
        )


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
        self.baseline_bytes = 0
        self.spill_failure: AtectlError | None = None
        """Why memory could last not be spilled."""
        self._rulings: deque[Ruling] = deque(maxlen=_RULINGS_KEPT)
        self._tick = tick
        self._area = area
        self._busy_leases = busy_leases
        self._read_resident = resident
        self._clock = clock
        self._began = clock()
        self._observer = observer
        self._seats: dict[int, Seat] = {}
        self._abandoned: list[Seat] = []
        self._soft_bytes = budget.soft_bytes
        self._charged_bytes = 0
        self._idle_bytes = 0
        self.drop_idle: Callable[[], None] | None = None
        """Called under pressure, to have every store dropped that no lease has."""
        self._resident_bytes: int | None = None
        self._is_calm = True
        self._gates = rules.parks or rules.spills

    # For the host

    def measure_baseline(self) -> int | None:
        """Take what the process holds now for what it needs without any lease.

        Returns:
            Its bytes; None if they cannot be read, and are counted as none.
        """
        self._resident_bytes = self._read_resident()
        self.baseline_bytes = self._resident_bytes or 0
        return self._resident_bytes

    def register(self, tenant: Tenant, number: int, priority: int = 0, held_bytes: int = 0) -> Seat:
        """A seat for a lease that is about to begin, in a store that holds `held_bytes` already.

        Its number is unique among them.
        """
        with self.lock:
            seat = self._seats[number] = Seat(self, number, priority, tenant)
            self._charge(seat, held_bytes)
            if self._observer is not None:
                self._observer.registered(self._now(), seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """See `Seat.leave`."""
        with self.lock:
            self._charged_bytes -= seat.charged_bytes
            seat.held_bytes = 0
            if seat.abandoned:
                self._abandoned.remove(seat)
            else:
                self._forget(seat)

    def abandon(self, seat: Seat) -> None:
        """See `Seat.abandon`."""
        with self.lock:
            if seat.number in self._seats:
                seat.abandoned = True
                self._abandoned.append(seat)
                self._forget(seat)

    def count_idle(self, added_bytes: int) -> None:
        """Count that stores which no lease has hold `added_bytes` more."""
        with self.lock:
            self._idle_bytes += added_bytes
            self._charged_bytes += added_bytes

    def reconcile(self) -> None:
        """See what has changed without anybody asking: resident size, who is asleep."""
        with self.lock:
            if not self._is_calm:
                self._look_for_sleepers()
            self._resident_bytes = self._read_resident()
            if self._observer is not None:
                self._observer.sampled(self._now(), self.pressure)
            self._settle()

    @property
    def pressure(self) -> Pressure:
        """The host's now, its resident size as of the last look."""
        return Pressure(self._resident_bytes, self.baseline_bytes, self._charged_bytes)

    @property
    def spilled_bytes(self) -> int:
        """What leases hold on disk now."""
        with self.lock:
            seats = self._seats.values()
            return sum(seat.held_bytes for seat in seats if seat.phase is Phase.SPILLED)

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
            wanted = self.baseline_bytes + self._charged_bytes + added_bytes
            if (self._is_calm and wanted <= self._soft_bytes) or not self._gates:
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

    def _hold(self, seat: Seat) -> bool:
        """Keep the calling thread here until its lease may go on; False if it is to end."""
        seat.is_held, seat.may_go_on, seat.spill_failed = True, False, False
        self._settle()
        while not (seat.may_go_on or seat.tenant.is_ending):
            if seat.spilling:
                self._spill(seat)
            else:
                seat.wait()
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
        finally:
            self.lock.acquire()
        seat.spilling = False
        if failure is None:
            self._charged_bytes -= seat.held_bytes
            seat.phase = Phase.SPILLED
            self._record(Action.SPILL, seat, seat.held_bytes, "spilled", freed_bytes)
        else:
            seat.spill_failed = True
            self.spill_failure = failure
            self._record(Action.SPILL, seat, seat.held_bytes, f"failed: {failure}", 0)
        self._settle()

    # Under the lock

    def _settle(self) -> None:
        """Decide, and do it, until there is nothing left to be done."""
        if not self._gates:
            return
        self._resident_bytes = self._read_resident()
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
        self._is_calm = (self._resident_bytes or 0) <= self._soft_bytes and not any(
            seat.is_held or seat.parking for seat in self._seats.values()
        )

    def _make_room_of_idle(self) -> None:
        """Before anybody is held, what nobody uses goes."""
        if not self._idle_bytes or self.drop_idle is None:
            return
        asked_bytes = sum(seat.asked_bytes for seat in self._seats.values())
        if self.pressure.total_bytes + asked_bytes > self._soft_bytes:
            self.drop_idle()
            self._resident_bytes = self._read_resident()

    def _view(self) -> HostView:
        return HostView(
            budget=self.budget,
            resident_bytes=self._resident_bytes,
            baseline_bytes=self.baseline_bytes
            + self._idle_bytes
            + sum(seat.charged_bytes for seat in self._abandoned),
            leases=tuple(seat.view() for seat in self._seats.values()),
            spill_room_bytes=0 if self._area is None else self._area.room_bytes,
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
            seat.tenant.abort(self._why_aborted(seat, decision))
        if action is not Action.SPILL and (was_held or action is not Action.GRANT):
            self._record(action, seat, decision.bytes, decision.reason)

    def _bring_back(self, seat: Seat) -> None:
        if seat.phase is Phase.SPILLED:
            self._charged_bytes += seat.held_bytes
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
            self._charged_bytes += added_bytes

    def _forget(self, seat: Seat) -> None:
        del self._seats[seat.number]
        if self._observer is not None:
            self._observer.finished(self._now(), seat)
        if not self._is_calm:
            self._settle()

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

    def _why_aborted(self, seat: Seat, decision: Decision) -> str:
        pressure, budget = self.pressure, self.budget
        return (
            f"the host was at {show_size(pressure.total_bytes)} of its limit of "
            f"{format_size(budget.limit_bytes)} (baseline {show_size(pressure.baseline_bytes)}, "
            f"charged {show_size(pressure.charged_bytes)}) as this lease, which holds "
            f"{show_size(seat.held_bytes)}, asked for {show_size(seat.asked_bytes)} more: "
            f"{decision.reason}"
        )

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
