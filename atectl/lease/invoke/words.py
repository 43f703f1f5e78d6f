"""Words of a command line as typed arguments for an export, and its results as text.

Numbers, booleans, characters, strings and the names of enums are plain words. Values with parts are
written as JSON: see `component_values`.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atectl.errors import BadInvokeArgument, NotInvokable
from atectl.lease.invoke import scalars
from atectl.lease.invoke.scalars import Unfit, quoted

if TYPE_CHECKING:
    from wasmtime import Engine, Func, FuncType, Store
    from wasmtime.component import FuncType as ComponentFuncType

    from atectl.engine.component_calls import Argument
    from atectl.lease.invoke.wit_types import WitType

_NUMBERS = {"i32", "i64", "f32", "f64"}
_PROBE = '(module (import "" "" (func (result f32 i64 f64 i32))))'
_MOST_SHOWN = 1_000
_FOUND_TYPE = re.compile(r"found type `\(func(.*)\)`")


def signature(name: str, func_type: "FuncType | ComponentFuncType") -> str:
    """How an export is called, such as `add(i32, i32) -> i32` or `greet(name: string) -> string`.

    Args:
        func_type: a module's from `module_type`, or any of a component.
    """
    from wasmtime import FuncType

    if isinstance(func_type, FuncType):
        wanted, results = _kinds(func_type.params), _kinds(func_type.results)
    else:
        wanted, results = _spelled_component(func_type)
    returned = f"({', '.join(results)})" if len(results) > 1 else "".join(results)
    return f"{name}({', '.join(wanted)})" + (f" -> {returned}" if returned else "")


def module_type(engine: "Engine", store: "Store", function: "Func") -> "FuncType":
    """The type of a core module's function, whose parameters and results can be safely read.

    Raises:
        NotInvokable: it takes or returns a vector or a reference (exit 2).
    """
    from wasmtime import Instance, Module, WasmtimeError

    # Asked for the parameters of such a function, or to call it, wasmtime aborts the process.
    # Given it as an import of another type, it only raises an error, which has its real type.
    try:
        Instance(store, Module(engine, _PROBE), [function])
    except WasmtimeError as error:
        found = _FOUND_TYPE.search(str(error))
        shown = found[1].strip() if found else str(error)
        if not (_NUMBERS | {"param", "result"}).issuperset(re.findall(r"\w+", shown)):
            raise NotInvokable(f"its type is {shown}: only numbers can be passed") from None
    return function.type(store)


def module_arguments(func_type: "FuncType", words: list[str]) -> list[int | float]:
    """The arguments for a core module's function; `func_type` must be from `module_type`.

    Integers are decimal or `0x…`, signed or not; floats may be `nan`, `inf` and `-inf`.

    Raises:
        BadInvokeArgument: too few words, too many, or one of the wrong type (exit 2).
    """
    kinds = _kinds(func_type.params)
    return _read_words(kinds, words, lambda position, word: _number(kinds[position], word))


def module_results(func_type: "FuncType", value: Any) -> list[str]:
    """The results of a core module's function, each as text; integers are signed."""
    kinds = _kinds(func_type.results)
    values = [value] if len(kinds) == 1 else value or []
    return [_shown_scalar(kind, each) for kind, each in zip(kinds, values, strict=True)]


def component_arguments(func_type: "ComponentFuncType", words: list[str]) -> "list[Argument]":
    """The arguments for a component's function.

    Raises:
        BadInvokeArgument: too few words, too many, or one of the wrong type (exit 2).
        NotInvokable: it takes or returns resources, futures or streams, or its types have too many
            parts (exit 2).
    """
    from atectl.lease.invoke.wit_types import WitType

    parameters = [(name, WitType(type_)) for name, type_ in func_type.params]
    types = [type_ for _, type_ in parameters]
    result = func_type.result
    _require_text(types if result is None else [*types, WitType(result)])
    wanted = _wanted(parameters)
    return _read_words(
        wanted, words, lambda position, word: _component_value(types[position], word)
    )


def component_results(value: Any) -> list[str]:
    """What a component's function returned, as text: one, or none if it returned nothing."""
    from atectl.lease.invoke.component_values import float_kind, to_json

    match value:
        case None:
            return []
        case bool():
            return [scalars.show_bool(value)]
        case float():
            return [scalars.show_float(float_kind(value), value)]
        case int() | str():
            return [str(value)]
    import json

    return [json.dumps(to_json(value), ensure_ascii=False, allow_nan=False)]


def _kinds(types: list[Any]) -> list[str]:
    return [str(kind) for kind in types]


def _spelled_component(func_type: "ComponentFuncType") -> tuple[list[str], list[str]]:
    from atectl.lease.invoke.wit_types import WitType, spelled

    result = func_type.result
    wanted = _wanted([(name, WitType(type_)) for name, type_ in func_type.params])
    return wanted, [] if result is None else [spelled(WitType(result))]


def _wanted(parameters: "list[tuple[str, WitType]]") -> list[str]:
    from atectl.lease.invoke.wit_types import spelled

    return [f"{scalars.shortened(name)}: {spelled(type_)}" for name, type_ in parameters]


def _require_text(types: "list[WitType]") -> None:
    """Refuse types whose values cannot be passed in or shown, before anything runs."""
    from atectl.lease.invoke.wit_types import TooManyParts, spelled, without_text

    try:
        found = without_text(types)
    except TooManyParts:
        raise NotInvokable("the types of what it takes and returns have too many parts") from None
    if found is not None:
        raise NotInvokable(f"it takes or returns {spelled(found)}, which no word can express")


def _read_words(wanted: list[str], words: list[str], read: Callable[[int, str], Any]) -> list[Any]:
    names = ", ".join(wanted)
    shown = names if len(names) <= _MOST_SHOWN else f"{names[:_MOST_SHOWN]}…"
    remedy = f"give one word for each of ({shown})" if wanted else "give no words"
    if len(words) < len(wanted):
        missing = len(words)
        raise BadInvokeArgument(
            f"argument {missing + 1} ({wanted[missing]}) is missing", remedy=remedy
        )
    if len(words) > len(wanted):
        extra = quoted(words[len(wanted)])
        raise BadInvokeArgument(
            f"argument {len(wanted) + 1}, {extra}, is one too many", remedy=remedy
        )
    values = []
    for position, word in enumerate(words):
        try:
            values.append(read(position, word))
        except Unfit as unfit:
            raise BadInvokeArgument(
                f"argument {position + 1} ({wanted[position]}): {unfit}", remedy=remedy
            ) from None
    return values


def _number(kind: str, word: str) -> int | float:
    if kind in scalars.FLOATS:
        return scalars.read_float(kind, word)
    return scalars.read_integer(kind, word)


def _component_value(type_: "WitType", word: str) -> "Argument":
    from atectl.engine.component_calls import Argument
    from atectl.lease.invoke.component_values import checked_name, from_json

    kind = type_.kind
    match kind:
        case "bool":
            return Argument(kind, scalars.read_bool(word))
        case "char":
            return Argument(kind, scalars.checked_char(word))
        case "string":
            return Argument(kind, scalars.checked_text(word))
        case "enum":
            return Argument(kind, checked_name(type_, word))
    if kind in scalars.RANGES or kind in scalars.FLOATS:
        return Argument(kind, _number(kind, word))
    return from_json(type_, _parsed(word))


def _parsed(word: str) -> Any:
    import json

    def refuse(constant: str) -> Any:
        raise Unfit(f'JSON has no {constant}; write "nan", "inf" or "-inf"')

    try:
        return json.loads(word, parse_constant=refuse)
    except json.JSONDecodeError as error:
        place = f"{error.msg} at character {error.pos + 1}"
        raise Unfit(f"{quoted(word)} is not JSON: {place}") from None
    except ValueError:
        raise Unfit(f"{quoted(word)} has a number that is too long") from None
    except RecursionError:
        raise Unfit(f"{quoted(word)} is nested too deeply") from None


def _shown_scalar(kind: str, value: Any) -> str:
    if kind in scalars.FLOATS:
        return scalars.show_float(kind, value)
    return scalars.show_bool(value) if kind == "bool" else str(value)
