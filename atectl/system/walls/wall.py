"""One wall around a process or a thread: whether it holds, and what it does or why it does not."""

from typing import NamedTuple

OF_CELLS = (
    "memory", "descriptors", "core files", "privileges", "other processes", "folders",
    "system calls",
)  # fmt: skip
"""The walls around the leases of a batch. The first is put up by the host, the rest by the cell."""


class Wall(NamedTuple):
    """A wall, as it was put up or could not be."""

    wall: str
    """Its name, such as `memory` or `folders`."""
    held: bool
    """Whether it holds."""
    detail: str
    """What it bounds; where it does not hold, why not."""


def holding(wall: str, detail: str) -> Wall:
    """A wall that holds."""
    return Wall(wall, True, detail)


def not_here(wall: str, why: str) -> Wall:
    """A wall that does not hold here."""
    return Wall(wall, False, why)
