"""A folder that only its user can access. Its files are complete, and are checked on opening."""

import contextlib
import os
import re
import stat
from binascii import crc32
from pathlib import Path

from atectl.capsule.records import decode, encode
from atectl.capsule.source import WANTS
from atectl.errors import CacheUnusable

TEMPORARY = ".tmp"
"""The suffix of a file that is still being written."""

ARTIFACT, RECORD, SOURCE, REFUSAL, NOTE = ".cwasm", ".meta", ".stat", ".refused", ".note"
"""The suffixes of the files of a cache: see `atectl.capsule.cache`."""

_OWN_NAME = (
    rf"[0-9a-f]{{64}}-[0-9a-f]{{8}}({ARTIFACT}|{RECORD}|{REFUSAL})"
    rf"|[0-9a-f]+-[0-9a-f]+{SOURCE}|[0-9]+-[0-9a-f]{{16}}{TEMPORARY}"
)
"""The names of files that a cache makes; the dots in them stand for any character."""

_MAX_RECORD_BYTES = 16_384


def entry_key(sha256: str, fingerprint: str) -> str:
    """What the names of all files begin with that are about one capsule, for one engine."""
    # The checksum may collide. Each file names the engine, so none of another is taken.
    return f"{sha256}-{crc32(fingerprint.encode()):08x}"


class CacheFolder:
    """An open folder. Files that another user could have written are never opened.

    Raises:
        CacheUnusable: it cannot be made or opened, or others may use it (exit 125).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.descriptor = _open_or_make(path)
        except OSError as error:
            # pathlib fails on a name that is too long.
            why = "it is a link" if os.path.islink(path) else error.strerror  # noqa: PTH114
            raise CacheUnusable(f"{path}: {why}") from None
        problem = _problem(os.fstat(self.descriptor))
        if problem is not None:
            self.close()
            raise CacheUnusable(f"{path}: {problem}")

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def open_file(self, name: str) -> int | None:
        """A descriptor of a regular file that only its user can have written, else None.

        Raises:
            OSError: no more files can be opened.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno in WANTS:
                raise
            return None
        status = os.fstat(descriptor)
        is_private = status.st_uid == os.geteuid() and status.st_mode & 0o022 == 0
        if stat.S_ISREG(status.st_mode) and is_private:
            return descriptor
        os.close(descriptor)
        return None

    def new_file(self) -> "NewFile":
        """A new file, to be written and then placed under its name.

        Raises:
            OSError: it could not be made.
        """
        return NewFile(self.descriptor)

    def write(self, name: str, content: bytes | bytearray) -> os.stat_result:
        """Write a small file under a temporary name, rename it, and return its status.

        It is not forced to the disk, which may take longer than to compile a small capsule: if the
        system goes down meanwhile, whoever reads it has to find it damaged.

        Raises:
            OSError: it could not be written; nothing is left of it.
        """
        with self.new_file() as file:
            left = memoryview(content)
            while left:
                left = left[os.write(file.descriptor, left) :]
            return file.place(name)

    def read_record(self, name: str) -> dict[str, str] | None:
        """What `write_record` wrote; None if there is no such file or its checksum is wrong.

        Raises:
            OSError: no more files can be opened.
        """
        descriptor = self.open_file(name)
        if descriptor is None:
            return None
        try:
            return decode(os.read(descriptor, _MAX_RECORD_BYTES))
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """What is in a file; None if there is none, or more than `max_bytes` of it.

        Raises:
            OSError: no more files can be opened.
        """
        descriptor = self.open_file(name)
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(max_bytes + 1)
        return content if len(content) <= max_bytes else None

    def write_record(self, name: str, record: dict[str, str]) -> None:
        """Write a record. Each of its values must be a single line.

        Raises:
            OSError: it could not be written; nothing is left of it.
        """
        self.write(name, encode(record))

    def files(self) -> dict[str, os.stat_result]:
        """The cache's own files; whatever else is in the folder is nobody's to touch."""
        # Compiled here: most commands use the cache and never list it.
        own_name = re.compile(_OWN_NAME)
        found: dict[str, os.stat_result] = {}
        with os.scandir(self.descriptor) as scan:
            for item in scan:
                if own_name.fullmatch(item.name) is None:
                    continue
                with contextlib.suppress(OSError):  # another process may have removed it
                    found[item.name] = item.stat(follow_symlinks=False)
        return found

    def touch(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(name, dir_fd=self.descriptor, follow_symlinks=False)

    def remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self.descriptor)


class NewFile:
    """A new file under a temporary name. It is deleted when closed, unless it was placed."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{os.urandom(8).hex()}{TEMPORARY}"
        self._is_placed = False
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.descriptor = os.open(self._name, flags, 0o600, dir_fd=folder)

    def place(self, name: str) -> os.stat_result:
        """Rename the file to `name`, and return its status. It must have been synced before.

        Raises:
            OSError: it could not be placed.
        """
        os.rename(self._name, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._is_placed = True
        return os.fstat(self.descriptor)

    def __enter__(self) -> "NewFile":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        if not self._is_placed:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)


def _open_or_make(path: Path) -> int:
    # Whoever put a link here would choose whose files are removed.
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
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
