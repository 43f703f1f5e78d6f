"""The engine every lease runs on: wasmtime, configured so that nothing escapes the meter."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import atectl.engine.lazy_bindings  # noqa: F401

# isort: split
import wasmtime  # noqa: TID253
from wasmtime import Config, FuncType, Linker, Store, ValType  # noqa: TID253

from atectl.accounting import DEFAULT_STACK_BYTES
from atectl.engine.bindings import (
    call_at_epoch,
    define_function,
    epoch_callback,
    error_pointer,
    function_callback,
    set_stack_size,
    trap_pointer,
    wasmtime_version,
)
from atectl.engine.memory import MemoryCreator

if TYPE_CHECKING:
    from atectl.engine.kind import Kind

# Native code may call back for as long as any store lives, which Python cannot see.
_kept_for_native_code: list[object] = []

_CONTINUE = 0
_NEXT_TICK = 1


class GuestControl:
    """What the engine's callbacks know of the guest on this thread.

    Attributes:
        ending: why the guest is to be ended at its next epoch check; None to let it run.
        exit_code: what the guest passed to `proc_exit`, None if it did not call it.
        checkpoint: called at an epoch check of a guest that goes on; it may hold the thread.
    """

    __slots__ = ("checkpoint", "ending", "exit_code")

    def __init__(self) -> None:
        self.checkpoint: Callable[[], None] | None = None
        self.ending: str | None = None
        self.exit_code: int | None = None


class Engine:
    """A wasmtime engine whose memories are metered and whose guests can be ended at any tick.

    The epoch is advanced only when something is to happen to a guest, so a guest that nobody
    disturbs is never interrupted.

    Args:
        fuel: whether guests burn fuel; it makes different machine code.
        max_stack_bytes: what a guest's own call stack may take.
    """

    def __init__(self, *, fuel: bool = False, max_stack_bytes: int = DEFAULT_STACK_BYTES) -> None:
        self.memories = MemoryCreator()
        self.burns_fuel = fuel
        self.max_stack_bytes = max_stack_bytes
        config = Config()
        config.epoch_interruption = True
        config.consume_fuel = fuel
        set_stack_size(config, max_stack_bytes)
        config.wasm_memory64 = True
        config.wasm_multi_memory = True
        config.wasm_gc = True
        config.wasm_function_references = True
        self.memories.install(config)
        self.native = wasmtime.Engine(config)
        self.fingerprint = f"wasmtime-{wasmtime_version()}-metered-{'fuel' if fuel else 'plain'}"
        self._local = threading.local()
        self._linkers: dict[Kind, Any] = {}
        self._on_epoch = epoch_callback(self._epoch_passed)
        self._on_exit = function_callback(self._exit_called)
        _kept_for_native_code.append((self.memories, self._on_epoch, self._on_exit))

    def tick(self) -> None:
        """Have every guest look, at its next loop or call, whether it is to end."""
        self.native.increment_epoch()

    def new_store(self, control: GuestControl) -> Store:
        """A store for one guest, to be used on the calling thread, which `control` steers."""
        store = Store(self.native)
        call_at_epoch(store, self._on_epoch)
        self.steer(store, control)
        return store

    def steer(self, store: Store, control: GuestControl) -> None:
        """Have `control` steer the store's guest, on the calling thread, from now on."""
        self._local.control = control
        store.set_epoch_deadline(_NEXT_TICK)

    def module_linker(self) -> Linker:
        """What core modules may import: WASI preview 1."""
        linker = Linker(self.native)
        linker.define_wasi()
        linker.allow_shadowing = True
        # Wasmtime's own proc_exit refuses statuses from 126 up; a guest may return any.
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
        """What capsules of this kind may import, made once and not to be added to.

        To make one takes several times as long as to instantiate a small capsule.
        """
        linker = self._linkers.get(kind)
        if linker is None:
            linker = self.module_linker() if kind == "module" else self.component_linker()
            self._linkers[kind] = linker
        return linker

    def close(self) -> None:
        """Drop the engine; stores of it that are left keep what they need."""
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
        self._local.control.exit_code = arguments[0].of.i32 & 0xFF
        return trap_pointer("the guest called proc_exit")
