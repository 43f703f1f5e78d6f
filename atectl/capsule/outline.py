"""The outline of a WebAssembly binary: its kind, whether it is complete, and what it creates.

Little more than the heads of its sections is read; only the engine can say whether it is valid. The
formats are those of the core specification 3.0 and of the component model.
"""

from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MAGIC, EndOfBinary, Reader, kind_of
from atectl.capsule.creation import ONE_INSTANCE, Creation
from atectl.capsule.module_state import module_state
from atectl.engine.kind import Kind

MAX_INSTANCES = 10_000
"""The most instances that a component may make. By wasmtime's default a store holds no more.

The engine lays out each of them when it compiles, in some 350 bytes.
"""

MUCH_SEGMENTS, MUCH_BYTES = 32, 64 << 10
"""From so many data segments on, or so many bytes of data, images of memories save more time and
memory than making them takes."""

_LEAST_COMPONENT_BYTES = 16 << 10
"""A smaller component is not looked through for data."""

_FUNCTIONS, _START, _CODE, _DATA, _DATA_COUNT = 3, 8, 10, 11, 12
_TYPES, _IMPORTS = 1, 2
_CUSTOM, _CORE_TYPES, _ALIASES, _COMPONENT_TYPES, _COMPONENT_IMPORTS = 0, 3, 6, 7, 10


class Outline(NamedTuple):
    """What the sections of a binary say."""

    kind: Kind
    is_truncated: bool
    """Whether the file ends before its sections do."""
    creates: Creation = ONE_INSTANCE
    """What one instantiation creates at most."""
    has_start: bool = False
    """Whether it is a core module with a start function, which runs when it is instantiated."""


def outline(binary: bytes) -> Outline:
    """The outline of `binary`, which begins with `MAGIC` or is cut off within the 8-byte header.

    Raises:
        MalformedBinary: its version is unknown, or a section holds less than it declares.
    """
    if 0 < len(binary) < HEADER_BYTES and MAGIC.startswith(binary[:4]):
        return Outline("module", True)
    kind = kind_of(binary)
    if not _holds_its_sections(Reader(binary, HEADER_BYTES, len(binary))):
        return Outline(kind, True)
    reader = Reader(binary, HEADER_BYTES, len(binary))
    if kind == "component":
        # Most capsules are modules, and should not pay for this import.
        from atectl.capsule.composition import composition

        return Outline(kind, False, composition(reader))
    counts = _module_counts(reader)
    creates = Creation(1, *module_state(Reader(binary, HEADER_BYTES, len(binary))))
    return Outline(kind, _lacks_bodies(counts), creates, _START in counts)


def imports_alone(binary: bytes, kind: Kind) -> bytes | None:
    """A binary that has only the imports of `binary`; None if it imports nothing.

    Of a component only the part before its first definition is taken, where its imports are. If
    an import needs a type that is left out so, the engine refuses the result.

    Raises:
        MalformedBinary: `binary` does not hold its sections.
    """
    if kind == "module":
        wanted, imports = {_TYPES, _IMPORTS}, _IMPORTS
    else:
        wanted = {_CORE_TYPES, _ALIASES, _COMPONENT_TYPES, _COMPONENT_IMPORTS}
        imports = _COMPONENT_IMPORTS
    reader = Reader(binary, HEADER_BYTES, len(binary))
    parts, has_imports = [binary[:HEADER_BYTES]], False
    while not reader.is_at_end:
        start = reader.position
        number, _ = reader.section()
        if number in wanted:
            parts.append(binary[start : reader.position])
            has_imports |= number == imports
        elif kind == "component" and number != _CUSTOM:
            break
    return b"".join(parts) if has_imports else None


def may_have_images(binary: bytes, kind: Kind) -> bool:
    """Whether the data of a binary is worth a closer look: see `atectl.capsule.initial_content`.

    Most small capsules have little data, and should not pay for more.
    """
    if kind == "component":
        return len(binary) >= _LEAST_COMPONENT_BYTES
    reader = Reader(binary, HEADER_BYTES, len(binary))
    while not reader.is_at_end:
        number, contents = reader.section()
        if number == _DATA:
            return is_much_data(contents)
    return False


def is_much_data(data: Reader) -> bool:
    """Whether a data section, at whose contents `data` is, is worth being made an image of."""
    count = data.at(data.position).number()
    return count >= MUCH_SEGMENTS or data.end - data.position >= MUCH_BYTES


def _holds_its_sections(reader: Reader) -> bool:
    try:
        while not reader.is_at_end:
            reader.section()
    except EndOfBinary:
        return False
    return True


def _module_counts(reader: Reader) -> dict[int, int]:
    """The sections of a core module, with the number of entries where it matters here."""
    counts: dict[int, int] = {}
    while not reader.is_at_end:
        number, contents = reader.section()
        is_counted = number in (_FUNCTIONS, _DATA_COUNT)
        counts[number] = contents.number() if is_counted else 0
    return counts


def _lacks_bodies(counts: dict[int, int]) -> bool:
    """Whether functions or data are declared whose section is missing."""
    return bool(
        (counts.get(_FUNCTIONS) and _CODE not in counts)
        or (counts.get(_DATA_COUNT) and _DATA not in counts)
    )
