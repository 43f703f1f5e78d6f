"""Single flight: one process at a time compiles a capsule, and others wait for its artifact.

A turn is a file lock on one byte of a file in the cache's folder. The capsule's key says which
byte. The kernel releases the lock when the process that holds it ends, even by SIGKILL, so no lock
is ever left behind. If two capsules share a byte, they are compiled one after the other.
"""

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

TURNS = "turns"
"""The name of the file, which stays empty."""

_LOOK_S = 0.02
_LOCK = "hhqqi"  # the C structure flock: type, whence, start, length, process
_MOST_DIGITS = 15
"""Of a key, in hexadecimal digits: an offset in a file has 63 bits."""


@contextmanager
def turn(folder: int, key: str, until: float) -> Iterator[None]:
    """Take the turn for this key, once no other process holds it.

    Where the file system has no such locks, nobody waits, and each process compiles by itself.

    Args:
        folder: a descriptor of the cache's folder.
        key: begins with the hash of the capsule's file.
        until: when to go on without the lock, by `time.monotonic`.
    """
    descriptor = _opened(folder)
    try:
        while descriptor is not None and not _is_taken(descriptor, int(key[:_MOST_DIGITS], 16)):
            if time.monotonic() >= until:
                break
            time.sleep(_LOOK_S)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _opened(folder: int) -> int | None:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(TURNS, flags, 0o600, dir_fd=folder)
    except OSError:
        return None


def _is_taken(descriptor: int, place: int) -> bool:
    """Take a byte. Returns whether it is this process's, or cannot be anybody's."""
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        return True
    lock = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
    try:
        fcntl.fcntl(descriptor, command, lock)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
