"""Lines of a stream that somebody else writes, as they come."""

import os
from collections.abc import Iterator

MAX_LINE_BYTES = 4 << 20
"""The longest line that is read whole. Of a longer one a byte more is passed on, and no more."""

_CHUNK_BYTES = 1 << 16


def lines_of(descriptor: int, max_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """The lines that can be read, each with its end, as soon as they are there.

    A line that is too long is passed on before it ends: it may have no end. A stream that has no
    data yet is waited for, also if it does not block.

    Raises:
        OSError: it cannot be read.
    """
    begun: list[bytes] = []
    length = 0
    is_too_long = False
    while chunk := _read(descriptor):
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            if not is_too_long:
                yield _joined(begun, piece + b"\n", max_bytes)
            begun, length, is_too_long = [], 0, False
        if rest and not is_too_long:
            begun.append(rest)
            length += len(rest)
        if length > max_bytes and not is_too_long:
            yield _joined(begun, b"", max_bytes)
            begun, is_too_long = [], True
    if begun:
        yield _joined(begun, b"", max_bytes)


def _joined(begun: list[bytes], piece: bytes, max_bytes: int) -> bytes:
    line = b"".join((*begun, piece)) if begun else piece
    return line if len(line) <= max_bytes else line[: max_bytes + 1]


def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            import select

            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            waiting.poll()
