"""Whether two names, or a name and a descriptor, mean the same file."""

import os
import stat
from collections.abc import Iterable

Identity = tuple[int, int]
"""What all names of one file have in common: its device and its number there."""

Place = int | str | os.PathLike[str] | None
"""A descriptor or a path; None is nowhere."""

_MEMORY_DEVICES = 1
"""The major number of null, zero, full and the like, which are no place."""


def identity_of(status: os.stat_result) -> Identity | None:
    """The identity of a file, a pipe or a terminal; None for a device such as /dev/null."""
    if stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == _MEMORY_DEVICES:
        return None
    return status.st_dev, status.st_ino


def identities(
    places: Iterable[tuple[str, Place]], *, regular: bool = False
) -> dict[Identity, str]:
    """The identity of each file that is there, and what it is.

    Args:
        places: what each is, and where.
        regular: whether to leave out all but regular files. Only these do two writers damage.
    """
    found: dict[Identity, str] = {}
    for what, place in places:
        if place is None:
            continue
        try:
            status = os.stat(place)  # noqa: PTH116 - it may be a descriptor
        except (OSError, ValueError):
            continue
        identity = identity_of(status)
        if identity is not None and (stat.S_ISREG(status.st_mode) or not regular):
            found.setdefault(identity, what)
    return found
