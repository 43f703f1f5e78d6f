"""Memory written to disk and given back to the system: files that no name leads to.

A memory is spilled into a file of its own, which is then mapped privately over the memory's own
address: the guest's pages come back one by one as it touches them, and its writes never reach the
file. The file stays for as long as the memory does, so that a second spill writes only what has
changed since. It never had a name, or has it no longer, so it ends with the process.
"""

import errno
import mmap
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from atectl import host_memory, pagemap
from atectl.errors import (
    AtectlError,
    OutOfMemory,
    SpillCapReached,
    SpillDiskFull,
    SpillFailed,
    SpillFolderUnusable,
)
from atectl.spill_room import disk_room_bytes, refuse_memory_backed
from atectl.units import format_size

CHUNK_BYTES = 65_536
"""What is written or left out as a whole: a page of WebAssembly."""

_MOST_WRITTEN_AT_ONCE = 8 << 20
_ZEROS = bytes(CHUNK_BYTES)


def resident_size(base: int, size_bytes: int) -> int:
    """Resident bytes of a range; of the whole process where the system tells no less."""
    found = pagemap.resident_bytes(base, size_bytes)
    return (host_memory.resident_bytes() or 0) if found is None else found


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
            used = self._used_bytes + size_bytes
            if self.cap_bytes is not None and used > self.cap_bytes:
                raise SpillCapReached(
                    f"spilling {format_size(size_bytes)} more would pass the cap of "
                    f"{format_size(self.cap_bytes)} on what may lie in {self.folder}"
                )
            self._used_bytes = used

    def give_back(self, size_bytes: int) -> None:
        """Count `size_bytes` as free again."""
        with self._lock:
            self._used_bytes -= size_bytes


class SpillFile:
    """The nameless file behind one memory."""

    def __init__(self, area: SpillArea) -> None:
        self._area = area
        self._stored = bytearray()  # a byte a chunk: whether the file has content for it
        self.descriptor = _open_nameless(area.folder)

    @property
    def stored_bytes(self) -> int:
        """What of the memory lies in the file; the rest of it was zero."""
        return self._stored.count(1) * CHUNK_BYTES

    def save(self, content: memoryview, private_pages: bytes | None) -> None:
        """Write what has changed of `content`; chunks that were always zero stay holes.

        Args:
            content: the whole memory.
            private_pages: a byte a page of the system, 1 where its content may differ from the
                file's; None if that is not known.

        Raises:
            SpillCapReached, SpillDiskFull, SpillFailed: it could not all be written; what the
                file already stood for is as it was (exit 125).
        """
        size_bytes = len(content)
        self._stored.extend(bytes(-(-size_bytes // CHUNK_BYTES) - len(self._stored)))
        due = [
            chunk
            for chunk in _changed_chunks(len(self._stored), private_pages)
            if self._stored[chunk] or not _is_zero(content, chunk)
        ]
        self._area.take(sum(not self._stored[chunk] for chunk in due) * CHUNK_BYTES)
        for chunk in due:
            self._stored[chunk] = 1
        try:
            os.ftruncate(self.descriptor, size_bytes)
            for start, end in _runs(due):
                self._write(content, start * CHUNK_BYTES, min(end * CHUNK_BYTES, size_bytes))
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


def _changed_chunks(count: int, private_pages: bytes | None) -> Iterable[int]:
    if private_pages is None:
        return range(count)
    pages = CHUNK_BYTES // mmap.PAGESIZE
    return (
        chunk
        for chunk in range(count)
        if private_pages.find(1, chunk * pages, (chunk + 1) * pages) >= 0
    )


def _is_zero(content: memoryview, chunk: int) -> bool:
    found = content[chunk * CHUNK_BYTES : (chunk + 1) * CHUNK_BYTES].tobytes()
    return found == _ZEROS[: len(found)]


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
