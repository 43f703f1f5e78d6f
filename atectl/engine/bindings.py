"""The only user of wasmtime's generated C bindings, which are not a public interface.

Only what wasmtime's Python classes do not offer is here: the host memory creator, the epoch
callback, host functions that end a guest, and the frames of an error. If a release changes one of
these, only this module has to change; `atectl doctor` checks that they work.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import atectl.engine.lazy_bindings  # noqa: F401

# isort: split
from wasmtime import Config, Frame, Func, Linker, Store, WasmtimeError  # noqa: TID253
from wasmtime import _bindings as ffi  # noqa: TID253
from wasmtime._func import enter_wasm  # noqa: TID253
from wasmtime._trap import FrameList  # noqa: TID253

new_memory_callback = ffi.wasmtime_new_memory_callback_t
get_memory_callback = ffi.wasmtime_memory_get_callback_t
grow_memory_callback = ffi.wasmtime_memory_grow_callback_t
function_callback = ffi.wasmtime_func_callback_t
epoch_callback = ffi._wasmtime_store_epoch_deadline_callback.argtypes[1]
finalizer_callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

_NO_FINALIZER = finalizer_callback()


def error_pointer(message: str) -> int:
    """An error for a callback to return. The receiver owns it."""
    return _address(ffi.wasmtime_error_new(message.encode()))


def trap_pointer(message: str) -> int:
    """A trap for a host function to return. The receiver owns it."""
    text = message.encode()
    return _address(ffi.wasmtime_trap_new(text, len(text)))


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def create_memories_with(config: Config, new_memory: Any) -> Any:
    """Let `new_memory`, a `new_memory_callback`, make every memory of an engine.

    Memory images are switched off: with images wasmtime aborts the process at the first
    instantiation. Returns an object that must stay referenced while the engine lives.
    """
    ffi.wasmtime_config_memory_init_cow_set(config.ptr(), False)
    creator: Any = ffi.wasmtime_memory_creator_t()
    creator.new_memory, creator.finalizer = new_memory, _NO_FINALIZER
    ffi.wasmtime_config_host_memory_creator_set(config.ptr(), ctypes.byref(creator))
    return creator


def leave_out_unwinding(config: Config) -> None:
    """Make no tables for debuggers and profilers of native code: nothing here reads them, and they
    are a twentieth of the memory that compiling takes."""
    ffi.wasmtime_config_native_unwind_info_set(config.ptr(), False)


def set_stack_size(config: Config, guest_bytes: int) -> None:
    """Let guests use `guest_bytes` of call stack.

    The engine aborts the process if the stack of asynchronous calls is not larger, although
    nothing here makes such calls.
    """
    config.max_wasm_stack = guest_bytes
    ffi.wasmtime_config_async_stack_size_set(config.ptr(), 2 * guest_bytes)


def call_at_epoch(store: Store, callback: Any) -> None:
    """Call `callback`, an `epoch_callback`, on the guest's thread at its epoch deadline."""
    ffi.wasmtime_store_epoch_deadline_callback(store.ptr(), callback, None, _NO_FINALIZER)


def define_function(linker: Linker, module: str, name: str, type_: Any, callback: Any) -> None:
    """Define a host function from a raw `function_callback`.

    Wasmtime's own wrapper is not used: all threads share the variable in which it keeps exceptions.
    """
    module_name, function_name = module.encode(), name.encode()
    error = ffi.wasmtime_linker_define_func(
        linker.ptr(),
        ctypes.create_string_buffer(module_name),
        len(module_name),
        ctypes.create_string_buffer(function_name),
        len(function_name),
        type_.ptr(),
        callback,
        None,
        _NO_FINALIZER,
    )
    if error:
        raise WasmtimeError._from_ptr(error)


def call_without_values(store: Store, function: Func) -> None:
    """Call a core function that takes and returns nothing.

    Wasmtime's own call asks for the function's type first, and aborts the process if that has a
    typed reference in it.

    Raises:
        Trap, WasmtimeError: as any call; also if the function takes or returns something. It has
            not run then.
    """
    with enter_wasm(store) as trap:
        called: Any = function
        error = ffi.wasmtime_func_call(
            store._context(), ctypes.byref(called._func), None, 0, None, 0, trap
        )
        if error:
            raise WasmtimeError._from_ptr(error)


def is_async(type_: Any) -> bool:
    """Whether a component's function is declared to be async."""
    return bool(ffi.wasmtime_component_func_type_async(type_.ptr()))


def error_frames(error: WasmtimeError) -> list[Frame]:
    """The guest's frames that an error carries, innermost first."""
    frames = FrameList(error)
    ffi.wasmtime_error_wasm_trace(error.ptr(), ctypes.byref(frames.vec))
    return [Frame._from_ptr(frames.vec.data[i], frames) for i in range(frames.vec.size)]


def is_tagged(type_: Any) -> bool:
    """Whether a variant, option or result of a component is a `Variant` in Python.

    If Python can tell its cases apart by their classes, it is just the payload.
    """
    tagged: bool = type_._tagged()
    return tagged


def system_memory() -> tuple[Callable[..., int | None], Callable[..., int], Callable[..., int]]:
    """The C library's mmap, munmap and mprotect.

    mprotect does not release the interpreter's lock: it takes a microsecond, and getting the lock
    back from a busy thread can take thousands.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    locked = ctypes.PyDLL(None, use_errno=True)
    size, address = ctypes.c_size_t, ctypes.c_void_p
    libc.mmap.restype = address
    libc.mmap.argtypes = [address, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.munmap.argtypes = [address, size]
    locked.mprotect.argtypes = [address, size, ctypes.c_int]
    return libc.mmap, libc.munmap, locked.mprotect
