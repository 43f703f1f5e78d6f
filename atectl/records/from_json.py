"""Records read back from the JSON that `as_json` made of them, by the same annotations.

For what another process of ours wrote. It is not taken at its word: what does not fit the
annotations is refused.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from atectl.records.types import is_record

Decode = Callable[[Any], Any]

_PLAIN = {str: (str,), int: (int,), bool: (bool,), float: (int, float)}


class NotOfThisKind(Exception):
    """The JSON does not describe a record of this type."""


def from_json(kind: type[Any], value: Any) -> Any:
    """Read a record of type `kind` from its JSON. Keys that it has no field for are ignored.

    Raises:
        NotOfThisKind: the JSON does not describe one.
        TypeError: records of this kind cannot be read back.
    """
    return _decoder(kind)(value)  # type: ignore[arg-type]


@cache
def _decoder(annotation: Any) -> Decode:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _decoder(inner[0])
    if origin in (Union, UnionType):
        [kind] = (each for each in inner if each is not NoneType)
        decode = _decoder(kind)
        return lambda value: None if value is None else decode(value)
    if origin is Literal:
        return lambda value: _checked(value, value in inner)
    if origin is tuple:
        return _list(_decoder(inner[0]))
    if is_record(annotation):
        return _record(annotation)
    kinds = _PLAIN[annotation]
    return lambda value: _checked(value, type(value) in kinds)


def _list(decode: Decode) -> Decode:
    def read(value: Any) -> Any:
        _checked(value, isinstance(value, list))
        return tuple(decode(each) for each in value)

    return read


def _record(kind: Any) -> Decode:
    hints = get_type_hints(kind, include_extras=True)
    decoders = [(name, _decoder(hints[name])) for name in kind._fields]

    def read(value: Any) -> Any:
        _checked(value, isinstance(value, Mapping))
        try:
            return kind(*(decode(value[name]) for name, decode in decoders))
        except KeyError as missing:
            raise NotOfThisKind(f"{missing} is missing") from None

    return read


def _checked(value: Any, is_so: bool) -> Any:
    if not is_so:
        raise NotOfThisKind(f"{str(value)[:40]!r} is of another type")
    return value
