"""What a core module says about itself: records, and its limits as text."""

from typing import NamedTuple

from atectl.capsule.names import Names, Producer
from atectl.capsule.sections import Section
from atectl.units import counted

FUNCTION, TABLE, MEMORY, GLOBAL, TAG = "function", "table", "memory", "global", "tag"


class Import(NamedTuple):
    """One import of a module."""

    module: str
    """The first part of its name: the module that has to provide it."""
    name: str
    """The second part of its name. Both are as they are written; make them inert first."""
    kind: str
    """`function`, `table`, `memory`, `global` or `tag`."""
    type: str
    """Such as `(i32, i64) -> i32` for a function, `1 to 2 pages` for a memory."""


class Export(NamedTuple):
    """One export of a module."""

    name: str
    """As it is written; make it inert before it is shown."""
    kind: str
    """`function`, `table`, `memory`, `global` or `tag`."""
    type: str
    """As for an import; empty if it refers to something that does not exist."""


class Memory(NamedTuple):
    """One memory of a module, imported or its own."""

    minimum_bytes: int
    """Its initial size."""
    maximum_bytes: int | None
    """The maximum size that it declares; null if it declares none."""
    is_imported: bool
    """Whether the module imports it, so that its host has to create it."""
    is_shared: bool
    """Whether threads may share it."""
    is_64: bool
    """Whether its addresses have 64 bits."""
    page_bytes: int
    """Its page size, usually 65,536."""


class Table(NamedTuple):
    """One table of a module, imported or its own."""

    element: str
    """The type of its elements, such as `funcref`."""
    minimum: int
    """Its initial number of elements."""
    maximum: int | None
    """The maximum number of elements that it declares; null if it declares none."""
    is_imported: bool
    """Whether the module imports it, so that its host has to create it."""
    is_64: bool
    """Whether its indices have 64 bits."""


class Counts(NamedTuple):
    """How many a module has of each kind, imported ones included."""

    types: int = 0
    """Entries of its type section."""
    imports: int = 0
    """Imports."""
    functions: int = 0
    """Functions."""
    tables: int = 0
    """Tables."""
    memories: int = 0
    """Memories."""
    globals: int = 0
    """Globals."""
    tags: int = 0
    """Tags, the kinds of exceptions."""
    exports: int = 0
    """Exports."""
    elements: int = 0
    """Element segments, which fill tables."""
    data: int = 0
    """Data segments, which fill memories."""


class ModuleFacts(NamedTuple):
    """What a core module says about itself. Each list has its first `MAX_LISTED` entries."""

    counts: Counts
    """How many it has of each kind, listed or not."""
    imports: tuple[Import, ...]
    """What it imports, in the order of the binary."""
    exports: tuple[Export, ...]
    """What it exports, in the order of the binary."""
    memories: tuple[Memory, ...]
    """Its memories, imported ones first."""
    tables: tuple[Table, ...]
    """Its tables, imported ones first."""
    initial_bytes: int
    """The initial size of its own memories together, without imported ones."""
    largest_table: int
    """The initial number of elements of the largest of its own tables."""
    globals: tuple[str, ...]
    """The type of each global, such as `mut i32`."""
    start: int | None
    """The index of the function that runs when it is instantiated, if there is one."""
    names: Names
    """What its `name` section says."""
    producers: tuple[Producer, ...]
    """The tools that made it."""
    target_features: tuple[str, ...]
    """The features that it was compiled to use, as its toolchain recorded them."""
    features: tuple[str, ...]
    """The WebAssembly proposals that it uses, as far as its sections show without instructions."""
    sections: tuple[Section, ...]
    """Its sections, in the order of the binary."""


def memory_text(memory: Memory) -> str:
    """A memory's limits for a reader: `1 to 16 pages`, `2 pages or more, shared`."""
    minimum = memory.minimum_bytes // memory.page_bytes
    maximum = None if memory.maximum_bytes is None else memory.maximum_bytes // memory.page_bytes
    text = _limits_text(minimum, maximum, "page")
    for is_so, word in ((memory.is_64, "64-bit"), (memory.is_shared, "shared")):
        text += f", {word}" if is_so else ""
    return text


def table_text(table: Table) -> str:
    """A table's limits and elements for a reader: `3 of funcref or more`."""
    text = f"{table.element}, {_limits_text(table.minimum, table.maximum, 'element')}"
    return f"{text}, 64-bit" if table.is_64 else text


def _limits_text(minimum: int, maximum: int | None, unit: str) -> str:
    if maximum is None:
        return f"{counted(minimum, unit)} or more"
    if maximum == minimum:
        return counted(minimum, unit)
    return f"{minimum} to {counted(maximum, unit)}"
