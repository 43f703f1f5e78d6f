"""Records as JSON: the one way in which results leave atectl for programs.

The annotations of a record say how each field is written; they are looked at once for each type.
Members of an enumeration are written as their values, paths as text, times in RFC 3339 UTC, tuples
as lists, and records as objects, in the order of their fields. Sizes are whole numbers of bytes.
What is unknown or unlimited is None in a record, and null in JSON.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from atectl.records.types import Mark, Record, Without, is_record
from atectl.units import MOMENT, STORED, rfc3339

SCHEMA_VERSION = 1
"""Of every document. It is raised when something is taken away from one, not when it is added."""

Encode = Callable[[Any], Any]

_AS_THEY_ARE = (str, int, bool, NoneType)

_DECIMALS = 6
"""Of every number with a fraction: nothing is measured to less than a microsecond."""


def document(record: Record) -> dict[str, Any]:
    """A whole document: the fields of `record` behind the version of the schema."""
    return {"schema_version": SCHEMA_VERSION, **as_json(record)}


def as_json(record: Record) -> dict[str, Any]:
    """The fields of a record, as JSON has them."""
    return _object(type(record), frozenset())(record)  # type: ignore[no-any-return]


@cache
def _object(kind: type[Any], left_out: frozenset[str]) -> Encode:
    """The encoder of a record."""
    names: tuple[str, ...] = kind._fields
    hints = get_type_hints(kind, include_extras=True)
    encoders = {name: _encoder(hints[name]) for name in names}
    changed = [(name, change) for name, change in encoders.items() if change is not None]
    inlined = frozenset(name for name in names if is_inline(hints[name]))

    def encode(record: Any) -> dict[str, Any]:
        found = dict(zip(names, record, strict=True))
        for name, change in changed:
            found[name] = change(found[name])
        for name in left_out:
            del found[name]
        return _spread(found, inlined) if inlined else found

    return encode


def _spread(found: dict[str, Any], inlined: frozenset[str]) -> dict[str, Any]:
    """The fields with those of each inlined record in its place."""
    spread: dict[str, Any] = {}
    for name, value in found.items():
        if name in inlined:
            spread.update(value)
        else:
            spread[name] = value
    return spread


def is_inline(annotation: Any) -> bool:
    """Whether the fields of this one stand in its place."""
    return Mark.INLINE in getattr(annotation, "__metadata__", ())


def _encoder(annotation: Any) -> Encode | None:
    """How a value of this type becomes JSON; None if it is JSON as it is.

    Raises:
        TypeError: there is no JSON for this type.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _marked(inner[0], annotation.__metadata__)
    if origin in (Union, UnionType):
        return _either([each for each in inner if each is not NoneType])
    if origin is Literal:
        return None
    if origin is tuple:
        return _list(inner)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_encoder(inner[1]))
    if is_record(annotation):
        return _object(annotation, frozenset())
    if annotation is float:
        return _rounded
    if annotation in _AS_THEY_ARE:
        return None
    if issubclass(annotation, Enum):
        return lambda value: value.value
    if issubclass(annotation, Path):
        return str
    if issubclass(annotation, str):
        return None
    raise TypeError(f"there is no JSON for {annotation}")


def _rounded(value: float) -> float:
    return round(value, _DECIMALS)


def _marked(base: Any, marks: tuple[Any, ...]) -> Encode | None:
    if MOMENT in marks:
        return rfc3339
    if STORED in marks:
        return lambda value: _rounded(value) if isfinite(value) else None
    if Mark.EMPTY_IS_UNKNOWN in marks:
        return lambda value: value or None
    for mark in marks:
        if isinstance(mark, Without):
            return _object(base, mark.names)
    return _encoder(base)


def _either(kinds: list[Any]) -> Encode | None:
    """The encoder of a value of one of these types, or None."""
    if len(kinds) > 1 and all(map(is_record, kinds)):
        return lambda value: None if value is None else as_json(value)
    encoders = [encode for kind in kinds if (encode := _encoder(kind)) is not None]
    if not encoders:
        return None
    if len(kinds) > 1:
        raise TypeError(f"JSON cannot tell {kinds} apart")
    [encode] = encoders
    return lambda value: None if value is None else encode(value)


def _list(inner: tuple[Any, ...]) -> Encode:
    kind, *rest = inner
    if rest != [...]:
        raise TypeError("a tuple of JSON is of one type, and as long as it may be")
    encode = _encoder(kind)
    if encode is None:
        return list
    return lambda value: [encode(each) for each in value]


def _mapping(encode: Encode | None) -> Encode:
    if encode is None:
        return dict
    return lambda value: {name: encode(each) for name, each in value.items()}
