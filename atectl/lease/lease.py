"""Leases: one run of a capsule for one principal under one quota, from start to outcome."""

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from wasmtime import ExitTrap, Store, Trap, WasmtimeError  # noqa: TID253

from atectl.accounting import Ledger, Observation, Principal, Quota, Usage
from atectl.capsule.loading import Capsule
from atectl.engine.memory import LeaseMemory
from atectl.engine.meter import Meter, Reading
from atectl.engine.metered import Engine, GuestControl
from atectl.engine.wasi import WasiSettings, wasi_config
from atectl.errors import (
    AtectlError,
    EngineFailure,
    InitialMemoryOverQuota,
    InitialTableOverQuota,
    InvalidCapsule,
)
from atectl.lease import entry
from atectl.lease import outcome as outcomes
from atectl.lease.outcome import Outcome
from atectl.ledger_store.records import FINISHED, RUNNING, LeaseRecord
from atectl.system.processes import own_identity
from atectl.units import format_size

if TYPE_CHECKING:
    from atectl.arbitration.arbiter import Arbiter
    from atectl.arbitration.place import Place
    from atectl.arbitration.seat import Seat
    from atectl.lease.store_pool import KeptStore, PoolKey, StorePool
    from atectl.spill.area import SpillArea

GRACE_S = 0.25
"""How long a guest that was told to end has until it is taken to be asleep in a host call."""

_HOST_STACK_BYTES = 2 << 20
_LEAST_THREAD_STACK_BYTES = 8 << 20
_POLL_S = 0.05


class Terms(NamedTuple):
    """What a lease is granted: to whom, under which quota, with what of the host.

    `invoke` is the export to call instead of the capsule's entry point, and the guest's
    arguments are then that export's. `traps_on_refusal` ends the guest at a refused growth.
    """

    principal: Principal
    quota: Quota
    wasi: WasiSettings
    invoke: str | None = None
    label: str = ""
    traps_on_refusal: bool = False


class Standing(NamedTuple):
    """A lease's standing among the others of its process: who arbitrates, under which number.

    Numbers are unique; a lease of higher priority is more important. `pool` has the stores that
    leases of the same reactor and principal leave behind, None if they leave none.
    """

    arbiter: "Arbiter"
    number: int
    priority: int = 0
    pool: "StorePool | None" = None


def start_guest_thread(engine: Engine, target: Callable[[], None], name: str) -> None:
    """Run `target` on a thread whose stack takes that of a guest."""
    stack_bytes = engine.max_stack_bytes + _HOST_STACK_BYTES
    previous = threading.stack_size(max(stack_bytes, _LEAST_THREAD_STACK_BYTES))
    try:
        threading.Thread(target=target, name=name, daemon=True).start()
    finally:
        threading.stack_size(previous)


class Lease:
    """One run of a capsule, on a thread of its own or on the caller's.

    Args:
        engine: what it runs on; outlives the lease.
        capsule: what runs.
        terms: what it is granted.
        ledger: charged while it runs and when it ends.
        standing: with whom it shares the host; None where it has the host to itself.
    """

    def __init__(
        self,
        engine: Engine,
        capsule: Capsule,
        terms: Terms,
        ledger: Ledger,
        standing: Standing | None = None,
    ) -> None:
        self.capsule = capsule
        self.terms = terms
        self.id = f"{time.time_ns() // 1_000_000:012x}-{os.urandom(4).hex()}"
        self.started_at = time.time()
        self._engine = engine
        self._ledger = ledger
        self._meter = Meter(terms.principal, terms.quota, ledger)
        self._on_refusal = self._end_for_refusal if terms.traps_on_refusal else None
        self._memory = LeaseMemory(self._meter, self._on_refusal)
        self._control = GuestControl()
        self._identity = own_identity()
        self._standing = standing
        self._place: Place | None = None
        self._kept: KeptStore | None = None
        self._abortion: Outcome | None = None
        self._started = time.monotonic()
        self._told_to_end = 0.0
        self._finished: float | None = None
        self._thread: int | None = None
        self._cpu_before_s = 0.0
        self._cpu_s = 0.0
        self._fuel = 0
        self._final: Reading | None = None
        self._outcome: Outcome | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()

    def start(self) -> None:
        """Begin to run, on a thread of its own. A lease runs once."""
        start_guest_thread(self._engine, self.run, f"lease {self.id}")

    def end(self, reason: str) -> None:
        """Have the guest end at its next loop or call, for `reason`; the first reason counts.

        One that is parked or spilled ends where it is held.
        """
        if self._control.ending is None:
            # First the time: `attend`, on another thread, goes by it as soon as there is a reason.
            self._told_to_end = time.monotonic()
            self._control.ending = reason
        self._engine.tick()
        if self._place is not None:
            self._place.wake()

    def abort(self, why: str, remedy: str) -> None:
        """End it for want of memory; the arbiter says why, and what would help."""
        self._abortion = outcomes.aborted(why, remedy)
        self.end(outcomes.ARBITER)

    def join(self) -> Outcome:
        """Wait for the outcome, and see to the deadline."""
        while not self._done.wait(_POLL_S):
            self.attend()
        return self.outcome

    def attend(self) -> bool:
        """See to the deadline; to be called a few times a second until the lease is done.

        A guest asleep in a host call hears of no end: it is given `GRACE_S`, then abandoned
        with the outcome it was to have. Its thread can only be left behind.

        Returns:
            Whether the guest was abandoned just now.
        """
        now, deadline_s = time.monotonic(), self.terms.quota.deadline_s
        if self._control.ending is not None:
            if now >= self._told_to_end + GRACE_S and not self.is_done:
                self._finish(self._told_to_end_for(self._control.ending))
                if self._place is not None:
                    self._place.abandon()
                return True
        elif deadline_s is not None and now >= self._started + deadline_s:
            self.end(outcomes.DEADLINE)
        return False

    @property
    def is_done(self) -> bool:
        """Whether it has its outcome."""
        return self._done.is_set()

    @property
    def outcome(self) -> Outcome:
        """How the lease ended; only once it has."""
        assert self._outcome is not None  # noqa: S101 - `join` was called, or `_done` is set
        return self._outcome

    @property
    def is_ending(self) -> bool:
        """Whether the guest was told to end."""
        return self._control.ending is not None

    @property
    def wall_s(self) -> float:
        """Seconds since the start, or to the end."""
        return (self._finished or time.monotonic()) - self._started

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the guest's thread so far."""
        thread = self._thread
        if self._finished is not None or thread is None:
            return self._cpu_s
        try:
            clock = time.pthread_getcpuclockid(thread)
            return time.clock_gettime(clock) - self._cpu_before_s
        except OSError:  # it ended between the two looks
            return self._cpu_s

    def read(self) -> Reading:
        """The lease's memory now, or as it was when it ended."""
        return self._final or self._meter.read()

    def resident_bytes(self) -> int | None:
        """What of its memory is resident; None where the system does not tell."""
        return self._memory.resident_bytes()

    def spill(self, area: "SpillArea") -> int:
        """Write its memory to disk: see `LeaseMemory.spill`."""
        return self._memory.spill(area)

    @property
    def stored_bytes(self) -> int:
        """What of its memory lies on disk: see `LeaseMemory.stored_bytes`."""
        return self._memory.stored_bytes

    @property
    def principal(self) -> str:
        return self.terms.principal

    @property
    def label(self) -> str:
        return self.terms.label

    @property
    def capsule_name(self) -> str:
        return self.capsule.name

    @property
    def seat(self) -> "Seat | None":
        """What the arbiter knows of it, once it runs."""
        return None if self._place is None else self._place.seat

    def record(self) -> LeaseRecord:
        """The lease as the stored ledger is to know it."""
        reading, now, outcome = self.read(), time.time(), self._outcome
        return LeaseRecord(
            id=self.id,
            principal=self.terms.principal,
            capsule=self.capsule.name,
            label=self.terms.label,
            host=os.uname().nodename,
            pid=os.getpid(),
            process=self._identity,
            state=self.state if outcome is None else FINISHED,
            current_bytes=reading.current_bytes if outcome is None else 0,
            peak_bytes=reading.grown_bytes,
            high_water_bytes=reading.peak_bytes,
            quota_bytes=self.terms.quota.memory_bytes,
            refused_growths=reading.refused_growths,
            largest_refused_bytes=reading.largest_refused_bytes,
            cpu_s=self.cpu_s,
            byte_seconds=reading.byte_seconds,
            fuel=self._fuel,
            trapped=int(outcome is not None and outcome.trap is not None),
            started_at=self.started_at,
            updated_at=now,
            finished_at=None if outcome is None else now,
            reason=None if outcome is None else outcome.reason,
            exit_status=None if outcome is None else outcome.exit_status,
        )

    @property
    def state(self) -> str:
        """Where it stands until it has ended: `running`, `parked` or `spilled`."""
        return RUNNING if self.seat is None else self.seat.standing.phase.value

    @property
    def fuel(self) -> int:
        """Fuel burned, known once the guest has ended."""
        return self._fuel

    @property
    def failures(self) -> list[BaseException]:
        """What went wrong in the host while it served the guest's memory."""
        return self._memory.failures

    # On the guest's thread

    def run(self) -> None:
        """Run on the calling thread, which must have the stack of `start_guest_thread`."""
        self._thread, self._cpu_before_s = threading.get_ident(), time.thread_time()
        try:
            if self._standing is not None:
                self._take_place(self._standing)
            outcome = self._run_guest()
        except AtectlError as error:
            outcome = outcomes.refused(error)
        except BaseException as error:
            outcome = outcomes.refused(EngineFailure(f"{type(error).__name__}: {error}"))
        self._cpu_s = time.thread_time() - self._cpu_before_s
        try:
            if self._standing is not None:
                self._leave_place(self._standing)
        finally:
            self._finish(outcome)

    def _take_place(self, standing: Standing) -> None:
        pool, key = standing.pool, self._pool_key
        if pool is not None and key is not None:
            self._kept = pool.take(key)
        if self._kept is not None:
            self._memory = self._kept.memory
            self._meter = self._memory.meter
            self._meter.retarget(self.terms.principal, self.terms.quota)
            self._memory.on_refusal = self._on_refusal
        held_bytes = self._meter.read().current_bytes
        arbiter, number, priority = standing[:3]
        self._memory.gate = self._place = arbiter.register(self, number, priority, held_bytes)
        self._control.checkpoint = self._place.checkpoint

    def _leave_place(self, standing: Standing) -> None:
        pool, key, kept = standing.pool, self._pool_key, self._kept
        self._memory.gate = None
        if self._place is not None:
            self._place.leave(0 if kept is None else kept.held_bytes)
        if pool is not None and key is not None and kept is not None:
            pool.put(key, kept)

    @property
    def _pool_key(self) -> "PoolKey | None":
        """With whom it may share a store; None if its store is to end with it."""
        if self.terms.invoke is None or self.capsule.kind != "module":
            return None
        if self.terms.quota.fuel is not None:
            return None
        from atectl.lease.store_pool import PoolKey

        principal, quota, wasi = self.terms[:3]
        return PoolKey(self.capsule.sha256, principal, quota, wasi.environment, wasi.folders)

    def _run_guest(self) -> Outcome:
        quota, kept = self.terms.quota, self._kept
        self._kept = None  # until it is known to be fit for another lease
        store = self._new_store() if kept is None else kept.store
        try:
            if kept is not None:
                self._engine.steer(store, self._control)
            store.set_wasi(wasi_config(self.terms.wasi))
            with self._engine.memories.charging(self._memory):
                try:
                    instance = self._instantiate(store) if kept is None else kept.instance
                    outcome = self._call(store, instance, is_fresh=kept is None)
                except (Trap, WasmtimeError) as error:
                    outcome = self._judge(error)
            return self._told_to_end_for(self._control.ending) if self._was_cut_off else outcome
        finally:
            if quota.fuel is not None:
                self._fuel = quota.fuel - store.get_fuel()
            self._final = self._meter.read()
            if self._kept is None:
                store.close()

    def _new_store(self) -> Store:
        quota, tables = self.terms.quota, self.capsule.table_bound
        store = self._engine.new_store(self._control)
        store.set_limits(table_elements=quota.table_elements // max(tables, 1), tables=tables)
        if quota.fuel is not None:
            store.set_fuel(quota.fuel)
        return store

    def _call(self, store: Store, instance: Any, *, is_fresh: bool) -> Outcome:
        words, invoke = list(self.terms.wasi.arguments[1:]), self.terms.invoke
        outcome = entry.call(
            self._engine, self.capsule, store, instance, invoke, words, is_fresh=is_fresh
        )
        pool = None if self._standing is None else self._standing.pool
        is_whole = self._control.ending is None and not self.failures
        if pool is not None and is_whole and self._pool_key is not None:
            from atectl.lease.store_pool import KeptStore

            self._kept = KeptStore(store, instance, self._memory)
        return outcome

    def _instantiate(self, store: Store) -> Any:
        code: Any = self.capsule.code
        linker = self._engine.shared_linker(self.capsule.kind)
        try:
            if self._control.ending is not None:
                raise WasmtimeError(self._control.ending)
            return linker.instantiate(store, code)
        except (Trap, WasmtimeError) as error:
            from atectl.engine.traps import is_trap

            if self._control.ending is None and not is_trap(error):
                raise self._refusal(error) from None
            raise

    def _refusal(self, error: Exception) -> AtectlError:
        """Why the capsule could not be instantiated."""
        quota_bytes = self.terms.quota.memory_bytes
        refused = self._memory.refused_initial_bytes
        if refused is not None:
            needed = self._meter.read().current_bytes + refused
            return InitialMemoryOverQuota(
                f"{self.capsule.name} needs {needed} bytes ({format_size(needed)}) to start; "
                f"its quota is {quota_bytes} bytes ({format_size(quota_bytes)})",
                remedy=f"raise the quota: --max-mem {format_size(needed)} or more",
            )
        if self.failures:
            failure = self.failures[0]
            return EngineFailure(
                getattr(failure, "strerror", None) or str(failure),
                remedy="raise the limit on address space (ulimit -v): a memory reserves 4 GiB",
            )
        from atectl.capsule.interface import require_imports

        require_imports(self._engine, self.capsule)
        message = " ".join(str(error).split())
        if "shared memory" in message:
            return InvalidCapsule(
                f"{self.capsule.name} has a shared memory, which no quota could be held over",
                remedy="build the capsule without threads",
            )
        if "table" in message:
            return InitialTableOverQuota(
                f"{message}: at most {self.terms.quota.table_elements} elements "
                f"under a quota of {format_size(quota_bytes)}"
            )
        return EngineFailure(message)

    @property
    def _was_cut_off(self) -> bool:
        """Whether it was told to end while it was held, so that its guest was refused to grow."""
        return self.seat is not None and self.seat.was_refused

    def _judge(self, error: Exception) -> Outcome:
        """How the lease ended, from what the engine raised."""
        control = self._control
        if control.exit_code is not None:
            return outcomes.exited(control.exit_code)
        if isinstance(error, ExitTrap):
            return outcomes.exited(error.code)
        if control.ending is not None:
            return self._told_to_end_for(control.ending)
        return outcomes.trapped(error, self.terms.quota)

    def _told_to_end_for(self, reason: str | None) -> Outcome:
        if reason is None or reason == outcomes.ARBITER:
            assert self._abortion is not None  # noqa: S101 - `abort` gave reason and abortion
            return self._abortion
        asked_bytes = self._meter.read().largest_refused_bytes
        return outcomes.told_to_end(reason, self.terms.quota, asked_bytes)

    def _end_for_refusal(self) -> None:
        self.end(outcomes.QUOTA)

    def _finish(self, outcome: Outcome) -> None:
        with self._lock:
            if self._outcome is not None:
                return
            if self._final is None:  # abandoned: its memory is still there, and still counts
                self._cpu_s = self.cpu_s
                self._final = self._meter.read()
            self._finished = time.monotonic()
            self._charge(outcome, self._final)
            self._outcome = outcome
        self._done.set()

    def _charge(self, outcome: Outcome, reading: Reading) -> None:
        usage = Usage(
            high_water_bytes=reading.peak_bytes,
            fuel=self._fuel,
            cpu_s=self._cpu_s,
            byte_seconds=reading.byte_seconds,
            leases=1,
            refused_growths=reading.refused_growths,
            traps=int(outcome.trap is not None),
        )
        seen = Observation(self.id, self.terms.principal, reading.grown_bytes, usage)
        self._ledger.observe(seen, is_last=True)
