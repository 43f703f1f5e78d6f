"""What is used of wasmtime's generated C bindings, which are not a public interface; the values of
components are in `component_calls`.

Only what wasmtime's Python classes do not offer is here: the host memory creator, the epoch
callback, host functions that end a guest, and the frames of an error. If a release changes one of
these, only these two modules have to change; `atectl doctor` checks that they work.
"""

import ctypes
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import atectl.engine.lazy_bindings  # noqa: F401

# isort: split
from wasmtime import (  # noqa: TID253
    Config,
    Frame,
    Func,
    Linker,
    Store,
    WasmtimeError,
)
from wasmtime import _bindings as ffi  # noqa: TID253
from wasmtime._extern import wrap_extern  # noqa: TID253
from wasmtime._func import enter_wasm  # noqa: TID253
from wasmtime._trap import FrameList  # noqa: TID253

new_memory_callback = ffi.wasmtime_new_memory_callback_t
get_memory_callback = ffi.wasmtime_memory_get_callback_t
grow_memory_callback = ffi.wasmtime_memory_grow_callback_t
function_callback = ffi.wasmtime_func_callback_t
epoch_callback = ffi._wasmtime_store_epoch_deadline_callback.argtypes[1]
finalizer_callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

_NO_FINALIZER = finalizer_callback()

_ANY = "surrogateescape"
"""The bytes of a command line as they came: no export is called by what is not UTF-8."""


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


def exported_function(store: Store, instance: Any, name: str) -> Func | None:
    """The function that an instance of a core module exports by this name; None if none is.

    Wasmtime's own `exports` looks at all exports to find one, and takes a time that grows with the
    square of their number. The same holds for those of a module and of a component.
    """
    text, item = name.encode(errors=_ANY), ffi.wasmtime_extern_t()
    buffer = ctypes.create_string_buffer(text, len(text))
    is_there = ffi.wasmtime_instance_export_get(
        store._context(), ctypes.byref(instance._instance), buffer, len(text), ctypes.byref(item)
    )
    export = wrap_extern(item) if is_there else None
    return export if isinstance(export, Func) else None


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


def exports_of_instance(store: Store, instance: Any) -> Iterator[tuple[str, bool]]:
    """What an instance of a core module exports: the name of each, and whether it is a function.

    The list that the engine makes of the module's takes a kilobyte for each of them.
    """
    native = ctypes.byref(instance._instance)
    for index in count():
        text, length, item = _name(), ctypes.c_size_t(), ffi.wasmtime_extern_t()
        told = (ctypes.byref(each) for each in (text, length, item))
        if not ffi.wasmtime_instance_export_nth(store._context(), native, index, *told):
            return
        yield _told(text, length), isinstance(wrap_extern(item), Func)


def exports_of_component(engine: Any, owner: Any) -> Iterator[tuple[str, Any]]:
    """What a component exports, or an instance in it: the name and the type of each.

    Args:
        engine: wasmtime's, that it was compiled for.
        owner: the type of the component, or of the instance.
    """
    how_many, nth, _ = _functions_of(owner)
    for index in range(how_many(owner.ptr(), engine.ptr())):
        text, length, export = _name(), ctypes.c_size_t(), _no_export()
        told = (ctypes.byref(each) for each in (text, length, export))
        nth(owner.ptr(), engine.ptr(), index, *told)
        yield _told(text, length), _type_of(export)


def exported_type(engine: Any, owner: Any, name: str) -> Any:
    """The type of what a component, or an instance in it, exports by this name.

    Args:
        engine, owner: as for `exports_of_component`.

    Returns:
        None if nothing is exported, or something that wasmtime's Python package does not know.
    """
    text = name.encode(errors=_ANY)
    buffer, export = ctypes.create_string_buffer(text, len(text)), _no_export()
    *_, get = _functions_of(owner)
    is_there = get(owner.ptr(), engine.ptr(), buffer, len(text), ctypes.byref(export))
    return _type_of(export) if is_there else None


def _functions_of(owner: Any) -> tuple[Any, Any, Any]:
    """What tells how many exports a component's type or an instance's has, one of them by its
    place, and one by its name."""
    from wasmtime.component import ComponentType

    if isinstance(owner, ComponentType):
        return (
            ffi.wasmtime_component_type_export_count,
            ffi.wasmtime_component_type_export_nth,
            ffi.wasmtime_component_type_export_get,
        )
    return (
        ffi.wasmtime_component_instance_type_export_count,
        ffi.wasmtime_component_instance_type_export_nth,
        ffi.wasmtime_component_instance_type_export_get,
    )


def _name() -> Any:
    return ctypes.POINTER(ctypes.c_char)()


def _told(text: Any, length: ctypes.c_size_t) -> str:
    return ctypes.string_at(text, length.value).decode()


def _no_export() -> Any:
    return ctypes.POINTER(ffi.wasmtime_component_extern_t)()


def _type_of(export: Any) -> Any:
    from wasmtime.component._types import ComponentExtern

    try:
        return ComponentExtern._from_ptr(export).ty
    except TypeError:  # a kind of type that the package does not know
        return None


def is_async(type_: Any) -> bool:
    """Whether a component's function is declared to be async."""
    return bool(ffi.wasmtime_component_func_type_async(type_.ptr()))


def error_frames(error: WasmtimeError) -> list[Frame]:
    """The guest's frames that an error carries, innermost first."""
    frames = FrameList(error)
    ffi.wasmtime_error_wasm_trace(error.ptr(), ctypes.byref(frames.vec))
    return [Frame._from_ptr(frames.vec.data[i], frames) for i in range(frames.vec.size)]


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
