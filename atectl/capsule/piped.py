"""A capsule that comes through a pipe, such as stdin or `<(…)` of a shell: read once, and kept."""

import os
import stat
from pathlib import Path

from atectl.capsule.errors import CapsuleTooLarge
from atectl.capsule.source import STDIN, Source, exhausted
from atectl.errors import CapsuleUnreadable
from atectl.units import format_size

_FOLDERS = ("/dev/fd/", "/proc/self/fd/")
_CHUNK_BYTES = 1 << 20
_STDERR = 2


def piped(path: Path, max_bytes: int) -> Source | None:
    """The capsule in the pipe that `path` leads to; None if it leads to none of this process.

    Args:
        max_bytes: the most that is read.

    Raises:
        CapsuleUnreadable: it is a terminal, or cannot be read (exit 126).
        CapsuleTooLarge: there is more in it than `max_bytes` (exit 126).
        HostExhausted: there is no memory left for it (exit 125).
    """
    number = _descriptor(path)
    if number is None:
        return None
    name = "stdin" if number == 0 else path.name
    try:
        status = os.fstat(number)
        if os.isatty(number):
            raise CapsuleUnreadable(
                f"{name} is a terminal, and the capsule would be read from it",
                remedy="send it a capsule: < capsule.wasm",
            )
        if not (stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
            return None
        copy = _copied(number, name, max_bytes)
    except OSError as error:
        raise CapsuleUnreadable(f"{name}: {error.strerror}") from None
    return Source(Path(name), copy, os.fstat(copy), is_kept=False)


def keep_piped(path: Path, max_bytes: int) -> None:
    """Let a path that leads to a pipe lead to a file with all that came through it.

    So it can be opened as often as it has to be. Any other path is left as it is.

    Raises:
        CapsuleUnreadable, CapsuleTooLarge, HostExhausted: see `piped`.
    """
    source = piped(path, max_bytes)
    if source is None:
        return
    number = _descriptor(path)
    assert number is not None  # noqa: S101 - or there would be no source
    with source:
        os.lseek(source.descriptor, 0, os.SEEK_SET)
        os.dup2(source.descriptor, number, inheritable=number <= _STDERR)


def _descriptor(path: Path) -> int | None:
    """The descriptor that a path is a name of; None if it is a name of none."""
    text = str(path)
    if path == STDIN:
        return 0
    for folder in _FOLDERS:
        number = text.removeprefix(folder)
        if number != text and number.isascii() and number.isdigit() and len(number) < 8:
            return int(number)
    return None


def _copied(number: int, name: str, max_bytes: int) -> int:
    """A file in memory with all that comes through a descriptor."""
    try:
        copy = os.memfd_create(f"capsule from {name}")
    except OSError as error:
        raise exhausted(name, error.errno) from None
    try:
        left = max_bytes
        while chunk := os.read(number, min(_CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                most = format_size(max_bytes)
                raise CapsuleTooLarge(f"{name} has more than {most}; no such capsule is accepted")
            os.write(copy, chunk)
    except BaseException:
        os.close(copy)
        raise
    return copy
