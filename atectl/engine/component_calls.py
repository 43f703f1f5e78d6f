"""Calling a function of a component, and its values as the engine has them and as Python has them.

Wasmtime's own conversions are not used. For each value they ask anew which classes of Python its
type can come to. That takes twice as long with each level of `option`, and so for ever with the
hundred levels that a type may have; for a value of a variant it takes as long as that has cases.
"""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import atectl.engine.lazy_bindings  # noqa: F401

# isort: split
from wasmtime import Store  # noqa: TID253
from wasmtime import _bindings as ffi  # noqa: TID253
from wasmtime import _ffi as kinds  # noqa: TID253

from atectl.system.walls.amounts import PARTS_OF_OTHERS


class Oversized(Exception):
    """The result of a component's function has more parts, or more text, than it may."""


class Argument(NamedTuple):
    """A value for a component. Its kind is that of its type.

    `content` is a number or a text; the names of flags; the arguments in a list or tuple, or in a
    record, each with its name; the payload of an option or None; the name of the case of a
    variant or result (`ok`, `err`), and its payload or None.
    """

    kind: str
    content: Any


class F32(float):
    """An f32 that a component returned."""

    __slots__ = ()


class Case(NamedTuple):
    """What a component returned of a type with cases.

    Attributes:
        kind: `variant`, `result` or `option`.
        name: of the case: `ok` and `err` of a result, `some` and `none` of an option.
        has_payload: whether there is a value with it.
        payload: that value.
    """

    kind: str
    name: str
    has_payload: bool
    payload: Any


def call_component(
    store: Store, function: Any, arguments: list[Argument], most_parts: int, most_text_bytes: int
) -> Any:
    """Call a component's function, and bound its result before Python makes values of it.

    Those take ten times the memory of what the engine made of the guest's.

    Args:
        most_parts: how many parts the result may have. A number in a list counts as one, and
            whatever takes more memory as `PARTS_OF_OTHERS`.
        most_text_bytes: the size of all its texts together.

    Returns:
        None if it returns nothing. Otherwise a number, a text or a `Case`, or a list of these for a
        list or tuple, of names for flags, or a dictionary for a record.

    Raises:
        Trap, WasmtimeError: as any call.
        Oversized: the result is larger. The function has run.
    """
    from wasmtime.component._enter import enter_wasm as enter_component

    given = (ffi.wasmtime_component_val_t * len(arguments))()
    result = ffi.wasmtime_component_val_t()
    has_result = function.type(store).result is not None
    try:
        for argument, place in zip(arguments, given, strict=True):
            _write(argument, place)
        called = ctypes.byref(function._func)
        target = ctypes.byref(result) if has_result else None
        enter_component(
            lambda: ffi.wasmtime_component_func_call(
                called, store._context(), given, len(given), target, int(has_result)
            )
        )
        if not has_result:
            return None
        _weigh(result, most_parts, most_text_bytes)
        return _read(result)
    finally:
        for value in (*given, result):
            ffi.wasmtime_component_val_delete(ctypes.byref(value))


def _weigh(result: Any, most_parts: int, most_text_bytes: int) -> None:
    """Count what the value of a component consists of, until that is too much."""
    parts = text_bytes = 0
    waiting: list[Iterator[Any]] = [iter((result,))]
    while waiting:
        value = next(waiting[-1], None)
        if value is None:
            waiting.pop()
            continue
        more_parts, more_bytes, inside = _parts_of(value)
        parts, text_bytes = parts + more_parts, text_bytes + more_bytes
        if parts > most_parts or text_bytes > most_text_bytes:
            raise Oversized
        waiting.append(inside)


def _parts_of(value: Any) -> tuple[int, int, Iterator[Any]]:
    """What a value counts for by itself, the size of its text, and the values in it."""
    kind, of = value.kind, value.of
    match kind:
        case kinds.WASMTIME_COMPONENT_STRING.value:
            return PARTS_OF_OTHERS, of.string.size, iter(())
        case kinds.WASMTIME_COMPONENT_ENUM.value:
            return PARTS_OF_OTHERS, of.enumeration.size, iter(())
        case kinds.WASMTIME_COMPONENT_FLAGS.value:
            return PARTS_OF_OTHERS * (1 + of.flags.size), 0, iter(())
        case kinds.WASMTIME_COMPONENT_LIST.value:
            size, data = of.list.size, of.list.data
            if size and data[0].kind < kinds.WASMTIME_COMPONENT_STRING.value:
                return PARTS_OF_OTHERS + size, 0, iter(())
            return PARTS_OF_OTHERS, 0, (data[i] for i in range(size))
        case kinds.WASMTIME_COMPONENT_TUPLE.value:
            return PARTS_OF_OTHERS, 0, (of.tuple.data[i] for i in range(of.tuple.size))
        case kinds.WASMTIME_COMPONENT_RECORD.value:
            return PARTS_OF_OTHERS, 0, (of.record.data[i].val for i in range(of.record.size))
        case kinds.WASMTIME_COMPONENT_VARIANT.value:
            return PARTS_OF_OTHERS, 0, _payload(of.variant.val)
        case kinds.WASMTIME_COMPONENT_OPTION.value:
            return PARTS_OF_OTHERS, 0, _payload(of.option)
        case kinds.WASMTIME_COMPONENT_RESULT.value:
            return PARTS_OF_OTHERS, 0, _payload(of.result.val)
    return PARTS_OF_OTHERS, 0, iter(())


def _payload(pointer: Any) -> Iterator[Any]:
    return iter((pointer.contents,) if pointer else ())


# From the engine


def _read(value: Any) -> Any:
    return _READ[value.kind](value.of)


def _text(of: Any) -> str:
    return ctypes.string_at(of.data, of.size).decode() if of.size else ""


def _read_list(of: Any) -> list[Any]:
    size, data = of.list.size, of.list.data
    if not size:
        return []
    read = _READ[data[0].kind]
    return [read(data[i].of) for i in range(size)]


def _read_record(of: Any) -> dict[str, Any]:
    fields = (of.record.data[i] for i in range(of.record.size))
    return {_text(field.name): _read(field.val) for field in fields}


def _case(kind: str, name: str, payload: Any) -> Case:
    if not payload:
        return Case(kind, name, has_payload=False, payload=None)
    return Case(kind, name, has_payload=True, payload=_read(payload.contents))


_READ: dict[int, Callable[[Any], Any]] = {
    kinds.WASMTIME_COMPONENT_BOOL.value: lambda of: of.boolean,
    kinds.WASMTIME_COMPONENT_S8.value: lambda of: of.s8,
    kinds.WASMTIME_COMPONENT_U8.value: lambda of: of.u8,
    kinds.WASMTIME_COMPONENT_S16.value: lambda of: of.s16,
    kinds.WASMTIME_COMPONENT_U16.value: lambda of: of.u16,
    kinds.WASMTIME_COMPONENT_S32.value: lambda of: of.s32,
    kinds.WASMTIME_COMPONENT_U32.value: lambda of: of.u32,
    kinds.WASMTIME_COMPONENT_S64.value: lambda of: of.s64,
    kinds.WASMTIME_COMPONENT_U64.value: lambda of: of.u64,
    kinds.WASMTIME_COMPONENT_F32.value: lambda of: F32(of.f32),
    kinds.WASMTIME_COMPONENT_F64.value: lambda of: of.f64,
    kinds.WASMTIME_COMPONENT_CHAR.value: lambda of: chr(of.character),
    kinds.WASMTIME_COMPONENT_STRING.value: lambda of: _text(of.string),
    kinds.WASMTIME_COMPONENT_ENUM.value: lambda of: _text(of.enumeration),
    kinds.WASMTIME_COMPONENT_FLAGS.value: lambda of: [
        _text(of.flags.data[i]) for i in range(of.flags.size)
    ],
    kinds.WASMTIME_COMPONENT_LIST.value: _read_list,
    kinds.WASMTIME_COMPONENT_TUPLE.value: lambda of: [
        _read(of.tuple.data[i]) for i in range(of.tuple.size)
    ],
    kinds.WASMTIME_COMPONENT_RECORD.value: _read_record,
    kinds.WASMTIME_COMPONENT_VARIANT.value: lambda of: _case(
        "variant", _text(of.variant.discriminant), of.variant.val
    ),
    kinds.WASMTIME_COMPONENT_OPTION.value: lambda of: _case(
        "option", "some" if of.option else "none", of.option
    ),
    kinds.WASMTIME_COMPONENT_RESULT.value: lambda of: _case(
        "result", "ok" if of.result.is_ok else "err", of.result.val
    ),
}


# To the engine

_NUMBERS = {
    "bool": (kinds.WASMTIME_COMPONENT_BOOL, "boolean"),
    "s8": (kinds.WASMTIME_COMPONENT_S8, "s8"),
    "u8": (kinds.WASMTIME_COMPONENT_U8, "u8"),
    "s16": (kinds.WASMTIME_COMPONENT_S16, "s16"),
    "u16": (kinds.WASMTIME_COMPONENT_U16, "u16"),
    "s32": (kinds.WASMTIME_COMPONENT_S32, "s32"),
    "u32": (kinds.WASMTIME_COMPONENT_U32, "u32"),
    "s64": (kinds.WASMTIME_COMPONENT_S64, "s64"),
    "u64": (kinds.WASMTIME_COMPONENT_U64, "u64"),
    "f32": (kinds.WASMTIME_COMPONENT_F32, "f32"),
    "f64": (kinds.WASMTIME_COMPONENT_F64, "f64"),
}
"""The engine's number of each kind, and where its values stand."""


def _write(argument: Argument, value: Any) -> None:
    """Write a value where one of no content is, which can be deleted at any moment."""
    kind, content = argument
    if kind in _NUMBERS:
        number, field = _NUMBERS[kind]
        setattr(value.of, field, content)
        value.kind = number
        return
    match kind:
        case "char":
            value.of.character = ord(content)
            value.kind = kinds.WASMTIME_COMPONENT_CHAR
        case "string":
            value.of.string = kinds.str_to_capi(content)
            value.kind = kinds.WASMTIME_COMPONENT_STRING
        case "enum":
            value.of.enumeration = kinds.str_to_capi(content)
            value.kind = kinds.WASMTIME_COMPONENT_ENUM
        case "option":
            value.of.option = _boxed(content)
            value.kind = kinds.WASMTIME_COMPONENT_OPTION
        case "result" | "variant":
            name, payload = content
            _write_case(kind, name, payload, value)
        case _:
            _write_several(kind, content, value)


def _write_case(kind: str, name: str, payload: Argument | None, value: Any) -> None:
    if kind == "result":
        value.of.result.val = _boxed(payload)
        value.of.result.is_ok = name == "ok"
        value.kind = kinds.WASMTIME_COMPONENT_RESULT
    else:
        value.of.variant.val = _boxed(payload)
        value.of.variant.discriminant = kinds.str_to_capi(name)
        value.kind = kinds.WASMTIME_COMPONENT_VARIANT


def _write_several(kind: str, content: list[Any], value: Any) -> None:
    match kind:
        case "list":
            data = _room(ffi.wasmtime_component_vallist_new_uninit, value.of.list, len(content))
            value.kind = kinds.WASMTIME_COMPONENT_LIST
        case "tuple":
            data = _room(ffi.wasmtime_component_valtuple_new_uninit, value.of.tuple, len(content))
            value.kind = kinds.WASMTIME_COMPONENT_TUPLE
        case "record":
            data = _room(ffi.wasmtime_component_valrecord_new_uninit, value.of.record, len(content))
            value.kind = kinds.WASMTIME_COMPONENT_RECORD
        case _:
            data = _room(ffi.wasmtime_component_valflags_new_uninit, value.of.flags, len(content))
            value.kind = kinds.WASMTIME_COMPONENT_FLAGS
    for place, each in enumerate(content):
        if kind == "record":
            name, argument = each
            data[place].name = kinds.str_to_capi(name)
            _write(argument, data[place].val)
        elif kind == "flags":
            data[place] = kinds.str_to_capi(each)
        else:
            _write(each, data[place])


def _room(make: Callable[[Any, int], None], vector: Any, size: int) -> Any:
    """Room for so many, all of no content."""
    make(ctypes.byref(vector), size)
    if size:
        ctypes.memset(vector.data, 0, size * ctypes.sizeof(vector.data.contents))
    return vector.data


def _boxed(argument: Argument | None) -> Any:
    if argument is None:
        return None
    value = ffi.wasmtime_component_val_t()
    _write(argument, value)
    return ffi.wasmtime_component_val_new(ctypes.byref(value))
