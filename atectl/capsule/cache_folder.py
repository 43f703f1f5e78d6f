"""A folder that is its user's alone, whose files are placed whole and opened with suspicion."""

import contextlib
import os
import stat
from binascii import crc32
from pathlib import Path

from atectl.errors import CacheUnusable

TEMPORARY = ".tmp"
"""How the name of a file ends that is still being written."""

_FORMAT = "format 1\n"
_MAX_RECORD_BYTES = 16_384


class CacheFolder:
    """An open folder. Nothing that others could have put into it is ever opened.

    Raises:
        CacheUnusable: it cannot be made or opened, or others may use it (exit 125).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = _open_or_make(path)
        except OSError as error:
            raise CacheUnusable(f"{path}: {error.strerror}") from None
        problem = _problem(os.fstat(self._descriptor))
        if problem is not None:
            self.close()
            raise CacheUnusable(f"{path}: {problem}")

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def open_file(self, name: str) -> int | None:
        """A descriptor of a regular file that only its user can have written, else None."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags, dir_fd=self._descriptor)
        except OSError:
            return None
        status = os.fstat(descriptor)
        is_private = status.st_uid == os.geteuid() and status.st_mode & 0o022 == 0
        if stat.S_ISREG(status.st_mode) and is_private:
            return descriptor
        os.close(descriptor)
        return None

    def write(self, name: str, content: bytes | bytearray) -> os.stat_result:
        """Place a file whole or not at all; its status once it is in place.

        Raises:
            OSError: it could not be written; nothing is left of it.
        """
        temporary = f"{name}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=self._descriptor)
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
            folder = self._descriptor
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            return os.fstat(descriptor)
        except BaseException:
            self.remove(temporary)
            raise
        finally:
            os.close(descriptor)

    def read_record(self, name: str) -> dict[str, str] | None:
        """What `write_record` wrote; None if there is no such file or it is damaged."""
        descriptor = self.open_file(name)
        if descriptor is None:
            return None
        try:
            return _decode(os.read(descriptor, _MAX_RECORD_BYTES))
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def write_record(self, name: str, record: dict[str, str]) -> None:
        """Place a record of texts of one line each.

        Raises:
            OSError: it could not be written; nothing is left of it.
        """
        self.write(name, _encode(record))

    def files(self) -> dict[str, os.stat_result]:
        found: dict[str, os.stat_result] = {}
        with os.scandir(self._descriptor) as scan:
            for item in scan:
                with contextlib.suppress(OSError):  # another process may have removed it
                    found[item.name] = item.stat(follow_symlinks=False)
        return found

    def touch(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(name, dir_fd=self._descriptor, follow_symlinks=False)

    def remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)


def _open_or_make(path: Path) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        path.mkdir(0o700, exist_ok=True)
        return os.open(path, flags)


def _problem(status: os.stat_result) -> str | None:
    """Why a folder cannot be trusted; None if it can."""
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        return f"the folder belongs to user {status.st_uid}"
    return f"the folder has mode {mode:04o}, not 0700" if mode & 0o077 else None


def _encode(record: dict[str, str]) -> bytes:
    """Lines of `name value` under a checksum: a damaged record is no record."""
    body = _FORMAT + "".join(f"{name} {value}\n" for name, value in record.items())
    return f"{crc32(body.encode()):08x}\n{body}".encode()


def _decode(content: bytes) -> dict[str, str] | None:
    checksum, _, body = content.partition(b"\n")
    if checksum != b"%08x" % crc32(body) or not body.startswith(_FORMAT.encode()):
        return None
    lines = body.decode().removeprefix(_FORMAT).split("\n")
    return dict(line.split(" ", 1) for line in lines if line)
