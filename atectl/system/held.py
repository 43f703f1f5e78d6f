"""What a process holds of memory, read in some microseconds."""

import os
from typing import NamedTuple

_STATM_BYTES = 256


class Held(NamedTuple):
    """What a process holds, in bytes: pages of its own that are resident, and what of its address
    space its limit on data counts."""

    own_bytes: int
    data_bytes: int

    @property
    def untouched_bytes(self) -> int:
        """What that limit counts though it was never touched, or was given back."""
        return max(self.data_bytes - self.own_bytes, 0)


def held_by(pid: int | None = None, *, root: str = "/") -> Held | None:
    """What a process (None: this one) holds now; None if it is gone, or nothing tells."""
    try:
        fields = statm(pid, root)
    except OSError:
        return None
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    resident, of_files, data = fields[1], fields[2], fields[5]
    return Held((resident - of_files) * page_bytes, data * page_bytes)


def statm(pid: int | None, root: str) -> list[int]:
    """The sizes of a process (None: this one) in pages, as /proc tells them.

    Raises:
        OSError: it is gone, or there is no /proc.
    """
    # It is read a hundred times a second for each process that compiles; pathlib takes longer.
    descriptor = os.open(f"{root}/proc/{pid or 'self'}/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return [int(field) for field in os.read(descriptor, _STATM_BYTES).split()]
    finally:
        os.close(descriptor)
