"""What custom sections tell of a binary: names, the tools that made it, what it was made for.

The sections are `name` of the core specification's appendix, and `producers` and
`target_features` of the tool conventions.
"""

from typing import NamedTuple

from atectl.capsule.binary import MalformedBinary, Reader

MAX_PRODUCERS = 100
"""How many tools and features are kept."""

_MODULE_NAME, _FUNCTION_NAMES = 0, 1


class Names(NamedTuple):
    """The `name` section. A name is as it is written; make it inert before it is shown."""

    module: str | None
    """What the module calls itself, if it does."""
    functions: int
    """How many of its functions have names."""
    start: str | None
    """The name of the start function, if it has one and that has a name."""


class Producer(NamedTuple):
    """One tool that had a part in making the binary."""

    field: str
    """`language`, `processed-by` or `sdk`."""
    name: str
    """What it is called."""
    version: str
    """Empty where none is said."""


NO_NAMES = Names(None, 0, None)


def read_names(reader: Reader, start: int | None) -> Names:
    """A `name` section, from behind its own name.

    Args:
        start: the index of the start function, if there is one.
    """
    module, functions, start_name = NO_NAMES
    while not reader.is_at_end:
        reader.count_item()
        number = reader.byte()
        part = reader.take(reader.number())
        if number == _MODULE_NAME:
            module = part.name()
        elif number == _FUNCTION_NAMES:
            functions = part.number()
            start_name = None if start is None else _name_of(part, functions, start)
    return Names(module, functions, start_name)


def read_component_name(reader: Reader) -> str | None:
    """What a component calls itself in a `component-name` section, from behind its own name."""
    while not reader.is_at_end:
        reader.count_item()
        number = reader.byte()
        part = reader.take(reader.number())
        if number == _MODULE_NAME:
            return part.name()
    return None


def _name_of(reader: Reader, count: int, wanted: int) -> str | None:
    """The name of function `wanted` in a list that is in order of indices."""
    for _ in range(count):
        reader.count_item()
        index = reader.number()
        if index == wanted:
            return reader.name()
        if index > wanted:
            return None
        reader.skip(reader.number())
    return None


def read_producers(reader: Reader) -> tuple[Producer, ...]:
    """A `producers` section, from behind its own name."""
    found: list[Producer] = []
    for _ in reader.entries():
        field = reader.name()
        for _ in reader.entries():
            name = reader.name()
            version = reader.name()
            if len(found) < MAX_PRODUCERS:
                found.append(Producer(field, name, version))
    return tuple(found)


def read_target_features(reader: Reader) -> tuple[str, ...]:
    """A `target_features` section, from behind its own name: those that the code may use.

    Raises:
        MalformedBinary: a feature is neither used nor ruled out.
    """
    found: list[str] = []
    for _ in reader.entries():
        prefix = reader.byte()
        name = reader.name()
        if prefix not in (0x2B, 0x2D, 0x3D):  # + - =
            raise MalformedBinary(f"unknown prefix at offset {reader.position:#x}")
        if prefix != 0x2D and len(found) < MAX_PRODUCERS:
            found.append(name)
    return tuple(found)
