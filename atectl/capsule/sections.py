"""The sections of a binary: where each is, how large, and which faults were found on the way.

Unlike an outline, this goes as far as it can. The sections of a truncated binary are listed up to
its end, and a damaged section does not hide those after it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from atectl.capsule.binary import EndOfBinary, MalformedBinary, Reader, TooManyItems
from atectl.engine.kind import Kind

MAX_LISTED = 1_000
"""The maximum number of entries in any list; the rest is only counted."""

MAX_SECTIONS = 10_000
"""How many sections of a module or component are read; a large component has some hundreds."""

CUSTOM = 0

_MODULE_SECTIONS = {
    0: "custom",
    1: "type",
    2: "import",
    3: "function",
    4: "table",
    5: "memory",
    6: "global",
    7: "export",
    8: "start",
    9: "element",
    10: "code",
    11: "data",
    12: "data count",
    13: "tag",
    14: "string",
}
_COMPONENT_SECTIONS = {
    0: "custom",
    1: "core module",
    2: "core instance",
    3: "core type",
    4: "component",
    5: "instance",
    6: "alias",
    7: "type",
    8: "canon",
    9: "start",
    10: "import",
    11: "export",
    12: "value",
}
_COUNTED = {
    "module": {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13},
    "component": {2, 3, 5, 6, 7, 8, 10, 11, 12},
}
"""The sections that begin with the number of their entries."""


class Section(NamedTuple):
    """One section of a module or of the outermost component."""

    name: str
    """`type`, `import` …; `custom NAME` for a custom section, whose name is as it is written."""
    offset: int
    """Where its contents begin, in bytes from the beginning of the binary."""
    size_bytes: int
    """The size of its contents, as declared."""
    entries: int | None
    """The number of its entries; null if its kind has none, or if it cannot be read."""


MAX_FAULTS = 20
"""How many faults are kept."""


class Faults:
    """What is wrong with a binary, each fault once; the first ones are kept."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}
        self.is_truncated = False

    def tell(self, fault: str) -> None:
        if len(self._told) < MAX_FAULTS:
            self._told[fault] = None

    def tell_end(self, reader: Reader, fault: str) -> None:
        """Add a fault of something beyond the end of `reader`, perhaps of the whole binary."""
        self.is_truncated |= reader.end == len(reader.data)
        self.tell(fault)

    @property
    def told(self) -> tuple[str, ...]:
        """Each fault as the end of a sentence about the capsule."""
        return tuple(self._told)


class Found(NamedTuple):
    """A section that was found, and its contents as far as they exist."""

    number: int
    section: Section
    contents: Reader
    is_whole: bool


def walk(reader: Reader, kind: Kind, faults: Faults) -> Iterator[Found]:
    """The sections from the position of `reader` to its end; see `explore` for their contents.

    Raises:
        TooManyItems: it has more sections and entries than are read.
    """
    names = _MODULE_SECTIONS if kind == "module" else _COMPONENT_SECTIONS
    walked = 0
    while not reader.is_at_end:
        reader.count_item()
        walked += 1
        if walked > MAX_SECTIONS:
            raise TooManyItems(f"it has more than {MAX_SECTIONS} sections")
        place = reader.position
        try:
            number = reader.byte()
            size = reader.number()
        except EndOfBinary:
            faults.tell_end(reader, f"it ends within the head of the section at offset {place:#x}")
            return
        except MalformedBinary as error:
            faults.tell(str(error))
            return
        start = reader.position
        there = min(size, reader.end - start)
        contents = reader.take(there)
        name = names.get(number)
        if name is None:
            faults.tell(f"unknown section {number} at offset {place:#x}")
            name = f"unknown {number}"
        section = _section(number, kind, Section(name, start, size, None), contents)
        yield Found(number, section, contents, there == size)
        if there < size:
            fault = f"it ends within its {name} section, after {there} of {size} bytes"
            faults.tell_end(reader, fault)
            return


def explore(found: Found, faults: Faults, read: Callable[[Reader], None]) -> None:
    """Let `read` read a section's contents. A fault in them is added to `faults`.

    Raises:
        TooManyItems: this is not a fault of one section: nothing more is to be read.
    """
    try:
        read(found.contents)
    except TooManyItems:
        raise
    except EndOfBinary:
        if found.is_whole:
            faults.tell(f"what its {found.section.name} section announces is not all there")
    except MalformedBinary as error:
        faults.tell(f"in its {found.section.name} section: {error}")


def _section(number: int, kind: Kind, bare: Section, contents: Reader) -> Section:
    peeked = contents.at(contents.position)
    try:
        if number == CUSTOM:
            return bare._replace(name=f"custom {peeked.name()}")
        if number in _COUNTED[kind]:
            return bare._replace(entries=peeked.number())
    except MalformedBinary:
        pass  # reading the contents meets the same fault, and reports it
    return bare
