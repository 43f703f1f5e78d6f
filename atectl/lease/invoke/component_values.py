"""The types of components as text, and their values from and to JSON.

A list or tuple is an array, a record an object, flags an array of names, an option `null` or
its value, a variant `"tag"` or `{"tag": payload}`, a result `{"ok": value}` or `{"err": value}`.
An option of an option is `null` or `{"some": value}`: otherwise its two empty forms would look the
same. JSON has no `nan`, `inf` and `-inf`: they are strings.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from atectl.engine.component_calls import F32, Argument, Case
from atectl.lease.invoke import scalars
from atectl.lease.invoke.scalars import Unfit, shortened
from atectl.lease.invoke.wit_types import WitType, spelled

_NOT_FINITE = ("nan", "inf", "-inf")
_MOST_NAMES = 100


def from_json(type_: WitType, value: Any, path: str = "") -> Argument:
    """The value for the engine from JSON; raises `Unfit`. `path` is where it is in its word."""
    return Argument(type_.kind, _content(type_, value, path))


def _content(type_: WitType, value: Any, path: str) -> Any:
    match type_.kind:
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
            checked = (checked_name(type_, name, f"{path}[{i}]") for i, name in enumerate(names))
            return list(dict.fromkeys(checked))
        case "option":
            return _option(type_, value, path)
        case "result" | "variant":
            return _case(type_, value, path)
        case kind:
            return scalars.in_range(kind, _typed(value, int, "a whole number", path), path)


def checked_name(type_: WitType, name: object, path: str = "") -> str:
    """`name` if it is one of an enum or of flags; raises `Unfit`."""
    if not isinstance(name, str) or name not in type_.names:
        raise Unfit(f"{_shown(name)} is none of {_listed(type_.names)}", path)
    return name


def _listed(names: Iterable[str]) -> str:
    each = iter(names)
    first = [shortened(name) for name in islice(each, _MOST_NAMES)]
    return ", ".join(first) + ("" if next(each, None) is None else " …")


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


def _list(type_: WitType, values: list[Any], path: str) -> list[Argument]:
    part = type_.part
    return [from_json(part, value, f"{path}[{i}]") for i, value in enumerate(values)]


def _tuple(type_: WitType, values: list[Any], path: str) -> list[Argument]:
    parts = [part for part in type_.parts.values() if part is not None]
    if len(values) != len(parts):
        raise Unfit(f"it has {len(values)} elements, not {len(parts)}", path)
    pairs = zip(parts, values, strict=True)
    return [from_json(part, value, f"{path}[{i}]") for i, (part, value) in enumerate(pairs)]


def _record(type_: WitType, values: dict[str, Any], path: str) -> list[tuple[str, Argument]]:
    for name in values:
        if name not in type_.parts:
            raise Unfit(f"there is no field {_shown(name)}", path)
    fields = []
    for name, part in type_.parts.items():
        if name not in values:
            raise Unfit(f"the field {shortened(name)} is missing", path)
        assert part is not None  # noqa: S101 - fields have types
        fields.append((name, from_json(part, values[name], f"{path}.{name}")))
    return fields


def _option(type_: WitType, value: Any, path: str) -> Argument | None:
    if value is None:
        return None
    if type_.part.kind == "option":
        if not isinstance(value, dict) or list(value) != ["some"]:
            raise Unfit(f'{_shown(value)} is neither null nor {{"some": …}}', path)
        value, path = value["some"], f"{path}.some"
    return from_json(type_.part, value, path)


def _case(type_: WitType, value: Any, path: str) -> tuple[str, Argument | None]:
    if isinstance(value, str):
        tag, has_payload, payload = value, False, None
    elif isinstance(value, dict) and len(value) == 1:
        ((tag, payload),) = value.items()
        has_payload = True
    else:
        raise Unfit(f'{_shown(value)} is neither "tag" nor {{"tag": payload}}', path)
    if tag not in type_.parts:
        raise Unfit(f"{_shown(tag)} is none of {_listed(type_.parts)}", path)
    part = type_.parts[tag]
    if part is None:
        if payload is not None:
            raise Unfit(f"{tag} has no payload", path)
        return tag, None
    if not has_payload:
        raise Unfit(f"{tag} has a payload, {spelled(part)}", path)
    return tag, from_json(part, payload, f"{path}.{tag}")


def to_json(value: Any) -> Any:
    """The JSON of a value that a component returned; `from_json` is its inverse."""
    match value:
        case float():
            shown = scalars.show_float(float_kind(value), value)
            return shown if shown in _NOT_FINITE else float(shown)
        case Case():
            return _case_to_json(value)
        case list():
            return [to_json(each) for each in value]
        case dict():
            return {name: to_json(each) for name, each in value.items()}
    return value


def float_kind(value: float) -> str:
    """Which of the two kinds of float a component returned."""
    return "f32" if isinstance(value, F32) else "f64"


def _case_to_json(case: Case) -> Any:
    payload = case.payload
    shown = to_json(payload) if case.has_payload else None
    if case.kind == "option":
        is_nested = isinstance(payload, Case) and payload.kind == "option"
        return {"some": shown} if is_nested else shown
    return case.name if case.kind == "variant" and not case.has_payload else {case.name: shown}
