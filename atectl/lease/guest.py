"""The guest of a lease: its thread, its capsule in a store, and how it ended."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmtime import ExitTrap, Store, Trap, WasmtimeError  # noqa: TID253

from atectl.accounting import Reading
from atectl.capsule.mapped_capsule import MappedCapsule
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.engine.wasi import take_away, wasi_config
from atectl.lease import entry
from atectl.lease import outcome as outcomes
from atectl.lease.instantiating import instantiate, new_store
from atectl.lease.outcome import Outcome
from atectl.lease.started import Started
from atectl.lease.terms import Terms

if TYPE_CHECKING:
    from atectl.lease.store_pool import KeptStore


def start_guest_thread(engine: Engine, target: Callable[[], None], name: str) -> None:
    """Run `target` on a thread whose stack is large enough for a guest.

    Raises:
        HostExhausted: the system has no thread more (exit 125).
    """
    previous = threading.stack_size(engine.settings.thread_stack_bytes)
    try:
        threading.Thread(target=target, name=name, daemon=True).start()
    except RuntimeError:
        from atectl.capsule.errors import HostExhausted

        raise HostExhausted("no thread can be started for a guest") from None
    finally:
        threading.stack_size(previous)


class CpuClock:
    """CPU seconds that one thread takes from `start` to `stop`. Any thread may read them."""

    def __init__(self) -> None:
        self._thread: int | None = None
        self._before_s = 0.0
        self._taken_s = 0.0

    def start(self) -> None:
        """Begin to count the CPU seconds of the calling thread."""
        self._before_s = time.thread_time()
        self._thread = threading.get_ident()

    def stop(self) -> None:
        """Stop counting. Any thread may call it."""
        self._taken_s = self.read_s()
        self._thread = None

    def read_s(self) -> float:
        """The seconds so far."""
        thread = self._thread
        if thread is None:
            return self._taken_s
        try:
            return time.clock_gettime(time.pthread_getcpuclockid(thread)) - self._before_s
        except OSError:  # the thread ended just now
            return self._taken_s


class Guest:
    """One run of a capsule in a new store, or in one that an earlier lease left.

    Args:
        engine: what it runs on.
        capsule: what runs.
        terms: what it is granted.
        memory: what its memories are charged to; with `kept` the memory that is kept there.
        control: how it is ended.
        kept: the store that an earlier lease left; None to make a new one.
        on_refusal: called on the guest's thread when a growth is refused, to make the guest end.
            What the guest does from then on has no effect outside. None to let it go on.
        confine: called on the guest's thread once its folders and streams are open, and before
            anything of the capsule runs.

    Attributes:
        fuel: what it burned; known once it has run.
        reading: its memory use just before its store was closed; None until it has run.
        left: its store, if another lease may use it; the lease keeps or closes it.
    """

    def __init__(
        self,
        engine: Engine,
        capsule: MappedCapsule,
        terms: Terms,
        memory: LeaseMemory,
        control: GuestControl,
        kept: "KeptStore | None" = None,
        on_refusal: Callable[[], None] | None = None,
        confine: Callable[[], None] | None = None,
    ) -> None:
        self.fuel = 0
        self.reading: Reading | None = None
        self.left: KeptStore | None = None
        self._engine = engine
        self._capsule = capsule
        self._terms = terms
        self._memory = memory
        self._control = control
        self._kept = kept
        self._on_refusal = on_refusal
        self._confine = confine

    def run(self, *, may_leave_store: bool) -> Outcome | None:
        """Run the guest. Returns how it ended; None if it ended because it was told to.

        Raises:
            AtectlError: it could not be started: see `entry.find`, `instantiate` and `entry.call`.
        """
        quota, kept = self._terms.quota, self._kept
        self._entry = entry.find(self._engine, self._capsule, self._terms.invoke)
        if kept is None:
            store = new_store(self._engine, self._capsule, quota, self._control)
        else:
            store = kept.store
        try:
            if kept is not None:
                self._engine.steer(store, self._control)
            store.set_wasi(wasi_config(self._terms.wasi))
            self._memory.on_refusal = self._ending_at_refusal(store)
            if self._confine is not None:
                self._confine()
            with self._engine.memories.charging(self._memory):
                try:
                    return self._call(store, may_leave_store=may_leave_store)
                except (Trap, WasmtimeError) as error:
                    return self._judge(error)
        finally:
            if quota.fuel is not None:
                self.fuel = quota.fuel - store.get_fuel()
            self.reading = self._memory.meter.read()
            if self.left is None:
                store.close()
                self._memory.release_state()

    def _call(self, store: Store, *, may_leave_store: bool) -> Outcome:
        engine, capsule, kept = self._engine, self._capsule, self._kept
        instance: Any
        if kept is None:
            instance = instantiate(engine, capsule, store, self._memory, self._control)
        else:
            instance = kept.instance
        self._control.is_instantiated = True
        words = list(self._terms.wasi.arguments[1:])
        started = Started(engine, capsule, store, instance, is_fresh=kept is None)
        outcome = entry.call(started, self._entry, self._terms.invoke, words)
        is_whole = self._control.ending is None and not self._memory.failures
        if may_leave_store and is_whole:
            from atectl.lease.store_pool import KeptStore

            self.left = KeptStore(store, instance, self._memory)
        return outcome

    def _ending_at_refusal(self, store: Store) -> Callable[[], None] | None:
        on_refusal = self._on_refusal
        if on_refusal is None:
            return None

        def cut_off() -> None:
            # The engine cannot end a guest in the middle of a growth. The guest goes on to its
            # next loop or call, and may call the host before that.
            on_refusal()
            take_away(store)

        return cut_off

    def _judge(self, error: Exception) -> Outcome | None:
        """How the guest ended, from what the engine raised."""
        control = self._control
        if control.exit_code is not None:
            return outcomes.exited(control.exit_code)
        if isinstance(error, ExitTrap):
            return outcomes.exited(error.code)
        return None if control.ending is not None else outcomes.trapped(error, self._terms.quota)
