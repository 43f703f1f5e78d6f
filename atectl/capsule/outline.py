"""The outline of a WebAssembly binary: its kind, whether it is whole, how many tables it can make.

Only what the sections say on their face is read; whether the binary is valid is the engine's
to judge. The formats are those of the core specification 3.0 and of the component model.
"""

from typing import NamedTuple

from atectl.engine.kind import Kind

MAGIC = b"\0asm"
_KINDS: dict[bytes, Kind] = {b"\x01\0\0\0": "module", b"\x0d\0\x01\0": "component"}

MAX_TABLE_BOUND = 10_000
"""Where `table_bound` ends; a store holds no more tables than this by wasmtime's own default."""

MAX_ITEMS = 1_000_000
"""How many sections and instances are walked; the engine accepts far fewer."""

_FUNCTIONS, _TABLES, _CODE, _DATA, _DATA_COUNT = 3, 4, 10, 11, 12
_CORE_MODULE, _CORE_INSTANCES, _COMPONENT, _INSTANCES = 1, 2, 4, 5
_CORE_SORT = 0


class MalformedBinary(Exception):
    """The bytes do not follow the binary format."""


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
    if 0 < len(binary) < 8 and MAGIC.startswith(binary[:4]):
        return Outline("module", True, 0)
    kind = _KINDS.get(binary[4:8]) if binary.startswith(MAGIC) else None
    if kind is None:
        raise MalformedBinary(f"unknown binary version {binary[4:8].hex(' ')}")
    if not _holds_its_sections(_Reader(binary, 8, len(binary))):
        return Outline(kind, True, 0)
    reader = _Reader(binary, 8, len(binary))
    if kind == "component":
        return Outline(kind, False, min(_component_tables(reader), MAX_TABLE_BOUND))
    counts = _module_counts(reader)
    return Outline(kind, _lacks_bodies(counts), min(counts.get(_TABLES, 0), MAX_TABLE_BOUND))


class _EndOfBinary(MalformedBinary):
    """Something announced lies beyond the end."""


class _Reader:
    """A cursor over part of a binary. Parts share the count of items walked."""

    __slots__ = ("_items", "data", "end", "position")

    def __init__(self, data: bytes, start: int, end: int, items: list[int] | None = None) -> None:
        self.data, self.position, self.end = data, start, end
        self._items = [0] if items is None else items

    def byte(self) -> int:
        if self.position >= self.end:
            raise _EndOfBinary("it ends too early")
        value = self.data[self.position]
        self.position += 1
        return value

    def number(self) -> int:
        """An unsigned 32-bit LEB128."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            raise MalformedBinary(f"a number is too long at offset {self.position:#x}")
        if value >= 1 << 32:
            raise MalformedBinary(f"a number is too large at offset {self.position:#x}")
        return value

    def skip(self, count: int) -> None:
        if count > self.end - self.position:
            raise _EndOfBinary("it ends too early")
        self.position += count

    def count_item(self) -> None:
        self._items[0] += 1
        if self._items[0] > MAX_ITEMS:
            raise MalformedBinary(f"it has more than {MAX_ITEMS} sections and instances")

    def section(self) -> tuple[int, "_Reader"]:
        """The next section: its number and a reader of its contents."""
        self.count_item()
        number = self.byte()
        size = self.number()
        start = self.position
        self.skip(size)
        return number, _Reader(self.data, start, self.position, self._items)

    @property
    def is_at_end(self) -> bool:
        return self.position >= self.end


def _holds_its_sections(reader: _Reader) -> bool:
    try:
        while not reader.is_at_end:
            reader.section()
    except _EndOfBinary:
        return False
    return True


def _module_counts(reader: _Reader) -> dict[int, int]:
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

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader
        self.core_instances = 0
        self.instances = 0


def _component_tables(reader: _Reader) -> int:
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
            contents.skip(8)
            most_tables = max(most_tables, _module_counts(contents).get(_TABLES, 0))
        elif number == _CORE_INSTANCES:
            component.core_instances += _instantiations(contents, is_core=True)
        elif number == _INSTANCES:
            component.instances += _instantiations(contents, is_core=False)
        elif number == _COMPONENT:
            contents.skip(8)
            open_components.append(_OpenComponent(contents))
    return created * most_tables


def _instantiations(contents: _Reader, *, is_core: bool) -> int:
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


def _skip_list(contents: _Reader, *, has_decorated_names: bool, is_core: bool) -> None:
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
