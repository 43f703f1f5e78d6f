"""Which pages of this process's memory are resident, and which are private.

Source: the kernel's admin-guide/mm/pagemap.rst. Bits 63 (present), 62 (swapped) and 61 (backed by
a file) of a page's entry are all in its last byte. A page is private, so that no file has its
content, if it is swapped, or if it is present and not backed by a file.
"""

import mmap
import os

_ENTRY_BYTES = 8
_PRESENT, _SWAPPED, _OF_FILE = 0x80, 0x40, 0x20
_IS_RESIDENT = bytes(bool(entry & _PRESENT) for entry in range(256))
_IS_PRIVATE = bytes(
    bool(entry & _SWAPPED) or entry & (_PRESENT | _OF_FILE) == _PRESENT for entry in range(256)
)


def resident_bytes(base: int, size_bytes: int) -> int | None:
    """How many bytes of the range are in memory; None if the system does not tell."""
    entries = _read(base, size_bytes)
    return None if entries is None else entries.translate(_IS_RESIDENT).count(1) * mmap.PAGESIZE


def private_bytes(base: int, size_bytes: int) -> int | None:
    """How many bytes of the range are private; None if the system does not tell."""
    pages = private_pages(base, size_bytes)
    return None if pages is None else pages.count(1) * mmap.PAGESIZE


def private_pages(base: int, size_bytes: int) -> bytes | None:
    """One byte for each page, 1 if it is private; None if the system does not tell."""
    entries = _read(base, size_bytes)
    return None if entries is None else entries.translate(_IS_PRIVATE)


def _read(base: int, size_bytes: int) -> bytes | None:
    """The last byte of each page's entry."""
    pages = -(-size_bytes // mmap.PAGESIZE)
    try:
        descriptor = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        entries = os.pread(descriptor, pages * _ENTRY_BYTES, base // mmap.PAGESIZE * _ENTRY_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return entries[_ENTRY_BYTES - 1 :: _ENTRY_BYTES] if len(entries) == pages * 8 else None
