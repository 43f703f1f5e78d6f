"""What a component says of itself: records of its world, and of what is in it."""

from typing import NamedTuple

from atectl.capsule.module_facts import Memory
from atectl.capsule.names import Producer
from atectl.capsule.sections import Section

MAX_LISTED_ITEMS = 10_000
"""How many items of instances are listed: many entries may be of one type with many items."""

MOST_BYTES = 1 << 63
"""Where the count of initial bytes ends: instances of instances multiply."""


class WorldItem(NamedTuple):
    """One thing that an instance in the world has."""

    name: str
    """As it is written; make it inert before it is shown."""
    kind: str
    """`function`, `type`, `resource` …"""
    type: str
    """Of a function such as `(name: string) -> string`; of a type what it is made of."""


class WorldEntry(NamedTuple):
    """One import or export of a component."""

    name: str
    """Such as `wasi:cli/run@0.2.0`."""
    kind: str
    """`instance` for an interface, `function`, `type`, `resource`, `component` or `core module`."""
    type: str
    """As that of an item."""
    items: tuple[WorldItem, ...]
    """What an instance has; empty for another kind, or where it is not known.

    All entries together list `MAX_LISTED_ITEMS`.
    """


class CoreModule(NamedTuple):
    """One core module within a component, however deep."""

    name: str | None
    """What it calls itself, if it does."""
    offset: int
    """Of its first byte, from the beginning of the binary."""
    size_bytes: int
    """How long it is."""
    functions: int
    """How many it has, imported ones included."""
    memories: tuple[Memory, ...]
    """Its memories, imported ones first."""


class ComponentCounts(NamedTuple):
    """How many there are of each, nested components included."""

    core_modules: int = 0
    """Core modules."""
    components: int = 0
    """Nested components."""
    core_instances: int = 0
    """Instances of core modules, and bundles of what they export."""
    instances: int = 0
    """Instances of components, and bundles of what they export."""


class ComponentFacts(NamedTuple):
    """What a component says of itself. Of each list the first `MAX_LISTED` entries are there."""

    name: str | None
    """What it calls itself, if it does."""
    counts: ComponentCounts
    """How much is in it, listed or not."""
    imports: tuple[WorldEntry, ...]
    """What it imports, in its order."""
    exports: tuple[WorldEntry, ...]
    """What it exports, in its order."""
    core_modules: tuple[CoreModule, ...]
    """The core modules in it, in its order."""
    initial_bytes: int
    """What the memories of all its instances have together as it starts, at most `MOST_BYTES`.

    Components that are handed to one another as arguments are not counted.
    """
    largest_table: int
    """How many elements the largest table of its modules has as it starts."""
    wit_sections: tuple[str, ...]
    """Custom sections, its own and its modules', that hold WIT itself."""
    producers: tuple[Producer, ...]
    """The tools that made it and its modules."""
    target_features: tuple[str, ...]
    """What its modules were compiled to use, as their toolchains wrote it down."""
    features: tuple[str, ...]
    """The proposals that its sections, and those of its modules, show it to use."""
    sections: tuple[Section, ...]
    """Its outermost sections."""
