"""The names of functions that the engine writes into its message when a guest traps.

It demangles them first. A mangled name refers to what it has said before, so that a hundred bytes
of C++ can stand for gigabytes, which the engine would make in the middle of the run. Here such a
name gets a first letter that no mangled name has: it is shown as it stands. Nothing else changes,
not even the size of the binary.
"""

import re
from collections.abc import Iterator
from math import log2

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader
from atectl.engine.kind import Kind

_CUSTOM, _CORE_MODULES, _COMPONENTS = 0, 1, 4
_NAMES = "name"
_MODULE_NAME, _FUNCTION_NAMES = 0, 1
_UNMANGLED = ord("?")

MOST_CHARACTERS = 256 << 10
"""A name may become so long. A message has twenty of them."""

_REFERENCE = re.compile(rb"S[0-9A-Z]*+_?|T[0-9L]*_")
"""Or what begins like one and is none, as it has no `_` at its end: there is none within it."""
_TO_ITS_CLASS = re.compile(rb"[CD][0-5]")
"""A constructor or destructor: it says the name of its class again."""

_CLOSURE = b"Ul"
"""A class whose name consists of types."""


def with_harmless_names(binary: bytes, kind: Kind) -> bytes:
    """The binary without names that would take the engine much to write. It may be invalid."""
    changed: bytearray | None = None
    for place in _to_hide(binary, kind):
        changed = changed or bytearray(binary)
        changed[place] = _UNMANGLED
    return binary if changed is None else bytes(changed)


def _to_hide(binary: bytes, kind: Kind) -> Iterator[int]:
    """Where what is to be changed begins."""
    waiting = [(Reader(binary, HEADER_BYTES, len(binary)), kind)]
    try:
        while waiting:
            reader, kind = waiting.pop()
            while not reader.is_at_end:
                number, contents = reader.section()
                if number == _CUSTOM:
                    yield from _of_custom(contents)
                elif kind == "component" and number in (_CORE_MODULES, _COMPONENTS):
                    contents.skip(HEADER_BYTES)
                    waiting.append((contents, "module" if number == _CORE_MODULES else kind))
    except MalformedBinary:
        return  # the engine rejects it


def _of_custom(section: Reader) -> Iterator[int]:
    if section.name() != _NAMES:
        return
    its_name = section.position - len(_NAMES)
    names = Reader(section.data, section.position, section.end)
    try:
        for place, size in _in(names):
            if size > MOST_CHARACTERS:
                yield its_name  # there is nothing shorter to show
                return
            if _is_large(section.data[place : place + size]):
                yield place
    except MalformedBinary:
        yield its_name


def _in(names: Reader) -> Iterator[tuple[int, int]]:
    """Where each name of a module or function is, and its size."""
    while not names.is_at_end:
        number, part = names.section()
        if number == _MODULE_NAME:
            yield _pass_name(part)
        elif number == _FUNCTION_NAMES:
            for _ in part.entries():
                part.number()
                yield _pass_name(part)


def _pass_name(part: Reader) -> tuple[int, int]:
    size = part.number()
    place = part.position
    part.skip(size)
    return place, size


def _is_large(name: bytes) -> bool:
    """Whether a name may become too long, if every reference in it is to as much as it can be.

    One to what was said (`S…`) is at most to all that was said when it was first made. One to an
    argument (`T…`) may be to one that is told later, and has such references itself; but none can
    lead back to itself.
    """
    total = arguments = since = 0
    meant: dict[bytes, tuple[int, int]] = {}
    distinct: set[bytes] = set()
    for match in _REFERENCE.finditer(name):
        if not match[0].endswith(b"_"):
            continue
        total, since = total + match.start() - since, match.start()
        reference = match[0]
        if reference.startswith(b"T"):
            distinct.add(reference)
            arguments += 1
            continue
        more, more_arguments = meant.setdefault(reference, (total, arguments))
        total, arguments = total + more, arguments + more_arguments
        if total > MOST_CHARACTERS:
            return True
    total += len(name) - since
    if _CLOSURE in name:
        total <<= min(len(_TO_ITS_CLASS.findall(name)), MOST_CHARACTERS.bit_length())
    if not distinct:
        return total > MOST_CHARACTERS
    doublings = len(distinct) * log2(1 + arguments / len(distinct))
    return log2(total) + doublings > log2(MOST_CHARACTERS)
