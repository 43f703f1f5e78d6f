"""Memory written to disk and given back to the system: files that no name leads to.

A memory is spilled into a file of its own, which is then mapped privately over the memory's own
address: the guest's pages come back one by one as it touches them, and its writes never reach the
file. The file stays for as long as the memory does, so that a second spill writes only what has
changed since. It never had a name, or has it no longer, so it ends with the process.
"""

import errno
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from atectl.errors import AtectlError
from atectl.spill.errors import (
    OutOfMemory,
    SpillCapReached,
    SpillDiskFull,
    SpillFailed,
    SpillFolderUnusable,
)
from atectl.spill.room import disk_room_bytes, refuse_memory_backed
from atectl.system import memory as host_memory
from atectl.system import pagemap
from atectl.units import format_size, show_size

CHUNK_BYTES = 65_536
"""What is written or left out as a whole: a page of WebAssembly."""

_MOST_WRITTEN_AT_ONCE = 8 << 20
_ZEROS = bytes(CHUNK_BYTES)
_HEAD_BYTES = 64
_PUNCH_HOLE = 0x3  # FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE of Linux


def private_size(base: int, size_bytes: int) -> int:
    """How much of a range of addresses is in memory and in no file; where that is not told, the
    resident size of the whole process."""
    found = pagemap.private_bytes(base, size_bytes)
    return (host_memory.resident_bytes() or 0) if found is None else found


def changed_chunks(size_bytes: int, private_pages: bytes | None) -> list[int]:
    """Which chunks of a memory of this size may differ from the files that it is mapped from.

    Args:
        private_pages: one byte for each page of the system, 1 if it may differ; None if that is
            not known.
    """
    count = -(-size_bytes // CHUNK_BYTES)
    if private_pages is None:
        return list(range(count))
    pages = CHUNK_BYTES // mmap.PAGESIZE
    return [
        chunk
        for chunk in range(count)
        if private_pages.find(1, chunk * pages, (chunk + 1) * pages) >= 0
    ]


class SpillArea:
    """A folder on a real disk, and how much of it spilled memory may take.

    Args:
        folder: where the files are made.
        cap_bytes: the most that all of them take together; None leaves it to the disk.

    Raises:
        SpillOntoMemory: the folder is on tmpfs or the like (exit 125).
        SpillFolderUnusable: there is no such folder, or it cannot be written (exit 125).
    """

    def __init__(self, folder: Path, cap_bytes: int | None = None) -> None:
        refuse_memory_backed(folder)
        self.folder = folder
        self.cap_bytes = cap_bytes
        self._used_bytes = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """What the files take now."""
        return self._used_bytes

    @property
    def room_bytes(self) -> int:
        """What the cap and the disk still take; 0 if the folder is gone."""
        try:
            room = disk_room_bytes(self.folder)
        except AtectlError:
            return 0
        return room if self.cap_bytes is None else min(room, self.cap_bytes - self._used_bytes)

    def refusal(self, size_bytes: int) -> AtectlError | None:
        """Why `size_bytes` more cannot be spilled now; None if they can."""
        try:
            free_bytes = disk_room_bytes(self.folder)
        except AtectlError as error:
            return error
        if free_bytes < size_bytes:
            return SpillDiskFull(f"{self.folder}: {show_size(free_bytes)} are free")
        return self._over_cap(self._used_bytes + size_bytes)

    def _over_cap(self, used_bytes: int) -> SpillCapReached | None:
        if self.cap_bytes is None or used_bytes <= self.cap_bytes:
            return None
        return SpillCapReached(
            f"{show_size(used_bytes)} would lie in {self.folder}, over the cap of "
            f"{format_size(self.cap_bytes)}"
        )

    def open_file(self) -> "SpillFile":
        """A new file.

        Raises:
            SpillFolderUnusable: none can be made there any more (exit 125).
        """
        return SpillFile(self)

    def take(self, size_bytes: int) -> None:
        """Count `size_bytes` more as used.

        Raises:
            SpillCapReached: they would pass the cap (exit 125).
        """
        with self._lock:
            refusal = self._over_cap(self._used_bytes + size_bytes)
            if refusal is not None:
                raise refusal
            self._used_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Count `size_bytes` as free again."""
        with self._lock:
            self._used_bytes -= size_bytes


class SpillFile:
    """The nameless file behind one memory."""

    def __init__(self, area: SpillArea) -> None:
        self._area = area
        self._stored = bytearray()  # one byte for each chunk: 1 if the file has its content
        self.descriptor = _open_nameless(area.folder)

    @property
    def stored_bytes(self) -> int:
        """What of the memory lies in the file; the rest of it was zero."""
        return self._stored.count(1) * CHUNK_BYTES

    def save(self, content: memoryview, changed: Iterable[int]) -> None:
        """Write what has changed of `content`; chunks that were always zero stay holes.

        Args:
            content: the whole memory.
            changed: the chunks that may differ from what the file has, in order.

        Raises:
            SpillCapReached, SpillDiskFull, SpillFailed: not all could be written; what the file
                had before it still has, and it takes no more room (exit 125).
        """
        size_bytes = len(content)
        self._stored.extend(bytes(-(-size_bytes // CHUNK_BYTES) - len(self._stored)))
        due = [chunk for chunk in changed if self._stored[chunk] or not _is_zero(content, chunk)]
        new = [chunk for chunk in due if not self._stored[chunk]]
        self._area.take(len(new) * CHUNK_BYTES)
        try:
            os.ftruncate(self.descriptor, size_bytes)
            for start, end in _runs(due):
                self._write(content, start * CHUNK_BYTES, min(end * CHUNK_BYTES, size_bytes))
        except BaseException as error:
            # What were holes are to be holes again: they read as zeros and take no room.
            for start, end in _runs(new):
                _punch_hole(self.descriptor, start * CHUNK_BYTES, (end - start) * CHUNK_BYTES)
            self._area.give_back(len(new) * CHUNK_BYTES)
            if isinstance(error, OSError):
                raise _write_failure(error, self._area.folder) from None
            raise
        for chunk in new:
            self._stored[chunk] = 1

    def load(self, content: memoryview) -> None:
        """Read what was saved into `content`, which is zero where nothing was.

        Raises:
            SpillFailed: the disk fails (exit 125).
        """
        try:
            for start, end in _runs([n for n, stored in enumerate(self._stored) if stored]):
                self._read(content, start * CHUNK_BYTES, min(end * CHUNK_BYTES, len(content)))
        except OSError as error:
            raise _write_failure(error, self._area.folder) from None

    def close(self) -> None:
        """Give the file's place on the disk back."""
        os.close(self.descriptor)
        self._area.give_back(self.stored_bytes)

    def _write(self, content: memoryview, start: int, end: int) -> None:
        while start < end:
            piece = content[start : min(end, start + _MOST_WRITTEN_AT_ONCE)]
            start += os.pwrite(self.descriptor, piece, start)

    def _read(self, content: memoryview, start: int, end: int) -> None:
        while start < end:
            found = os.preadv(self.descriptor, [content[start:end]], start)
            if not found:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            start += found


def _is_zero(content: memoryview, chunk: int) -> bool:
    start = chunk * CHUNK_BYTES
    # Most chunks that are not zero show it in their first bytes: they need not be copied.
    if any(content[start : start + _HEAD_BYTES]):
        return False
    found = content[start : start + CHUNK_BYTES].tobytes()
    return found == _ZEROS[: len(found)]


def _punch_hole(descriptor: int, start: int, size_bytes: int) -> None:
    """Give the room of a part of a file back to the disk; it reads as zeros then.

    Where the file system cannot do that, the room is kept until the file is closed.
    """
    import ctypes

    from atectl.system.libc import libc

    arguments = (descriptor, _PUNCH_HOLE, ctypes.c_int64(start), ctypes.c_int64(size_bytes))
    libc.fallocate(*arguments)


def _runs(chunks: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring chunks as (first, one past the last)."""
    start = end = -1
    for chunk in chunks:
        if chunk != end:
            if end >= 0:
                yield start, end
            start = chunk
        end = chunk + 1
    if end >= 0:
        yield start, end


def _open_nameless(folder: Path) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        with suppress(OSError):  # not every file system makes files without a name
            return os.open(folder, flags | os.O_TMPFILE | os.O_EXCL, 0o600)
        import tempfile

        descriptor, name = tempfile.mkstemp(dir=folder, prefix="atectl-spill-")
        os.unlink(name)  # noqa: PTH108 - a name, not a path object, is what mkstemp gives
    except OSError as error:
        raise SpillFolderUnusable(f"{folder}: {error.strerror}") from None
    return descriptor


def _write_failure(error: OSError, folder: Path) -> AtectlError:
    what = f"{folder}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SpillDiskFull(what)
    return OutOfMemory(what) if error.errno == errno.ENOMEM else SpillFailed(what)
