"""What the memories of a capsule begin with: images in the file of its compiled code.

An image is mapped privately where a new memory has its data. Nothing is copied until the guest
writes there, and pages that nobody has changed are shared by all who run the capsule.
"""

import os
from typing import NamedTuple

ALIGNMENT = 65_536
"""A page of WebAssembly. That is how much is spilled, or left out, as a whole."""


class Image(NamedTuple):
    """The first content of a part of a memory. All numbers are multiples of `ALIGNMENT`."""

    place: int
    """Where it begins in its file."""
    offset: int
    """Where it begins in the memory."""
    size_bytes: int


class InitialMemory(NamedTuple):
    """A memory as it is when it is made."""

    size_bytes: int
    """At least 1."""
    image: Image | None
    """None if it is all zero at first."""


class InitialMemories:
    """The memories that each instantiation of one capsule makes, and the file with their images.

    A memory of no size is left out: nothing can be in it, and the engine may make such ones for
    purposes of its own.

    Args:
        descriptor: the file, from which images are mapped as long as this or any of the memories
            exists.
        memories: in the order in which they are made.
        is_owned: whether the descriptor is closed with this.
    """

    __slots__ = ("_is_owned", "descriptor", "memories")

    def __init__(
        self, descriptor: int, memories: tuple[InitialMemory, ...], *, is_owned: bool
    ) -> None:
        self.descriptor = descriptor
        self.memories = memories
        self._is_owned = is_owned

    @property
    def image_bytes(self) -> int:
        """The size of all images together."""
        return sum(each.image.size_bytes for each in self.memories if each.image is not None)

    def __del__(self) -> None:
        if self._is_owned:
            os.close(self.descriptor)
