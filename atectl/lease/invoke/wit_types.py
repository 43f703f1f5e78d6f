"""The types of a component's function, as far as somebody asks for them, and as text.

A guest chooses them. Written out, each part wherever it occurs, a type may have a million parts,
though its binary is short.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from atectl.lease.invoke import scalars

_TEXT_OF = {*scalars.RANGES, *scalars.FLOATS, "bool", "char", "string"} | {
    "list", "record", "tuple", "option", "result", "variant", "enum", "flags",
}  # fmt: skip

_MOST_PARTS = 20_000
"""How many parts, all together, the types of a function may have that is invoked."""

_NAME_CHARS = 100
"""A name counts for a part more with each so many characters."""

_SHOWN_CHARS = 1_000


class WitType:
    """A type of a component. What it consists of is read once, when it is first asked for.

    Args:
        type_: the same of wasmtime's.

    Attributes:
        kind: the name of a scalar type, or of a type constructor: `u8`, `list`, `own` …
    """

    def __init__(self, type_: Any) -> None:
        self.kind = type(type_).__name__.removesuffix("Type").lower()
        self._type = type_

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of an enum or of flags."""
        return tuple(self._type.names)

    @cached_property
    def parts(self) -> "dict[str, WitType | None]":
        """The types of the fields of a record, or of the payloads of what has cases, by name; those
        of anything else by place."""
        return {name: None if part is None else WitType(part) for name, part in self._parts()}

    @property
    def part(self) -> "WitType":
        """The type in a list or an option."""
        (part,) = filter(None, self.parts.values())
        return part

    def _parts(self) -> "list[tuple[str, Any]]":
        match self.kind:
            case "list":
                return [("0", self._type.element)]
            case "record":
                return list(self._type.fields)
            case "tuple":
                return [(str(place), part) for place, part in enumerate(self._type.elements)]
            case "option":
                return [("none", None), ("some", self._type.payload)]
            case "result":
                return [("ok", self._type.ok), ("err", self._type.err)]
            case "variant":
                return list(self._type.cases)
        return []


class TooManyParts(Exception):
    """The types have more parts than are looked at."""


def without_text(types: "list[WitType]") -> WitType | None:
    """The first of the types whose values cannot be written as text: it has a resource, future or
    stream in it. None if there is none.

    Raises:
        TooManyParts: all together have too many.
    """
    left = _MOST_PARTS
    for type_ in types:
        waiting = [type_]
        while waiting:
            found = waiting.pop()
            if found.kind not in _TEXT_OF:
                return type_
            left -= sum(1 + len(name) // _NAME_CHARS for name in found.parts)
            if left < 0:
                raise TooManyParts
            waiting += filter(None, found.parts.values())
    return None


def spelled(type_: WitType) -> str:
    """The type in WIT, but with the definitions of its parts where WIT would use their names. Of a
    long one the beginning."""
    text = ""
    for piece in _spelled(type_):
        text += piece[: _SHOWN_CHARS + 1]
        if len(text) > _SHOWN_CHARS:
            return f"{text[:_SHOWN_CHARS]}…"
    return text


def _spelled(type_: WitType) -> Iterator[str]:
    match type_.kind:
        case "record" | "variant" as kind:
            yield f"{kind} {{ "
            yield from _listed(type_, "{}: " if kind == "record" else "{}")
            yield " }"
        case "enum" | "flags" as kind:
            yield f"{kind} {{ "
            for place, name in enumerate(type_.names):
                yield f", {name}" if place else name
            yield " }"
        case "result":
            yield from _spelled_result(type_)
        case "own" | "borrow" as kind:
            yield f"{kind}<resource>"
        case kind:
            yield kind
            inside = [part for part in type_.parts.values() if part is not None]
            for place, part in enumerate(inside):
                yield ", " if place else "<"
                yield from _spelled(part)
            if inside:
                yield ">"


def _listed(type_: WitType, before: str) -> Iterator[str]:
    """The fields of a record, or the cases of a variant."""
    for place, (name, part) in enumerate(type_.parts.items()):
        yield ", " if place else ""
        yield before.format(name)
        if part is not None:
            yield from _spelled(part) if type_.kind == "record" else _in_brackets(part)


def _in_brackets(part: WitType) -> Iterator[str]:
    yield "("
    yield from _spelled(part)
    yield ")"


def _spelled_result(type_: WitType) -> Iterator[str]:
    ok, error = type_.parts["ok"], type_.parts["err"]
    yield "result"
    if ok is None and error is None:
        return
    yield "<"
    yield from ("_",) if ok is None else _spelled(ok)
    if error is not None:
        yield ", "
        yield from _spelled(error)
    yield ">"
