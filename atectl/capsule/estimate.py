"""How much memory compiling a capsule may be expected to take, before it is compiled.

What it really takes depends on what its functions are like: it is granted more as it goes on, if
there is more to be had. An estimate that is too high has it wait without need, one that is too low
may have it begin again.

Measured, as the most memory of its own that the process that compiles takes, with two threads:

| capsule | code | functions | memory | for a byte of code |
| --- | --- | --- | --- | --- |
| hello, and other small fixtures | < 1 kB | < 10 | 5 MiB | |
| resvg, a renderer of SVG | 1.8 MB | 2,527 | 77 MiB | 44 bytes |
| CPython 3.12 | 6.2 MB | 11,448 | 224 MiB | 38 bytes |

The longest function counts by itself: one is compiled as a whole, at some hundred bytes for each of
its own. Data does not count: it becomes images, see `initial_content`. Where it cannot, each of its
segments takes some 16 KiB.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MalformedBinary, Reader, kind_of
from atectl.capsule.source import Source
from atectl.capsule.task import compile_threads

_MIB = 1 << 20
_LEAST_BYTES = 4 << 20
_FOR_A_THREAD_BYTES = 2 << 20
_FOR_A_BYTE_OF_CODE = 32
_FOR_A_BYTE_OF_THE_LONGEST = 600
_FOR_A_BYTE_OF_TEXT = 32
"""Of the text form, and of what is encoded."""

_MOST_SECTIONS = 1_000
"""How many sections are looked at; a capsule with more is taken to be nothing but code."""

_MOST_FUNCTIONS = 20_000
"""In how many functions the longest is looked for."""

_HEAD_BYTES = 16
_PIECE_BYTES = 64 << 10
_CODE = 10
_NESTING = {1, 4}
"""The sections of a component that hold a module or a component."""

ReadAt = Callable[[int, int], bytes]
"""Reads so many bytes at a position; fewer at the end."""


class CodeSizes(NamedTuple):
    """The sizes of a capsule's functions, those of all modules in a component together."""

    code_bytes: int = 0
    largest_bytes: int = 0
    """Of the longest of them."""


def needed_bytes(binary_bytes: int, code: CodeSizes, *, is_kept: bool) -> int:
    """The memory, in whole MiB, that compiling a capsule of such sizes may be expected to take.

    Args:
        is_kept: whether the artifact goes to a file, and takes no memory.
    """
    # The binary is held once, and its artifact is about as large.
    held_bytes = binary_bytes if is_kept else 2 * binary_bytes
    of_code = _FOR_A_BYTE_OF_CODE * code.code_bytes
    return _whole(held_bytes + of_code + _FOR_A_BYTE_OF_THE_LONGEST * code.largest_bytes)


def estimate_bytes(source: Source, *, is_kept: bool) -> int:
    """The same for a capsule in a file, of which little is read: the heads of sections and
    functions. One that cannot be read so counts by its size.
    """
    start, size_bytes = source.part or (0, source.status.st_size)

    def read(count: int, position: int) -> bytes:
        return os.pread(source.descriptor, count, position)

    try:
        sizes = code_sizes(read, start, start + size_bytes)
    except (OSError, MalformedBinary):
        return _whole(size_bytes * _FOR_A_BYTE_OF_TEXT)
    return needed_bytes(size_bytes, sizes, is_kept=is_kept)


def code_sizes(read: ReadAt, start: int, end: int) -> CodeSizes:
    """The sizes of the functions in a binary.

    Raises:
        MalformedBinary: it is none, or is cut off or damaged.
    """
    size_bytes, found_bytes, largest_bytes, left = end - start, 0, 0, _MOST_SECTIONS
    parts = [(start, end)]  # where a module or component begins and ends, yet to be looked at
    while parts:
        position, end = parts.pop()
        kind = kind_of(read(HEADER_BYTES, position))
        position += HEADER_BYTES
        while position < end:
            if left == 0:
                return CodeSizes(size_bytes, largest_bytes)
            left -= 1
            head = read(_HEAD_BYTES, position)
            reader = Reader(head, 0, len(head))
            number, length = reader.byte(), reader.number()
            contents = position + reader.position
            position = contents + length
            if kind == "component" and number in _NESTING:
                parts.append((contents, position))
            elif kind == "module" and number == _CODE:
                found_bytes += length
                largest_bytes = max(largest_bytes, _largest_function(read, contents, position))
    return CodeSizes(found_bytes, largest_bytes)


def _largest_function(read: ReadAt, position: int, end: int) -> int:
    """The length of the longest function in a code section."""
    piece, begins, largest = b"", position, 0
    for index in range(_MOST_FUNCTIONS + 1):
        if position >= end:
            break
        if not begins <= position <= begins + len(piece) - _HEAD_BYTES:
            piece, begins = read(_PIECE_BYTES, position), position
        reader = Reader(piece, position - begins, len(piece))
        length = reader.number()
        position = begins + reader.position
        if index:  # the first number says how many functions there are
            largest = max(largest, length)
            position += length
    return largest


def _whole(size_bytes: int) -> int:
    """So much and what any compilation takes, in whole MiB."""
    size_bytes += _LEAST_BYTES + _FOR_A_THREAD_BYTES * compile_threads()
    return -(-size_bytes // _MIB) * _MIB
