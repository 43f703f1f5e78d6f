"""The initial content of memories, taken out of a core module's data segments.

The engine compiles each active segment into the code that starts a module: fifty microseconds and
some kilobytes of memory each, of which a large program has tens of thousands. Here their bytes
become images, which a new memory maps: see `atectl.engine.images`. Only what the guest cannot tell
is done:

- A segment is taken only from a memory that the module defines itself, and only if every active
  segment of that memory has a constant offset and lies within its initial size. So no segment is
  left that could be written before or after one that was taken, or trap.
- Where the module has a count of its data, its code may name segments. Each that was taken leaves
  an empty passive one in its place: like an active one that was written, it has no bytes to copy.
- A shared memory is left as it is, and so is one whose data lies far apart.

With the segments goes what only a debugger reads, which can be most of a file: the engine does not,
and would hold it while it compiles.
"""

from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from atectl.capsule.binary import MalformedBinary, Reader
from atectl.capsule.core_types import CoreTypes, pass_initialiser
from atectl.capsule.outline import is_much_data
from atectl.engine.images import ALIGNMENT, Image, InitialMemory

_CUSTOM, _DEBUGGING = 0, ".debug_"
_IMPORTS, _MEMORIES, _DATA, _DATA_COUNT = 2, 5, 11, 12
_MEMORY_KIND = 2
_ACTIVE, _PASSIVE, _ACTIVE_IN = 0, 1, 2
_CONSTANTS = {0x41: 32, 0x42: 64}
"""The instructions that give an offset, with its bits."""
_END = 0x0B
_EMPTY = b"\1\0"
"""A passive segment without bytes."""

_MOST_SEGMENTS = 100_000
"""The engine accepts no more."""

_SPREAD, _SPREAD_BYTES = 2, 1 << 20
"""An image may be so many times as large as its data, and so many bytes beyond that."""


class Edit(NamedTuple):
    """What is to stand in a binary in place of the bytes from `start` to `end`."""

    start: int
    end: int
    content: bytes


class ImageArea:
    """Where the images of all modules of a capsule are put, one behind the other."""

    def __init__(self) -> None:
        self.content: list[bytearray] = []
        self._size_bytes = 0

    def add(self, content: bytearray, offset: int) -> Image:
        """Add what a memory has at `offset`."""
        self.content.append(content)
        image = Image(self._size_bytes, offset, len(content))
        self._size_bytes += len(content)
        return image


class Taken(NamedTuple):
    """The memories that each instance of a module or component makes, and how its binary is to be
    changed."""

    memories: tuple[InitialMemory, ...]
    """Those of no size are left out."""
    edits: tuple[Edit, ...]
    """Of data sections, of what only debuggers read, and of the sizes of all that holds these, in
    order; none if no data was taken out."""


class _Memory(NamedTuple):
    size_bytes: int
    is_64: bool
    is_shared: bool


class _Section(NamedTuple):
    """Where a section's size stands, and a reader of its contents, which is not moved."""

    size_at: int
    contents: Reader

    def read(self) -> Reader:
        return self.contents.at(self.contents.position)


class _Offset(NamedTuple):
    """A constant offset, and whether it is for a 64-bit memory."""

    value: int
    is_64: bool


class _Segment(NamedTuple):
    """Where a segment begins and ends, and where its bytes begin.

    `memory` is None if it is passive, `offset` if that is not constant.
    """

    start: int
    content_at: int
    end: int
    memory: int | None
    offset: _Offset | None

    @property
    def size_bytes(self) -> int:
        return self.end - self.content_at


def take_data(module: Reader, area: ImageArea) -> Taken:
    """What the memories of a core module begin with. `module` is at its first section.

    Raises:
        MalformedBinary: it does not follow the format.
    """
    sections, debugging = dict[int, _Section](), list[_Section]()
    for number, section in _sections(module):
        sections[number] = section
        if number == _CUSTOM and section.read().name().startswith(_DEBUGGING):
            debugging.append(section)
    imported = _imported_memories(sections)
    memories = list(_memories(sections))
    images: dict[int, Image] = {}
    edits: tuple[Edit, ...] = ()
    data = sections.get(_DATA)
    if data is not None and memories and is_much_data(data.contents):
        segments = _segments(data.read())
        images = dict(_images(segments, imported, memories, module.data, area))
        if images:
            kept = _kept(segments, images, module.data, are_named=_DATA_COUNT in sections)
            edits = tuple(sorted((*_replaced(data, kept), *_without(debugging))))
    made = (
        InitialMemory(memory.size_bytes, images.get(imported + number))
        for number, memory in enumerate(memories)
        if memory.size_bytes
    )
    return Taken(tuple(made), edits)


def edited(binary: bytes, edits: Iterable[Edit]) -> bytes:
    """The binary with these changes, which are in order."""
    whole, parts, at = memoryview(binary), list[bytes | memoryview](), 0
    for start, end, content in edits:
        parts += [whole[at:start], content]
        at = end
    parts.append(whole[at:])
    return b"".join(parts)


def size_edit(at: int, contents_at: int, size_bytes: int) -> Edit:
    """A section's size in place of a larger one, in as many bytes, so that nothing else moves."""
    left = contents_at - at
    digits = bytes(size_bytes >> 7 * place & 0x7F | 0x80 for place in range(left))
    return Edit(at, contents_at, digits[:-1] + bytes([digits[-1] & 0x7F]))


def _sections(module: Reader) -> Iterator[tuple[int, _Section]]:
    while not module.is_at_end:
        start = module.position
        number, contents = module.section()
        yield number, _Section(start + 1, contents)


def _imported_memories(sections: dict[int, _Section]) -> int:
    section = sections.get(_IMPORTS)
    if section is None:
        return 0
    reader, types, count = section.read(), CoreTypes(), 0
    for _ in reader.entries():
        reader.name()
        reader.name()
        count += reader.peek() == _MEMORY_KIND
        types.pass_import_type(reader)
    return count


def _memories(sections: dict[int, _Section]) -> Iterator[_Memory]:
    section = sections.get(_MEMORIES)
    if section is None:
        return
    reader, types = section.read(), CoreTypes()
    for _ in reader.entries():
        limits = types.limits(reader)
        yield _Memory(limits.minimum * limits.page_bytes, limits.is_64, limits.is_shared)


def _segments(reader: Reader) -> list[_Segment]:
    types, found = CoreTypes(), list[_Segment]()
    count = reader.number()
    if count > _MOST_SEGMENTS:
        raise MalformedBinary(f"it has {count} data segments")
    for _ in range(count):
        start, flags = reader.position, reader.number()
        memory: int | None = None
        offset: _Offset | None = None
        if flags not in (_ACTIVE, _PASSIVE, _ACTIVE_IN):
            raise MalformedBinary(f"unknown data segment at offset {start:#x}")
        if flags != _PASSIVE:
            memory = reader.number() if flags == _ACTIVE_IN else 0
            offset = _offset(reader, types)
        size_bytes = reader.number()
        content_at = reader.position
        reader.skip(size_bytes)
        found.append(_Segment(start, content_at, reader.position, memory, offset))
    if not reader.is_at_end:
        raise MalformedBinary("its data section is longer than its segments")
    return found


def _offset(reader: Reader, types: CoreTypes) -> _Offset | None:
    """Read an offset; None if it is more than one constant."""
    start = reader.position
    bits = _CONSTANTS.get(reader.byte())
    if bits is not None:
        value = reader.signed_number(bits)
        most = 1 << bits - 1
        if reader.byte() == _END and -most <= value < most:
            return _Offset(value % (2 * most), bits == 64)
    reader.position = start
    pass_initialiser(reader, types)
    return None


def _images(
    segments: list[_Segment],
    imported: int,
    memories: list[_Memory],
    data: bytes,
    area: ImageArea,
) -> Iterator[tuple[int, Image]]:
    """The index and the image of each memory that can have one."""
    written: dict[int, list[_Segment]] = {}
    for segment in segments:
        if segment.memory is not None:
            written.setdefault(segment.memory, []).append(segment)
    for index, found in written.items():
        if 0 <= index - imported < len(memories):
            image = _image(found, memories[index - imported], data, area)
            if image is not None:
                yield index, image


def _image(segments: list[_Segment], memory: _Memory, data: bytes, area: ImageArea) -> Image | None:
    """The image of a memory that has these segments; None if it cannot have one."""
    if memory.is_shared or memory.size_bytes % ALIGNMENT:
        return None
    written, written_bytes = list[tuple[int, _Segment]](), 0
    for segment in segments:
        offset = segment.offset
        if offset is None or offset.is_64 != memory.is_64:
            return None
        if offset.value + segment.size_bytes > memory.size_bytes:
            return None
        if segment.size_bytes:
            written.append((offset.value, segment))
            written_bytes += segment.size_bytes
    if not written:
        return None
    begin = min(offset for offset, _ in written) // ALIGNMENT * ALIGNMENT
    end = max(offset + segment.size_bytes for offset, segment in written)
    size_bytes = -(-(end - begin) // ALIGNMENT) * ALIGNMENT
    if size_bytes > _SPREAD * written_bytes + _SPREAD_BYTES:
        return None
    content = bytearray(size_bytes)
    for place, segment in written:
        at = place - begin
        content[at : at + segment.size_bytes] = data[segment.content_at : segment.end]
    return area.add(content, begin)


def _kept(
    segments: list[_Segment], images: Container[int], data: bytes, *, are_named: bool
) -> bytes:
    """The contents of a data section without the segments that are in the images."""
    kept = list[bytes]()
    for segment in segments:
        if segment.memory not in images:
            kept.append(data[segment.start : segment.end])
        elif are_named:
            kept.append(_EMPTY)
    return b"".join([_number(len(kept)), *kept])


def _replaced(section: _Section, contents: bytes) -> tuple[Edit, ...]:
    """What gives a section other contents, which are no longer than before."""
    start, end = section.contents.position, section.contents.end
    return (size_edit(section.size_at, start, len(contents)), Edit(start, end, contents))


def _without(sections: list[_Section]) -> Iterator[Edit]:
    for section in sections:
        yield Edit(section.size_at - 1, section.contents.end, b"")


def _number(value: int) -> bytes:
    """An unsigned LEB128."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
