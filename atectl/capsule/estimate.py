"""How much memory compiling a capsule may be expected to take, before it is read.

What it really takes depends on what its functions are like: it is granted more as it goes on, if
there is more to be had. An estimate that is too high has it wait without need, one that is too low
may have it begin again.

Measured, as the most memory of its own that the process that compiles takes, with two threads:

| capsule | code | functions | memory | for a byte of code |
| --- | --- | --- | --- | --- |
| hello, and other small fixtures | < 1 kB | < 10 | 5 MiB | |
| resvg, a renderer of SVG | 1.8 MB | 2,527 | 75 MiB | 42 bytes |
| CPython 3.12 | 6.2 MB | 11,448 | 740 MiB | 122 bytes |
"""

import os

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader, kind_of
from atectl.capsule.source import Source
from atectl.capsule.task import compile_threads

_MIB = 1 << 20
_LEAST_BYTES = 4 << 20
_FOR_A_THREAD_BYTES = 2 << 20
_FOR_A_BYTE_OF_CODE = 80
_FOR_A_BYTE_OF_TEXT = 32
"""Of the text form, and of what is encoded."""

_MOST_SECTIONS = 1_000
"""How many sections are looked at; a capsule with more is taken to be nothing but code."""

_HEAD_BYTES = 16
_CODE = 10
_NESTING = {1, 4}
"""The sections of a component that hold a module or a component."""


def estimate_bytes(source: Source, *, is_kept: bool) -> int:
    """The memory, in whole MiB, that compiling `source` may be expected to take.

    Only the heads of its sections are read. One that cannot be read counts by its size.

    Args:
        is_kept: whether the artifact goes to a file, and takes no memory.
    """
    return -(-_estimate(source, is_kept=is_kept) // _MIB) * _MIB


def _estimate(source: Source, *, is_kept: bool) -> int:
    start, size_bytes = source.part or (0, source.status.st_size)
    least_bytes = _LEAST_BYTES + _FOR_A_THREAD_BYTES * compile_threads()
    try:
        code_bytes = _code_bytes(source.descriptor, start, start + size_bytes)
    except (OSError, MalformedBinary):
        return least_bytes + size_bytes * _FOR_A_BYTE_OF_TEXT
    # The file is held once, and its artifact is about as large.
    held_bytes = size_bytes if is_kept else 2 * size_bytes
    return least_bytes + held_bytes + code_bytes * _FOR_A_BYTE_OF_CODE


def _code_bytes(descriptor: int, start: int, end: int) -> int:
    """What its functions take, those of all modules in a component together."""
    size_bytes, found_bytes, left = end - start, 0, _MOST_SECTIONS
    parts = [(start, end)]  # where a module or component begins and ends, yet to be looked at
    while parts:
        position, end = parts.pop()
        kind = kind_of(os.pread(descriptor, HEADER_BYTES, position))
        position += HEADER_BYTES
        while position < end:
            if left == 0:
                return size_bytes
            left -= 1
            head = os.pread(descriptor, _HEAD_BYTES, position)
            reader = Reader(head, 0, len(head))
            number, length = reader.byte(), reader.number()
            contents = position + reader.position
            position = contents + length
            if kind == "component" and number in _NESTING:
                parts.append((contents, position))
            elif kind == "module" and number == _CODE:
                found_bytes += length
    return found_bytes
