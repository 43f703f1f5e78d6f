"""The type of the entry point of a core module, read from its sections before it is compiled.

Only what commands are made of is understood: function types of plain values. Whatever else a
module has in its types or imports, the engine judges later.
"""

from typing import NamedTuple

from atectl.capsule.binary import Reader

_TYPES, _IMPORTS, _FUNCTIONS = 1, 2, 3
_FUNC = 0x60
_VALUES = frozenset((0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F))
"""Numbers, vectors, and references to functions and to what the host passes."""

_FUNCTION, _TABLE, _MEMORY, _GLOBAL = range(4)
_REFERENCES = frozenset((0x70, 0x6F))
_HAS_MAXIMUM, _PLAIN_LIMITS = 1, 7


class Arity(NamedTuple):
    """How many values a function takes and returns."""

    parameters: int
    results: int


class _NotPlain(Exception):
    """There is something that is not understood here."""


def arity_of(module: Reader, index: int) -> Arity | None:
    """The arity of the function at `index`; None where that is not told in a plain way.

    Args:
        module: at its first section.

    Raises:
        MalformedBinary: it does not follow the format.
    """
    types: list[Arity] = []
    imported: list[int] = []
    functions: Reader | None = None
    try:
        while not module.is_at_end:
            number, contents = module.section()
            if number == _TYPES:
                types = [_function_type(contents) for _ in contents.entries()]
            elif number == _IMPORTS:
                found = [_imported_function(contents) for _ in contents.entries()]
                imported = [type_ for type_ in found if type_ is not None]
            elif number == _FUNCTIONS:
                functions = contents
                break
        if index < len(imported):
            return types[imported[index]]
        return None if functions is None else types[_type_at(functions, index, imported)]
    except (_NotPlain, IndexError):
        return None


def _type_at(functions: Reader, index: int, imported: list[int]) -> int:
    """The type of a function that is not imported, from the function section."""
    for place, _ in enumerate(functions.entries(), start=len(imported)):
        type_ = functions.number()
        if place == index:
            return type_
    raise _NotPlain


def _function_type(contents: Reader) -> Arity:
    if contents.byte() != _FUNC:
        raise _NotPlain
    return Arity(_values(contents), _values(contents))


def _values(contents: Reader) -> int:
    count = contents.number()
    for _ in range(count):
        if contents.byte() not in _VALUES:
            raise _NotPlain
    return count


def _imported_function(contents: Reader) -> int | None:
    """The type of an import that is a function; None for another one."""
    contents.name()
    contents.name()
    kind = contents.byte()
    if kind == _FUNCTION:
        return contents.number()
    if (kind == _TABLE and contents.byte() in _REFERENCES) or kind == _MEMORY:
        _pass_limits(contents)
    elif kind == _GLOBAL and contents.byte() in _VALUES:
        contents.byte()
    else:
        raise _NotPlain
    return None


def _pass_limits(contents: Reader) -> None:
    flags = contents.byte()
    if flags > _PLAIN_LIMITS:
        raise _NotPlain
    contents.long_number()
    if flags & _HAS_MAXIMUM:
        contents.long_number()
