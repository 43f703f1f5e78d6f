"""The types of components as text, and their values from and to JSON.

A list or tuple is an array, a record an object, flags an array of names, an option `null` or
its value, a variant `"tag"` or `{"tag": payload}`, a result `{"ok": value}` or `{"err": value}`.
An option of an option is `null` or `{"some": value}`: otherwise its two empty forms would look the
same. JSON has no `nan`, `inf` and `-inf`: they are strings.
"""

from typing import TYPE_CHECKING, Any

from atectl.engine.bindings import is_tagged
from atectl.lease.invoke import scalars
from atectl.lease.invoke.scalars import RANGES, Unfit, shortened

if TYPE_CHECKING:
    from wasmtime.component import ValType

    Cases = list[tuple[str, ValType | None]]

_KINDS = {*RANGES, *scalars.FLOATS, "bool", "char", "string"} | {
    "list", "record", "tuple", "option", "result", "variant", "enum", "flags",
}  # fmt: skip
_NOT_FINITE = ("nan", "inf", "-inf")


def kind_of(type_: "ValType") -> str:
    """The name of a scalar type, or of a type constructor: `u8`, `list`, `own` …"""
    return type(type_).__name__.removesuffix("Type").lower()


def cases_of(type_: Any) -> "Cases":
    """The cases of a variant, result or option: each its name and the type of its payload."""
    match kind_of(type_):
        case "option":
            return [("none", None), ("some", type_.payload)]
        case "result":
            return [("ok", type_.ok), ("err", type_.err)]
    return list(type_.cases)


def parts_of(type_: Any) -> "list[ValType]":
    """The types that `type_` directly consists of."""
    match kind_of(type_):
        case "list":
            return [type_.element]
        case "record":
            return [part for _, part in type_.fields]
        case "tuple":
            return list(type_.elements)
        case "option" | "result" | "variant":
            return [part for _, part in cases_of(type_) if part is not None]
    return []


def has_text(type_: "ValType") -> bool:
    """Whether values of the type can be written as text: it has no resource, future or stream."""
    return kind_of(type_) in _KINDS and all(map(has_text, parts_of(type_)))


def spelled(type_: Any) -> str:
    """The type in WIT, but with the definitions of its parts where WIT would use their names."""
    match kind_of(type_):
        case "record":
            fields = [f"{name}: {spelled(part)}" for name, part in type_.fields]
            return f"record {{ {', '.join(fields)} }}"
        case "variant":
            cases = [
                name if part is None else f"{name}({spelled(part)})" for name, part in type_.cases
            ]
            return f"variant {{ {', '.join(cases)} }}"
        case "enum" | "flags" as kind:
            return f"{kind} {{ {', '.join(type_.names)} }}"
        case "result":
            return _spelled_result(type_.ok, type_.err)
        case "own" | "borrow" as kind:
            return f"{kind}<resource>"
        case kind:
            parts = ", ".join(map(spelled, parts_of(type_)))
            return f"{kind}<{parts}>" if parts else kind


def _spelled_result(ok: "ValType | None", err: "ValType | None") -> str:
    if err is None:
        return "result" if ok is None else f"result<{spelled(ok)}>"
    return f"result<{'_' if ok is None else spelled(ok)}, {spelled(err)}>"


def from_json(type_: Any, value: Any, path: str = "") -> Any:
    """The value for wasmtime from JSON; raises `Unfit`. `path` is where it is in its word."""
    match kind_of(type_):
        case "bool":
            return _typed(value, bool, "true or false", path)
        case "f32" | "f64" as kind:
            return _float(kind, value, path)
        case "char":
            return scalars.checked_char(_typed(value, str, "a string", path), path)
        case "string":
            return scalars.checked_text(_typed(value, str, "a string", path), path)
        case "enum":
            return checked_name(type_, value, path)
        case "list":
            return _list(type_, _typed(value, list, "an array", path), path)
        case "tuple":
            return _tuple(type_, _typed(value, list, "an array", path), path)
        case "record":
            return _record(type_, _typed(value, dict, "an object", path), path)
        case "flags":
            names = _typed(value, list, "an array of names", path)
            return {checked_name(type_, name, f"{path}[{i}]") for i, name in enumerate(names)}
        case "option":
            return _option(type_, value, path)
        case "result" | "variant":
            return _case(type_, value, path)
        case kind:
            return scalars.in_range(kind, _typed(value, int, "a whole number", path), path)


def checked_name(type_: Any, name: object, path: str = "") -> str:
    """`name` if it is one of an enum or of flags; raises `Unfit`."""
    if not isinstance(name, str) or name not in type_.names:
        raise Unfit(f"{_shown(name)} is none of {', '.join(type_.names)}", path)
    return name


def _shown(value: object) -> str:
    import json

    return shortened(json.dumps(value, ensure_ascii=False))


def _typed(value: Any, class_: type, wanted: str, path: str) -> Any:
    # Exactly that class, since Python's booleans are integers as well.
    if type(value) is not class_:
        raise Unfit(f"{_shown(value)} is not {wanted}", path)
    return value


def _float(kind: str, value: Any, path: str) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return float(value)
    if type(value) is not int and type(value) is not float:
        raise Unfit(f"{_shown(value)} is not a number", path)
    return scalars.fitting_float(kind, value, path)


def _list(type_: Any, values: list[Any], path: str) -> list[Any] | bytes:
    element = type_.element
    made = [from_json(element, value, f"{path}[{i}]") for i, value in enumerate(values)]
    return bytes(made) if kind_of(element) == "u8" else made


def _tuple(type_: Any, values: list[Any], path: str) -> tuple[Any, ...]:
    elements = type_.elements
    if len(values) != len(elements):
        raise Unfit(f"it has {len(values)} elements, not {len(elements)}", path)
    pairs = zip(elements, values, strict=True)
    return tuple(from_json(part, value, f"{path}[{i}]") for i, (part, value) in enumerate(pairs))


def _record(type_: Any, values: dict[str, Any], path: str) -> Any:
    from wasmtime.component import Record

    fields = dict(type_.fields)
    for name in values:
        if name not in fields:
            raise Unfit(f"there is no field {_shown(name)}", path)
    record = Record()
    for name, part in fields.items():
        if name not in values:
            raise Unfit(f"the field {name} is missing", path)
        setattr(record, name, from_json(part, values[name], f"{path}.{name}"))
    return record


def _is_nested(option: Any) -> bool:
    return kind_of(option.payload) == "option"


def _option(type_: Any, value: Any, path: str) -> Any:
    if value is None:
        return _of_case(type_, "none", None, path)
    if _is_nested(type_):
        if not isinstance(value, dict) or list(value) != ["some"]:
            raise Unfit(f'{_shown(value)} is neither null nor {{"some": …}}', path)
        value, path = value["some"], f"{path}.some"
    return _of_case(type_, "some", from_json(type_.payload, value, path), path)


def _case(type_: Any, value: Any, path: str) -> Any:
    cases = dict(cases_of(type_))
    if isinstance(value, str):
        tag, has_payload, payload = value, False, None
    elif isinstance(value, dict) and len(value) == 1:
        ((tag, payload),) = value.items()
        has_payload = True
    else:
        raise Unfit(f'{_shown(value)} is neither "tag" nor {{"tag": payload}}', path)
    if tag not in cases:
        raise Unfit(f"{_shown(tag)} is none of {', '.join(cases)}", path)
    part = cases[tag]
    if part is None:
        if payload is not None:
            raise Unfit(f"{tag} has no payload", path)
        return _of_case(type_, tag, None, path)
    if not has_payload:
        raise Unfit(f"{tag} has a payload, {spelled(part)}", path)
    return _of_case(type_, tag, from_json(part, payload, f"{path}.{tag}"), path)


def _of_case(type_: Any, tag: str, payload: Any, path: str) -> Any:
    """The value for wasmtime of one case: a `Variant`, or the payload if its class is enough."""
    if is_tagged(type_):
        from wasmtime.component import Variant

        return Variant(tag, payload)
    taken = next(
        name
        for name, part in cases_of(type_)
        if (payload is None if part is None else isinstance(payload, _classes(part)))
    )
    if taken != tag:
        raise Unfit(f"the engine would mistake the case {tag} for {taken}", path)
    return payload


def _classes(type_: "ValType") -> tuple[type, ...]:
    """The Python classes of the values that wasmtime makes from the type; `object` for None."""
    classes: set[type] = set()
    type_.add_classes(classes)
    return tuple(classes)


def to_json(type_: Any, value: Any) -> Any:
    """The JSON of a value that wasmtime returned; `from_json` is its inverse."""
    match kind_of(type_):
        case "f32" | "f64" as kind:
            shown = scalars.show_float(kind, value)
            return shown if shown in _NOT_FINITE else float(shown)
        case "list":
            element = type_.element
            return [to_json(element, each) for each in value]
        case "tuple":
            pairs = zip(type_.elements, value, strict=True)
            return [to_json(part, each) for part, each in pairs]
        case "record":
            return {name: to_json(part, getattr(value, name)) for name, part in type_.fields}
        case "flags":
            return [name for name in type_.names if name in value]
        case "option" | "result" | "variant":
            return _case_to_json(type_, value)
    return value


def _case_to_json(type_: Any, value: Any) -> Any:
    tag, payload = _tag_and_payload(type_, value)
    part = dict(cases_of(type_))[tag]
    shown = None if part is None else to_json(part, payload)
    kind = kind_of(type_)
    if kind == "option":
        return {"some": shown} if tag == "some" and _is_nested(type_) else shown
    return tag if kind == "variant" and part is None else {tag: shown}


def _tag_and_payload(type_: Any, value: Any) -> tuple[str, Any]:
    if is_tagged(type_):
        return value.tag, value.payload
    class_ = object if value is None else type(value)
    tag = next(
        name
        for name, part in cases_of(type_)
        if class_ in ((object,) if part is None else _classes(part))
    )
    return tag, value
