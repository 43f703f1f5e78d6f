"""The outline of a WebAssembly binary: its kind, whether it is whole, how many tables it can make.

Only what the sections say on their face is read; whether the binary is valid is the engine's
to judge. The formats are those of the core specification 3.0 and of the component model.
"""

from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MAGIC, EndOfBinary, Reader, kind_of
from atectl.engine.kind import Kind

MAX_TABLE_BOUND = 10_000
"""Where `table_bound` ends; a store holds no more tables than this by wasmtime's own default."""

_FUNCTIONS, _TABLES, _CODE, _DATA, _DATA_COUNT = 3, 4, 10, 11, 12
_CORE_MODULE, _CORE_INSTANCES, _COMPONENT, _INSTANCES = 1, 2, 4, 5
_CORE_SORT = 0


class Outline(NamedTuple):
    """What the sections of a binary say."""

    kind: Kind
    is_truncated: bool
    """The file ends before what its sections announce."""
    table_bound: int
    """How many tables one instantiation can create at most, 0 to `MAX_TABLE_BOUND`.

    A component that passes components to one another as arguments may exceed it.
    """


def outline(binary: bytes) -> Outline:
    """The outline of `binary`, which begins with `MAGIC` or is a part of the 8-byte header.

    Raises:
        MalformedBinary: it is of no known version, or what its sections announce is not there.
    """
    if 0 < len(binary) < HEADER_BYTES and MAGIC.startswith(binary[:4]):
        return Outline("module", True, 0)
    kind = kind_of(binary)
    if not _holds_its_sections(Reader(binary, HEADER_BYTES, len(binary))):
        return Outline(kind, True, 0)
    reader = Reader(binary, HEADER_BYTES, len(binary))
    if kind == "component":
        return Outline(kind, False, min(_component_tables(reader), MAX_TABLE_BOUND))
    counts = _module_counts(reader)
    return Outline(kind, _lacks_bodies(counts), min(counts.get(_TABLES, 0), MAX_TABLE_BOUND))


def _holds_its_sections(reader: Reader) -> bool:
    try:
        while not reader.is_at_end:
            reader.section()
    except EndOfBinary:
        return False
    return True


def _module_counts(reader: Reader) -> dict[int, int]:
    """The sections of a core module; for those that matter here, how many entries each has."""
    counts: dict[int, int] = {}
    while not reader.is_at_end:
        number, contents = reader.section()
        is_counted = number in (_FUNCTIONS, _TABLES, _DATA_COUNT)
        counts[number] = contents.number() if is_counted else 0
    return counts


def _lacks_bodies(counts: dict[int, int]) -> bool:
    """Whether functions or data are announced whose bodies should have followed."""
    return bool(
        (counts.get(_FUNCTIONS) and _CODE not in counts)
        or (counts.get(_DATA_COUNT) and _DATA not in counts)
    )


class _OpenComponent:
    """A component whose end the walk has not reached."""

    __slots__ = ("core_instances", "instances", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.core_instances = 0
        self.instances = 0


def _component_tables(reader: Reader) -> int:
    # Which module or component an instance is made of takes the whole index spaces to know:
    # each counts as the largest one, which components as toolchains build them can afford.
    most_tables = 0
    most_core_instances = 0
    open_components = [_OpenComponent(reader)]
    while open_components:
        component = open_components[-1]
        if component.reader.is_at_end:
            open_components.pop()
            created = component.core_instances + component.instances * most_core_instances
            most_core_instances = max(most_core_instances, min(created, MAX_TABLE_BOUND))
            continue
        number, contents = component.reader.section()
        if number == _CORE_MODULE:
            contents.skip(HEADER_BYTES)
            most_tables = max(most_tables, _module_counts(contents).get(_TABLES, 0))
        elif number == _CORE_INSTANCES:
            component.core_instances += _instantiations(contents, is_core=True)
        elif number == _INSTANCES:
            component.instances += _instantiations(contents, is_core=False)
        elif number == _COMPONENT:
            contents.skip(HEADER_BYTES)
            open_components.append(_OpenComponent(contents))
    return created * most_tables


def _instantiations(contents: Reader, *, is_core: bool) -> int:
    """How many entries of an instance section instantiate, and do not merely bundle exports."""
    entries = contents.number()
    instantiated = 0
    for _ in range(entries):
        contents.count_item()
        if contents.byte() == 0:
            instantiated += 1
            contents.number()
            _skip_list(contents, has_decorated_names=False, is_core=is_core)
        else:
            _skip_list(contents, has_decorated_names=not is_core, is_core=is_core)
    return instantiated


def _skip_list(contents: Reader, *, has_decorated_names: bool, is_core: bool) -> None:
    """Pass over named references: a name, a sort and an index each."""
    for _ in range(contents.number()):
        contents.count_item()
        if has_decorated_names:
            contents.byte()
        contents.skip(contents.number())
        sort = contents.byte()
        if not is_core and sort == _CORE_SORT:
            contents.byte()
        contents.number()
