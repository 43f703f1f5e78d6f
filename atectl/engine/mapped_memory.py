"""One memory of a guest as it is mapped: opened, begun with an image, spilled, and unmapped.

Address space for its maximum size is reserved at once, without access; pages become accessible as
it grows. The rest, up to the guard region of the engine, stays inaccessible, and using it traps.

Its pages come from three places: the system, as zeros; an image, where it begins with data; and,
from its first spill on, a file of its own. A part of an image that was changed before a spill
comes from the file ever after, and the rest still from the image, of which nothing is written.
"""

import ctypes
import errno
import mmap
import os
from typing import TYPE_CHECKING

from atectl.engine.bindings import system_memory

if TYPE_CHECKING:
    from atectl.engine.images import Image, InitialMemories
    from atectl.spill.area import SpillArea, SpillFile

_mmap, _munmap, _mprotect = system_memory()

_CLOSED = 0
_OPEN = mmap.PROT_READ | mmap.PROT_WRITE
_MAP_NORESERVE = 0x4000  # Linux; named in `mmap` only by later Pythons
_RESERVED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
_MAP_FIXED = 0x10  # on every system wasmtime runs on; `mmap` does not name it
_ANEW = _RESERVED | _MAP_FIXED
_FROM_FILE = mmap.MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE
_MAP_FAILED = ctypes.c_void_p(-1).value

_Part = tuple[int, int]

MOST_IMAGE_PARTS = 32
"""In how many parts an image may still be mapped after a spill. The system bounds the mappings of
a process, so that the shorter ones go to the file where there would be more."""


class MappedMemory:
    """A memory of no size yet, with its address space reserved. To be unmapped.

    Raises:
        OSError: there is no address space left for it.
    """

    __slots__ = ("_file", "_image", "base", "capacity_bytes", "mapped_bytes", "size_bytes")

    def __init__(self, capacity_bytes: int, guard_bytes: int) -> None:
        self.size_bytes = 0
        self.capacity_bytes = capacity_bytes
        self.mapped_bytes = capacity_bytes + guard_bytes
        self._file: SpillFile | None = None
        self._image: _MappedImage | None = None
        base = _mmap(None, self.mapped_bytes, _CLOSED, _RESERVED, -1, 0)
        if base is None or base == _MAP_FAILED:
            raise _system_error(f"cannot reserve {self.mapped_bytes} bytes of address space")
        self.base = base

    def open(self, size_bytes: int) -> None:
        """Make the first `size_bytes` accessible; new pages are zero.

        Raises:
            OSError: the system has no memory for it.
        """
        added = size_bytes - self.size_bytes
        if size_bytes > self.capacity_bytes:
            raise OSError(errno.ENOMEM, f"{size_bytes} bytes are more than were reserved")
        if added and _mprotect(self.base + self.size_bytes, added, _OPEN):
            raise _system_error(f"cannot open {added} bytes of memory")
        self.size_bytes = size_bytes

    def begin_with(self, image: "Image", source: "InitialMemories") -> None:
        """Map an image, which lies within the size of the memory, from the file of `source`.

        Raises:
            OSError: the system has no memory for it.
        """
        mapped = _MappedImage(image, source)
        self._map(image.offset, image.size_bytes, source.descriptor, image.place)
        self._image = mapped

    @property
    def stored_bytes(self) -> int:
        """How much of it is on disk, spilled now or earlier."""
        return 0 if self._file is None else self._file.stored_bytes

    def spill(self, area: "SpillArea") -> int:
        """Write what is not in its image to disk, and map it from there.

        Returns:
            The bytes of memory that this freed, as measured.

        Raises:
            AtectlError: see `LeaseMemory.spill`.
        """
        if not self.size_bytes:
            return 0
        from atectl.spill.area import CHUNK_BYTES, changed_chunks, private_size
        from atectl.spill.errors import OutOfMemory
        from atectl.system.pagemap import private_pages

        before = private_size(self.base, self.size_bytes)
        if self._file is None:
            self._file = area.open_file()
        content = self._content()
        changed = changed_chunks(self.size_bytes, private_pages(self.base, self.size_bytes))
        image = self._image
        if image is not None:
            changed, parts = image.divide(changed, CHUNK_BYTES)
        self._file.save(content, changed)
        if image is not None:
            image.parts = parts
        try:
            self._map_stored()
        except OSError as error:
            self._take_back(content)
            raise OutOfMemory(str(error)) from None
        return max(before - private_size(self.base, self.size_bytes), 0)

    def unmap(self) -> None:
        """Give everything back.

        Raises:
            OSError: the system does not take it.
        """
        if self._file is not None:
            self._file.close()
            self._file = None
        self._image = None
        if _munmap(self.base, self.mapped_bytes):
            raise _system_error(f"cannot give back {self.mapped_bytes} bytes")

    def _content(self) -> memoryview:
        return memoryview((ctypes.c_char * self.size_bytes).from_address(self.base)).cast("B")

    def _map(self, offset: int, size_bytes: int, descriptor: int, place: int) -> None:
        """Have the pages at `offset` come from a file."""
        at = self.base + offset
        if _mmap(at, size_bytes, _OPEN, _FROM_FILE, descriptor, place) != at:
            raise _system_error("cannot map memory from a file")

    def _map_stored(self) -> None:
        """Map everything from where it is now, which lets go of all changed pages."""
        assert self._file is not None  # noqa: S101 - it was just saved
        image, at = self._image, 0
        if image is not None:
            for start, end in image.parts:
                if at < start:
                    self._map(at, start - at, self._file.descriptor, at)
                self._map(start, end - start, image.source.descriptor, image.place_of(start))
                at = end
        if at < self.size_bytes:
            self._map(at, self.size_bytes - at, self._file.descriptor, at)

    def _take_back(self, content: memoryview) -> None:
        """Restore the memory after a failed mapping, which may have removed it."""
        if _mmap(self.base, self.size_bytes, _OPEN, _ANEW, -1, 0) == self.base:
            assert self._file is not None  # noqa: S101 - it was just saved
            if self._image is not None:
                self._image.load(content)
            self._file.load(content)


class _MappedImage:
    """The image that a memory began with, and what of it is unchanged.

    Attributes:
        source: keeps its file open.
        parts: of the memory, where each begins and ends in bytes: what still comes from the image.
    """

    __slots__ = ("_image", "parts", "source")

    def __init__(self, image: "Image", source: "InitialMemories") -> None:
        self._image = image
        self.source = source
        self.parts = [(image.offset, image.offset + image.size_bytes)]

    def place_of(self, offset: int) -> int:
        """Where in its file is what the memory has at `offset`."""
        return self._image.place + offset - self._image.offset

    def divide(self, changed: list[int], chunk_bytes: int) -> tuple[list[int], list[_Part]]:
        """What is to be written at a spill, and which parts still come from the image.

        Args:
            changed: the chunks of the memory that were changed, in order; each of `chunk_bytes`.
        """
        are_changed, parts = set(changed), list[_Part]()
        for start, end in self.parts:
            for place in range(start, end, chunk_bytes):
                if place // chunk_bytes in are_changed:
                    continue
                if parts and parts[-1][1] == place:
                    parts[-1] = (parts[-1][0], place + chunk_bytes)
                else:
                    parts.append((place, place + chunk_bytes))
        parts.sort(key=_length, reverse=True)
        for start, end in parts[MOST_IMAGE_PARTS:]:
            are_changed.update(range(start // chunk_bytes, end // chunk_bytes))
        return sorted(are_changed), sorted(parts[:MOST_IMAGE_PARTS])

    def load(self, content: memoryview) -> None:
        """Read what still comes from the image into `content`.

        Raises:
            OSError: it cannot be read.
        """
        for start, end in self.parts:
            while start < end:
                left = content[start:end]
                found = os.preadv(self.source.descriptor, [left], self.place_of(start))
                if not found:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                start += found


def _length(part: _Part) -> int:
    return part[1] - part[0]


def _system_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
