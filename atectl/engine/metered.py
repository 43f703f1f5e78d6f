"""The engine of every lease: wasmtime, configured so that all its memory is metered."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import atectl.engine.lazy_bindings  # noqa: F401

# isort: split
import wasmtime  # noqa: TID253
from wasmtime import Config, FuncType, Linker, Store, ValType  # noqa: TID253

from atectl.engine.bindings import (
    call_at_epoch,
    define_function,
    epoch_callback,
    error_pointer,
    function_callback,
    leave_out_unwinding,
    set_stack_size,
    trap_pointer,
)
from atectl.engine.memory import MemoryCreator
from atectl.engine.settings import DEFAULT_SETTINGS, EngineSettings

if TYPE_CHECKING:
    from atectl.engine.kind import Kind

# Native code may call back while any store exists. Python does not know about these references.
_kept_for_native_code: list[object] = []

_CONTINUE = 0
_NEXT_TICK = 1


class GuestControl:
    """The state of the guest on this thread, for the callbacks of the engine.

    Attributes:
        ending: why the guest must end at its next epoch check; None to let it run.
        exit_code: what the guest passed to `proc_exit`, from 0 to 2³² - 1; None if it did not
            call it.
        is_instantiated: whether the guest's capsule is instantiated, and only runs from then on.
        checkpoint: called at an epoch check if the guest need not end; it may hold the thread.
    """

    __slots__ = ("checkpoint", "ending", "exit_code", "is_instantiated")

    def __init__(self) -> None:
        self.checkpoint: Callable[[], None] | None = None
        self.ending: str | None = None
        self.exit_code: int | None = None
        self.is_instantiated = False


class Engine:
    """A wasmtime engine whose memories are metered and whose guests can be ended at any tick.

    The epoch is advanced only when a guest has to end or to be held. Otherwise guests run without
    interruption.

    Args:
        settings: how it is made.
    """

    def __init__(self, settings: EngineSettings = DEFAULT_SETTINGS) -> None:
        self.settings = settings
        self.memories = MemoryCreator(settings.bounds)
        config = Config()
        config.epoch_interruption = True
        config.consume_fuel = settings.burns_fuel
        set_stack_size(config, settings.max_stack_bytes)
        leave_out_unwinding(config)
        config.wasm_memory64 = True
        config.wasm_multi_memory = True
        config.wasm_gc = True
        config.wasm_function_references = True
        self.memories.install(config)
        self.native = wasmtime.Engine(config)
        self._local = threading.local()
        self._linkers: dict[Kind, Any] = {}
        self._on_epoch = epoch_callback(self._epoch_passed)
        self._on_exit = function_callback(self._exit_called)
        _kept_for_native_code.append((self.memories, self._on_epoch, self._on_exit))

    @property
    def fingerprint(self) -> str:
        """What decides whether an artifact can be used: see `EngineSettings`."""
        return self.settings.fingerprint

    def tick(self) -> None:
        """Let every guest check, at its next loop or call, whether it has to end."""
        self.native.increment_epoch()

    def new_store(self, control: GuestControl) -> Store:
        """A store for one guest on the calling thread. `control` steers the guest."""
        store = Store(self.native)
        call_at_epoch(store, self._on_epoch)
        self.steer(store, control)
        return store

    def steer(self, store: Store, control: GuestControl) -> None:
        """Let `control` steer the store's next guest, on the calling thread."""
        self._local.control = control
        store.set_epoch_deadline(_NEXT_TICK)

    def module_linker(self) -> Linker:
        """What core modules may import: WASI preview 1."""
        linker = Linker(self.native)
        linker.define_wasi()
        linker.allow_shadowing = True
        # Wasmtime's own proc_exit refuses statuses of 126 and more; here a guest may return any.
        exit_type = FuncType([ValType.i32()], [])
        define_function(linker, "wasi_snapshot_preview1", "proc_exit", exit_type, self._on_exit)
        return linker

    def component_linker(self) -> Any:
        """What components may import: WASI 0.2, without HTTP."""
        from wasmtime.component import Linker as ComponentLinker

        linker = ComponentLinker(self.native)
        linker.add_wasip2()
        return linker

    def shared_linker(self, kind: "Kind") -> Any:
        """What capsules of this kind may import. It is made once, and must not be changed.

        Making one takes several times as long as instantiating a small capsule.
        """
        linker = self._linkers.get(kind)
        if linker is None:
            linker = self.module_linker() if kind == "module" else self.component_linker()
            self._linkers[kind] = linker
        return linker

    def close(self) -> None:
        """Drop the engine. Its remaining stores keep what they need."""
        self.native.close()

    def _epoch_passed(self, _context: Any, _data: int, delta: Any, kind: Any) -> int:
        control: GuestControl = self._local.control
        try:
            if control.ending is None and control.checkpoint is not None:
                control.checkpoint()
        except BaseException as failure:
            return error_pointer(str(failure))
        if control.ending is not None:
            return error_pointer(control.ending)
        delta[0], kind[0] = _NEXT_TICK, _CONTINUE
        return 0

    def _exit_called(
        self, _data: int, _caller: Any, arguments: Any, _count: int, _results: Any, _n: int
    ) -> int:
        self._local.control.exit_code = arguments[0].of.i32 & 0xFFFF_FFFF
        return trap_pointer("the guest called proc_exit")
