"""What a capsule says of itself, as `atectl load` tells it: the same for modules and components."""

from typing import Literal, NamedTuple

from atectl.capsule.encodings import Encoding
from atectl.capsule.estimate import CodeSizes
from atectl.capsule.interface import MissingImportNote
from atectl.capsule.module_facts import Memory, Table
from atectl.capsule.names import Producer
from atectl.capsule.needs import Entry
from atectl.engine.kind import Kind


class Facts(NamedTuple):
    """What is read off a capsule's binary form. Of each list the first 1,000 entries are there."""

    kind: Kind
    """Whether it is a core module or a component."""
    form: Literal["binary", "text"]
    """Which of the two forms is in the file, behind all encodings."""
    encodings: tuple[Encoding, ...]
    """What lies over the capsule, the outermost first."""
    binary_bytes: int
    """Of its binary form."""
    entry: Entry
    """`command` to be run by itself, `functions` to be called by name, or `nothing` to call."""
    imports: tuple[str, ...]
    """What it imports, by name."""
    missing_imports: tuple[MissingImportNote, ...]
    """What it imports and atectl does not provide."""
    exports: tuple[str, ...]
    """What it exports, by name."""
    memories: tuple[Memory, ...]
    """Its memories; those of all core modules of a component."""
    tables: tuple[Table, ...]
    """Its tables; not known of a component."""
    has_start: bool
    """Whether a function of it runs as it is instantiated; not known of a component."""
    producers: tuple[Producer, ...]
    """The tools that made it."""
    declared_bytes: int | None
    """The memory that it declares to start with; null for what is cut off or damaged."""
    code: CodeSizes
    """Of its functions."""
