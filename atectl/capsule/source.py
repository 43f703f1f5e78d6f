"""A file opened to be read, of a capsule or beside one: regular, and never waited for."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from atectl.errors import CapsuleNotFound, CapsuleUnreadable


def open_capsule(path: Path) -> BinaryIO:
    """The file at `path`, for the caller to close.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, or not permitted (exit 126).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise CapsuleNotFound(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise CapsuleUnreadable(f"{path}: {reason or error}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise CapsuleUnreadable(f"{path} is {_nature(mode)}, not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def _nature(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
