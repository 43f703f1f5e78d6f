"""What a component says about itself: records of its world and its contents."""

from typing import NamedTuple

from atectl.capsule.module_facts import Memory
from atectl.capsule.names import Producer
from atectl.capsule.sections import Section

MAX_LISTED_ITEMS = 10_000
"""How many items of instances are listed in all: many entries may share a type with many items."""

MOST_BYTES = 1 << 63
"""The highest count of initial bytes: nested instances multiply."""


class WorldItem(NamedTuple):
    """One item of an instance in the world."""

    name: str
    """As it is written; make it inert before it is shown."""
    kind: str
    """`function`, `type`, `resource` …"""
    type: str
    """The type of a function, such as `(name: string) -> string`, or the definition of a type."""


class WorldEntry(NamedTuple):
    """One import or export of a component."""

    name: str
    """Such as `wasi:cli/run@0.2.0`."""
    kind: str
    """`instance` for an interface, `function`, `type`, `resource`, `component` or `core module`."""
    type: str
    """As for an item."""
    items: tuple[WorldItem, ...]
    """The items of an instance; empty for other kinds, and if they are not known.

    All entries together list at most `MAX_LISTED_ITEMS`.
    """


class CoreModule(NamedTuple):
    """One core module within a component, at any depth."""

    name: str | None
    """The name that it gives itself, if any."""
    offset: int
    """The offset of its first byte in the binary."""
    size_bytes: int
    """Its size."""
    functions: int
    """The number of its functions, imported ones included."""
    memories: tuple[Memory, ...]
    """Its memories, imported ones first."""


class ComponentCounts(NamedTuple):
    """How many there are of each kind, nested components included."""

    core_modules: int = 0
    """Core modules."""
    components: int = 0
    """Nested components."""
    core_instances: int = 0
    """Instances of core modules, and bundles of what they export."""
    instances: int = 0
    """Instances of components, and bundles of what they export."""


class ComponentFacts(NamedTuple):
    """What a component says about itself. Each list has at most its first `MAX_LISTED` entries."""

    name: str | None
    """The name that it gives itself, if any."""
    counts: ComponentCounts
    """How much is in it, listed or not."""
    imports: tuple[WorldEntry, ...]
    """What it imports, in the order of the binary."""
    exports: tuple[WorldEntry, ...]
    """What it exports, in the order of the binary."""
    core_modules: tuple[CoreModule, ...]
    """The core modules in it, in the order of the binary."""
    initial_bytes: int
    """The initial size of the memories of all its instances together, at most `MOST_BYTES`.

    Components that are passed to one another as arguments are not counted.
    """
    largest_table: int
    """The initial number of elements in the largest table of its modules."""
    wit_sections: tuple[str, ...]
    """The custom sections that hold WIT, its own and its modules'."""
    producers: tuple[Producer, ...]
    """The tools that made it and its modules."""
    target_features: tuple[str, ...]
    """The features that its modules were compiled to use, as their toolchains recorded them."""
    features: tuple[str, ...]
    """The WebAssembly proposals that it uses, as far as its and its modules' sections show."""
    sections: tuple[Section, ...]
    """Its outermost sections."""
