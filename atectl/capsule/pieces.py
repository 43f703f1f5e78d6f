"""Bytes in pieces: read from a file, looked at before they are consumed, joined."""

import io
from collections.abc import Iterator
from hashlib import sha256
from typing import Protocol

PIECE_BYTES = 64 << 10
"""The maximum number of bytes that are handled at once."""


class Readable(Protocol):
    """A binary file, or an object that reads like one."""

    def read(self, size: int, /) -> bytes: ...


class FilePieces:
    """A file in pieces, counted and hashed as they are read."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._hash = sha256()
        self.size_bytes = 0
        """How many bytes were read so far."""

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._file.read(PIECE_BYTES):
            self.size_bytes += len(piece)
            self._hash.update(piece)
            yield piece

    @property
    def sha256(self) -> str:
        """The hash of what was read so far, in hexadecimal digits."""
        return self._hash.hexdigest()


class Pieces:
    """Pieces whose beginning can be looked at first. They can be iterated once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._rest = pieces
        self._head = b""

    def peek(self, count: int) -> bytes:
        """At least the first `count` bytes, or all if there are fewer."""
        held = [self._head]
        size = len(self._head)
        while size < count and (piece := next(self._rest, None)) is not None:
            held.append(piece)
            size += len(piece)
        self._head = b"".join(held)
        return self._head

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from self._rest


def joined(pieces: Pieces, max_bytes: int) -> bytes | None:
    """All pieces joined; None if they are more than `max_bytes` together.

    The buffer grows in place and becomes the result: there is never a second copy.
    """
    buffer = io.BytesIO()
    for piece in pieces:
        if buffer.tell() + len(piece) > max_bytes:
            return None
        buffer.write(piece)
    return buffer.getvalue()
