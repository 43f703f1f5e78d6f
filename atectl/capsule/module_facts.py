"""What a core module says of itself: records, and how bounds are written."""

from typing import NamedTuple

from atectl.capsule.names import Names, Producer
from atectl.capsule.sections import Section
from atectl.units import counted

FUNCTION, TABLE, MEMORY, GLOBAL, TAG = "function", "table", "memory", "global", "tag"


class Import(NamedTuple):
    """One import of a module."""

    module: str
    """The first part of its name: whose it is."""
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
    """As that of an import; empty where it names something that is not there."""


class Memory(NamedTuple):
    """One memory of a module, imported or its own."""

    minimum_bytes: int
    """What it has as it starts."""
    maximum_bytes: int | None
    """What it may grow to, by its own word; null for as much as its kind can have."""
    is_imported: bool
    """It is made by whoever runs the module."""
    is_shared: bool
    """Threads may share it."""
    is_64: bool
    """Its addresses have 64 bits."""
    page_bytes: int
    """What it is counted in, 65,536 as a rule."""


class Table(NamedTuple):
    """One table of a module, imported or its own."""

    element: str
    """The type of its elements, such as `funcref`."""
    minimum: int
    """How many elements it has as it starts."""
    maximum: int | None
    """How many it may grow to, by its own word; null for as many as the engine allows."""
    is_imported: bool
    """It is made by whoever runs the module."""
    is_64: bool
    """Its indices have 64 bits."""


class Counts(NamedTuple):
    """How many a module has of each; imported ones count."""

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
    """Tags, which exceptions have."""
    exports: int = 0
    """Exports."""
    elements: int = 0
    """Element segments, which fill tables."""
    data: int = 0
    """Data segments, which fill memories."""


class ModuleFacts(NamedTuple):
    """What a core module says of itself. Of each list the first `MAX_LISTED` entries are there."""

    counts: Counts
    """How many it has of everything, listed or not."""
    imports: tuple[Import, ...]
    """What it imports, in its order."""
    exports: tuple[Export, ...]
    """What it exports, in its order."""
    memories: tuple[Memory, ...]
    """Its memories, imported ones first."""
    tables: tuple[Table, ...]
    """Its tables, imported ones first."""
    initial_bytes: int
    """What its own memories have together as it starts."""
    largest_table: int
    """How many elements the largest of its own tables has as it starts."""
    globals: tuple[str, ...]
    """The type of each, such as `mut i32`."""
    start: int | None
    """The index of the function that runs as it is instantiated, if there is one."""
    names: Names
    """What its `name` section says."""
    producers: tuple[Producer, ...]
    """The tools that made it."""
    target_features: tuple[str, ...]
    """What it was compiled to use, as its toolchain wrote it down."""
    features: tuple[str, ...]
    """The proposals that its sections show it to use; instructions are not looked at."""
    sections: tuple[Section, ...]
    """Its sections, in its order."""


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
