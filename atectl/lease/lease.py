"""Leases: one run of a capsule for one principal under one quota, from start to outcome."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from atectl.accounting import Meter, Observation, Reading
from atectl.capsule.loading import Capsule
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.errors import AtectlError, EngineFailure
from atectl.lease import outcome as outcomes
from atectl.lease.course import Course
from atectl.lease.guest import CpuClock, Guest, start_guest_thread
from atectl.lease.outcome import Cause, Outcome
from atectl.lease.record import new_id, observation_of, record_of
from atectl.lease.starting import refused_state
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import LeaseBook
from atectl.ledger_store.records import RUNNING, LeaseRecord

if TYPE_CHECKING:
    from atectl.lease.store_pool import KeptStore, PoolKey
    from atectl.lease.tenancy import Place, Tenancy
    from atectl.spill.area import SpillArea

_POLL_S = 0.05
_POLL_OF_WALLS_S = 0.02


class Walls(Protocol):
    """What limits the guest of a lease that has a process to itself."""

    def around_guest(self) -> None:
        """Called on the guest's thread before anything of the capsule runs."""
        ...

    def passed(self) -> AtectlError | None:
        """Why the guest has to end, because of what the process holds for it; or None."""
        ...

    def ran_out(self) -> AtectlError:
        """The error of a guest for which no memory could be allocated."""
        ...


class Lease:
    """One run of a capsule, on its own thread or on the caller's.

    Args:
        engine: what it runs on; it must outlive the lease.
        capsule: what runs. Its code need not be mapped if the quota has no room for its state.
        terms: what it is granted.
        ledger: lists it while it runs, and records what it uses.
        tenancy: with whom it shares the host; None if it has the host to itself.
        began_s: when its deadline and its wall-clock time begin to count, by `time.monotonic`:
            for example before its capsule was loaded. None means from now on.
    """

    def __init__(
        self,
        engine: Engine,
        capsule: MappedCapsule | Capsule,
        terms: Terms,
        ledger: LeaseBook,
        tenancy: "Tenancy | None" = None,
        began_s: float | None = None,
    ) -> None:
        self.capsule = capsule if isinstance(capsule, Capsule) else capsule.capsule
        self._mapped = None if isinstance(capsule, Capsule) else capsule
        self.terms = terms
        self._id = ""
        self._course = Course(began_s)
        self._engine = engine
        self._ledger = ledger
        self._tenancy = tenancy
        self._meter = Meter(terms.principal, terms.quota, ledger)
        self._memory = LeaseMemory(self._meter)
        self._walls: Walls | None = None
        self._around_guest: Callable[[], None] | None = None
        self._was_cut_off = False
        self.was_given_up = False
        """Whether it has its outcome while its guest is still in a call that does not end."""
        self._control = GuestControl()
        self._place: Place | None = None
        self._pool_key: PoolKey | None = None
        self._kept: KeptStore | None = None
        self._cpu = CpuClock()
        self._fuel = 0
        self._final: Reading | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()

    # For whoever runs it

    def start(self, waited_s: float = 0.0, walls: Walls | None = None) -> None:
        """Begin to run on a new thread. A lease runs once.

        Args:
            waited_s: how long it waited for its lock. This does not count for its deadline and
                its wall-clock time.
            walls: what is around it; None if it shares the process.
        """
        self._walls = walls
        self._around_guest = None if walls is None else walls.around_guest
        self._course.wait(waited_s)
        self._ledger.open(self)
        try:
            start_guest_thread(self._engine, self._run, f"lease {self.id}")
        except AtectlError as error:
            self._finish(outcomes.refused(error))

    def run(self, around_guest: Callable[[], None] | None = None) -> None:
        """Run on the calling thread, which must have the stack of `start_guest_thread`.

        Args:
            around_guest: called once all is open that the guest was granted, and before anything
                of the capsule runs.
        """
        self._around_guest = around_guest
        self._ledger.open(self)
        self._run()

    def end(self, reason: str, error: AtectlError | None = None) -> None:
        """Tell the guest to end, at its next loop or call. The first reason counts.

        A guest that is parked or spilled ends where it is held. Safe in a signal handler. It has
        no effect on a lease that is done.

        Args:
            reason: one of the reasons in `outcome`.
            error: the error of its outcome, if the reason alone does not determine that.
        """
        if self.is_done:
            return
        # Set after the cause: code that sees `ending` reads the cause.
        self._control.ending = self._course.tell_to_end(reason, error).reason
        self._engine.tick()
        if self._place is not None:
            self._place.wake()

    def join(self) -> Outcome:
        """Wait for the outcome, and enforce the deadline and the walls."""
        poll_s = _POLL_S if self._walls is None else _POLL_OF_WALLS_S
        while not self._done.wait(poll_s):
            self.attend()
            passed = None if self._walls is None or self._course.cause else self._walls.passed()
            if passed is not None:
                self.end(outcomes.refused(passed).reason, passed)
        return self.outcome

    def attend(self) -> bool:
        """Enforce the deadline. To be called a few times a second until the lease is done.

        A guest that sleeps in a host call cannot be ended. After `GRACE_S` it is abandoned: the
        lease gets its outcome, and the thread is left behind.

        Returns:
            Whether the guest was abandoned just now.
        """
        course = self._course
        if course.cause is not None:
            if course.is_overdue and not self.is_done:
                self.was_given_up = True
                self._finish(self._told_to_end(course.cause))
                if self._place is not None:
                    self._place.abandon()
                return True
        elif course.has_passed(self.terms.quota.deadline_s):
            self.end(outcomes.DEADLINE)
        return False

    def overrule(self, outcome: Outcome) -> None:
        """Replace the outcome of a lease that has ended, also in the ledger."""
        self._course.outcome = outcome
        self._ledger.amend(self)

    # How it is

    @property
    def id(self) -> str:
        """Its own among all leases of all hosts."""
        if not self._id:  # in a cell nobody asks
            self._id = new_id()
        return self._id

    @property
    def is_done(self) -> bool:
        """Whether it has its outcome."""
        return self._done.is_set()

    @property
    def outcome(self) -> Outcome:
        """How the lease ended; only once it has."""
        assert self._course.outcome is not None  # noqa: S101 - `join` was called, or `_done` is set
        return self._course.outcome

    @property
    def started_at(self) -> float:
        """When it began, in seconds since 1970."""
        return self._course.started_at

    @property
    def is_instantiated(self) -> bool:
        """Whether its capsule is instantiated, and only runs from then on."""
        return self._control.is_instantiated

    @property
    def is_ending(self) -> bool:
        """Whether the guest was told to end."""
        return self._control.ending is not None

    @property
    def wall_s(self) -> float:
        """Wall-clock seconds from the start until now, or to the end."""
        return self._course.wall_s

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the guest's thread so far."""
        return self._cpu.read_s()

    @property
    def fuel(self) -> int:
        """Fuel burned, known once the guest has ended."""
        return self._fuel

    @property
    def state(self) -> str:
        """Its state until it has ended: `running`, `parked` or `spilled`."""
        return RUNNING if self._place is None else self._place.state

    @property
    def failures(self) -> list[BaseException]:
        """What went wrong in the host while it served the guest's memory."""
        return self._memory.failures

    def read(self) -> Reading:
        """The lease's memory now, or as it was when it ended."""
        return self._final or self._meter.read()

    # For the ledger

    def observation(self) -> Observation:
        """What its principal's account counts for it."""
        return observation_of(self, self._course)

    def record(self) -> LeaseRecord:
        """The lease as it is listed: now, or as it ended."""
        return record_of(self, self._course)

    # For its host, under pressure

    @property
    def stored_bytes(self) -> int:
        """How much of its memory is on disk: see `LeaseMemory.stored_bytes`."""
        return self._memory.stored_bytes

    def resident_bytes(self) -> int | None:
        """How much is resident of what it is charged for; None if the system does not tell."""
        resident_bytes = self._memory.resident_bytes()
        return None if resident_bytes is None else resident_bytes + self._memory.state_bytes

    def own_bytes(self) -> int | None:
        """How much of that is in no file; None if the system does not tell."""
        own_bytes = self._memory.own_bytes()
        return None if own_bytes is None else own_bytes + self._memory.state_bytes

    def spill(self, area: "SpillArea") -> int:
        """Write its memory to disk: see `LeaseMemory.spill`."""
        return self._memory.spill(area)

    # On the guest's thread

    def _run(self) -> None:
        self._cpu.start()
        try:
            if self._tenancy is not None:
                self._take_place(self._tenancy)
            outcome = self._run_guest()
        except AtectlError as error:
            outcome = outcomes.refused(error)
        except MemoryError as error:
            outcome = self._out_of_memory(error)
        except BaseException as error:
            outcome = outcomes.refused(EngineFailure(f"{type(error).__name__}: {error}"))
        self._cpu.stop()
        try:
            if self._tenancy is not None:
                self._leave_place(self._tenancy)
        finally:
            self._finish(outcome)

    def _out_of_memory(self, error: MemoryError) -> Outcome:
        if self._walls is None:
            return outcomes.refused(EngineFailure(f"{type(error).__name__}: {error}"))
        return self._told_to_end(Cause(outcomes.QUOTA, self._walls.ran_out(), 0.0))

    def _take_place(self, tenancy: "Tenancy") -> None:
        """Register with the arbiter, and take the store that an earlier lease left, if any."""
        pool = tenancy.pool
        self._pool_key = None if pool is None else pool.key_of(self.capsule, self.terms)
        if pool is not None and self._pool_key is not None:
            self._kept = pool.take(self._pool_key)
        if self._kept is not None:
            self._memory = self._kept.memory
            self._meter = self._memory.meter
            self._meter.retarget(self.terms.principal, self.terms.quota)
        held_bytes = self._meter.read().current_bytes
        arbiter, number, priority = tenancy[:3]
        self._memory.gate = self._place = arbiter.register(self, number, priority, held_bytes)
        self._control.checkpoint = self._place.checkpoint

    def _run_guest(self) -> Outcome:
        if self._mapped is None:
            raise refused_state(self.capsule, self._meter)
        kept, self._kept = self._kept, None  # set again if another lease may use the store
        on_refusal = self._cut_off if self.terms.traps_on_refusal else None
        guest = Guest(
            self._engine,
            self._mapped,
            self.terms,
            self._memory,
            self._control,
            kept,
            on_refusal,
            self._around_guest,
        )
        try:
            outcome = guest.run(may_leave_store=self._pool_key is not None)
        finally:
            self._fuel, self._final, self._kept = guest.fuel, guest.reading, guest.left
        # A guest that is told to end while it waits for a growth is refused that growth.
        was_turned_away = self._place is not None and self._place.was_refused
        if outcome is None or was_turned_away or self._was_cut_off:
            assert self._course.cause is not None  # noqa: S101 - only `end` tells a guest to end
            return self._told_to_end(self._course.cause)
        return outcome

    def _cut_off(self) -> None:
        """End the guest because it was refused memory. What it does from then on does not count."""
        self._was_cut_off = True
        self.end(outcomes.QUOTA)

    def _leave_place(self, tenancy: "Tenancy") -> None:
        pool, key, kept = tenancy.pool, self._pool_key, self._kept
        self._memory.gate = None
        if self._place is not None:
            self._place.leave(0 if kept is None else kept.held_bytes)
        if pool is not None and key is not None and kept is not None:
            pool.put(key, kept)

    # On either thread

    def _told_to_end(self, cause: Cause) -> Outcome:
        asked_bytes = self._meter.read().largest_refused_bytes
        held_s = 0.0 if self._place is None else self._place.held_s
        return outcomes.told_to_end(
            cause.reason, self.terms.quota, asked_bytes, cause.error, held_s
        )

    def _finish(self, outcome: Outcome) -> None:
        with self._lock:
            if self._course.outcome is not None:
                return
            if self._final is None:  # abandoned: its memory still exists, and still counts
                self._cpu.stop()
                self._final = self._meter.read()
            self._course.finish(outcome)
        try:
            self._ledger.close(self)
        finally:
            self._done.set()
