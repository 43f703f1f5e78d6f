"""Files that are written completely or not at all, where they were to be before anything ran."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from atectl.system.opening import LinkInTheWay, open_unbent


class OutputPlace:
    """Where one file is to be written later.

    Its folder is opened now, and what is at the path is looked at now: a guest that can write there
    may put something else in its place, which is then replaced and never followed.

    Raises:
        LinkInTheWay: the path leads through a link that a guest may have made.
        OSError: its folder cannot be opened or written, or it is a folder itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._replaced: os.stat_result | None = None
        self._folder = self._special = -1
        try:
            found = open_unbent(str(path), os.O_PATH)
        except FileNotFoundError:
            self._open_folder()
            return
        status = os.fstat(found)
        if stat.S_ISREG(status.st_mode):
            os.close(found)
            self._replaced = status
            self._open_folder()
        else:
            self._special = found
            is_folder = stat.S_ISDIR(status.st_mode)
            if is_folder or not os.access(f"/proc/self/fd/{found}", os.W_OK):
                self.close()
                reason = errno.EISDIR if is_folder else errno.EACCES
                raise OSError(reason, os.strerror(reason), str(path))

    def write(self, text: str, *, replaces: bool = True) -> None:
        """Write the file completely or not at all; into a pipe or device as far as that goes.

        It has the mode of the file that it replaces, and its owner as far as that is allowed.
        Any other goes by the umask.

        Args:
            text: what the file is to hold.
            replaces: whether a file may be there by now.

        Raises:
            FileExistsError: there is one that may not be replaced.
            OSError: it could not be written; what was there is unchanged.
        """
        if self._special >= 0:
            descriptor = os.open(f"/proc/self/fd/{self._special}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                _write_all(descriptor, text)
            finally:
                os.close(descriptor)
            return
        name = f".{self.path.name[:100]}.{os.urandom(8).hex()}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o666, dir_fd=self._folder)
        try:
            if self._replaced is not None:
                keep_owner_and_mode(descriptor, self._replaced)
            _write_all(descriptor, text)
            os.fsync(descriptor)
            self._place(name, text, replaces=replaces)
        except OSError:
            os.unlink(name, dir_fd=self._folder)
            raise
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Give up the place; idempotent."""
        for descriptor in (self._folder, self._special):
            if descriptor >= 0:
                os.close(descriptor)
        self._folder = self._special = -1

    def _place(self, name: str, text: str, *, replaces: bool) -> None:
        """Give the finished file its own name."""
        folder = self._folder
        if replaces:
            os.rename(name, self.path.name, src_dir_fd=folder, dst_dir_fd=folder)
            return
        try:
            # Unlike a rename, this replaces no file that another process has just written.
            os.link(name, self.path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileExistsError:
            raise
        except OSError:
            # Some file systems have no links, as FAT and some network drives.
            self._write_new(text)
        os.unlink(name, dir_fd=folder)

    def _write_new(self, text: str) -> None:
        """Write a new file under its own name. One that cannot be finished is removed again."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path.name, flags, 0o666, dir_fd=self._folder)
        try:
            _write_all(descriptor, text)
            os.fsync(descriptor)
        except BaseException:
            os.unlink(self.path.name, dir_fd=self._folder)
            raise
        finally:
            os.close(descriptor)

    def _open_folder(self) -> None:
        folder = str(self.path.parent)
        self._folder = open_unbent(folder, os.O_RDONLY | os.O_DIRECTORY)
        if not os.access(f"/proc/self/fd/{self._folder}", os.W_OK):
            self.close()
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)


def keep_owner_and_mode(descriptor: int, replaced: os.stat_result) -> None:
    """Give a new file the mode of the one that it replaces, and its owner as far as allowed."""
    with suppress(PermissionError):
        os.fchown(descriptor, replaced.st_uid, replaced.st_gid)
    # After the owner: a change of that may take bits from the mode.
    os.fchmod(descriptor, stat.S_IMODE(replaced.st_mode))


def why_unwritable(error: OSError) -> str:
    """What an error of `OutputPlace` says, as the end of a sentence."""
    if isinstance(error, LinkInTheWay):
        return f"{error.strerror}, which a guest may have made: name the file itself"
    return error.strerror or str(error)


def replace_file(path: Path, text: str) -> None:
    """Write a file completely or not at all. What was there is replaced.

    Raises:
        OSError: it could not be written; what was there is unchanged.
    """
    place = OutputPlace(path)
    try:
        place.write(text)
    finally:
        place.close()


def _write_all(descriptor: int, text: str) -> None:
    left = memoryview(text.encode())
    while left:
        left = left[os.write(descriptor, left) :]
