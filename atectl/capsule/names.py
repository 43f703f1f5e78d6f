"""What custom sections tell about a binary: names, the tools that made it, what it was made for.

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
    """The name that the module gives itself, if any."""
    functions: int
    """How many of its functions have names."""
    start: str | None
    """The name of the start function, if there is one and it has a name."""


class Producer(NamedTuple):
    """One tool that had a part in making the binary."""

    field: str
    """`language`, `processed-by` or `sdk`."""
    name: str
    """Its name."""
    version: str
    """Its version; empty if not given."""


NO_NAMES = Names(None, 0, None)


def read_names(reader: Reader, start: int | None) -> Names:
    """Read a `name` section, whose own name was read before.

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
    """The component's name in a `component-name` section, whose own name was read before."""
    while not reader.is_at_end:
        reader.count_item()
        number = reader.byte()
        part = reader.take(reader.number())
        if number == _MODULE_NAME:
            return part.name()
    return None


def _name_of(reader: Reader, count: int, wanted: int) -> str | None:
    """The name of function `wanted` in a list sorted by index."""
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
    """Read a `producers` section, whose own name was read before."""
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
    """The features that the code may use, of a `target_features` section after its own name.

    Raises:
        MalformedBinary: a feature is marked neither as used nor as not used.
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
