"""Leases: one run of a capsule for one principal under one quota, from start to outcome."""

import os
import threading
import time
from typing import Any, NamedTuple

from wasmtime import ExitTrap, Store, Trap, WasmtimeError  # noqa: TID253

from atectl import entry
from atectl import outcome as outcomes
from atectl.accounting import Ledger, Meter, Principal, Quota, Reading, Usage
from atectl.capsule import Capsule
from atectl.engine import Engine, GuestControl
from atectl.errors import (
    AtectlError,
    EngineFailure,
    InitialMemoryOverQuota,
    InitialTableOverQuota,
    InvalidCapsule,
)
from atectl.ledger_store import FINISHED, RUNNING, LeaseRecord
from atectl.linear_memory import LeaseMemory
from atectl.outcome import Outcome
from atectl.processes import own_identity
from atectl.units import format_size
from atectl.wasi import WasiSettings, wasi_config

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


class Lease:
    """One run of a capsule, on a thread of its own.

    Args:
        engine: what it runs on; outlives the lease.
        capsule: what runs.
        terms: what it is granted.
        ledger: charged while it runs and when it ends.
    """

    def __init__(self, engine: Engine, capsule: Capsule, terms: Terms, ledger: Ledger) -> None:
        self.capsule = capsule
        self.terms = terms
        self.id = f"{time.time_ns() // 1_000_000:012x}-{os.urandom(4).hex()}"
        self.started_at = time.time()
        self._engine = engine
        self._ledger = ledger
        self._meter = Meter(terms.principal, terms.quota, ledger)
        on_refusal = self._end_for_refusal if terms.traps_on_refusal else None
        self._memory = LeaseMemory(self._meter, on_refusal)
        self._control = GuestControl()
        self._identity = own_identity()
        self._started = time.monotonic()
        self._told_to_end = 0.0
        self._finished: float | None = None
        self._cpu_s = 0.0
        self._fuel = 0
        self._final: Reading | None = None
        self._outcome: Outcome | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease {self.id}", daemon=True)

    def start(self) -> None:
        """Begin to run. A lease starts once."""
        stack_bytes = self._engine.max_stack_bytes + _HOST_STACK_BYTES
        previous = threading.stack_size(max(stack_bytes, _LEAST_THREAD_STACK_BYTES))
        try:
            self._thread.start()
        finally:
            threading.stack_size(previous)

    def end(self, reason: str) -> None:
        """Have the guest end at its next loop or call, for `reason`; the first reason counts."""
        if self._control.ending is None:
            self._control.ending = reason
            self._told_to_end = time.monotonic()
        self._engine.tick()

    def join(self) -> Outcome:
        """Wait for the outcome, and see to the deadline.

        A guest asleep in a host call hears of no end: it is given `GRACE_S`, then abandoned
        with the outcome it was to have. Its thread can only be left behind.
        """
        deadline_s = self.terms.quota.deadline_s
        while not self._done.wait(_POLL_S):
            now = time.monotonic()
            if self._control.ending is not None:
                if now >= self._told_to_end + GRACE_S:
                    self._finish(self._told_to_end_for(self._control.ending))
            elif deadline_s is not None and now >= self._started + deadline_s:
                self.end(outcomes.DEADLINE)
        return self.outcome

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
        thread = self._thread.ident
        if self._finished is not None or thread is None:
            return self._cpu_s
        try:
            return time.clock_gettime(time.pthread_getcpuclockid(thread))
        except OSError:  # it ended between the two looks
            return self._cpu_s

    def read(self) -> Reading:
        """The lease's memory now, or as it was when it ended."""
        return self._final or self._meter.read()

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
            state=RUNNING if outcome is None else FINISHED,
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
    def fuel(self) -> int:
        """Fuel burned, known once the guest has ended."""
        return self._fuel

    @property
    def failures(self) -> list[BaseException]:
        """What went wrong in the host while it served the guest's memory."""
        return self._memory.failures

    # On the guest's thread

    def _run(self) -> None:
        try:
            outcome = self._run_guest()
        except AtectlError as error:
            outcome = outcomes.refused(error)
        except BaseException as error:
            outcome = outcomes.refused(EngineFailure(f"{type(error).__name__}: {error}"))
        self._cpu_s = time.thread_time()
        self._finish(outcome)

    def _run_guest(self) -> Outcome:
        quota = self.terms.quota
        store = self._engine.new_store(self._control)
        try:
            tables = self.capsule.table_bound
            store.set_limits(table_elements=quota.table_elements // max(tables, 1), tables=tables)
            if quota.fuel is not None:
                store.set_fuel(quota.fuel)
            store.set_wasi(wasi_config(self.terms.wasi))
            with self._engine.memories.charging(self._memory):
                try:
                    instance = self._instantiate(store)
                    words = list(self.terms.wasi.arguments[1:])
                    return entry.call(
                        self._engine, self.capsule, store, instance, self.terms.invoke, words
                    )
                except (Trap, WasmtimeError) as error:
                    return self._judge(error)
        finally:
            if quota.fuel is not None:
                self._fuel = quota.fuel - store.get_fuel()
            self._final = self._meter.read()
            store.close()

    def _instantiate(self, store: Store) -> Any:
        code: Any = self.capsule.code
        is_module = self.capsule.kind == "module"
        linker = self._engine.module_linker() if is_module else self._engine.component_linker()
        try:
            if self._control.ending is not None:
                raise WasmtimeError(self._control.ending)
            return linker.instantiate(store, code)
        except (Trap, WasmtimeError) as error:
            from atectl.traps import is_trap

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
        from atectl.capsule_interface import require_imports

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

    def _told_to_end_for(self, reason: str) -> Outcome:
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
        self._ledger.add(self.terms.principal, usage)
