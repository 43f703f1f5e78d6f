"""Opening files without being led elsewhere by links that a guest may have made.

A guest with one writable folder can make links there, and rename what it finds. A later job's
file, opened by its path, would then be a file of the host. So no link is followed on the way to a
file, unless nobody who runs as this user could have made it.
"""

import errno
import os
import stat
from pathlib import Path

_OPENAT2 = 437  # the same number on every processor
_AT_FDCWD = -100
_NO_LINKS = 0x04 | 0x02  # RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS
_MOST_LINKS = 40
_ELSEWHERE = ("/dev/", "/proc/")
"""Nobody grants these, and their links lead to what this process has open already."""
_PATH = getattr(os, "O_PATH", os.O_RDONLY)
_has_openat2 = [True]


class LinkInTheWay(OSError):
    """The path leads through a link that a guest may have made."""


def open_unbent(path: str, flags: int, mode: int = 0o666) -> int:
    """A descriptor of the file at `path`, which is reached through no doubtful link.

    A link counts as safe if it is directly in `/`, or in a folder that this user cannot write.

    Raises:
        LinkInTheWay: there is another one.
        OSError: as `os.open`.
    """
    flags |= os.O_CLOEXEC
    if os.path.normpath(path).startswith(_ELSEWHERE):
        return os.open(path, flags, mode)
    if _has_openat2[0]:
        try:
            return _openat2(path, flags, mode)
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.EPERM):
                _has_openat2[0] = error.errno != errno.ENOSYS
            elif error.errno != errno.ELOOP:
                raise
    return _walk(path, flags, mode)


def _openat2(path: str, flags: int, mode: int) -> int:
    import ctypes

    from atectl.system.libc import libc

    creates = flags & os.O_CREAT
    how = (ctypes.c_uint64 * 3)(flags, mode if creates else 0, _NO_LINKS)
    number = ctypes.c_long(_OPENAT2)
    name = ctypes.c_char_p(os.fsencode(path))
    found: int = libc.syscall(
        number, ctypes.c_long(_AT_FDCWD), name, ctypes.byref(how), ctypes.c_size_t(24)
    )
    if found < 0:
        reason = ctypes.get_errno()
        raise OSError(reason, os.strerror(reason), path)
    return found


def _walk(path: str, flags: int, mode: int) -> int:
    """Open a path component by component."""
    parts = [part for part in path.split("/") if part][::-1]
    links = 0
    here = os.open("/" if path.startswith("/") else ".", _PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while parts:
            name = parts.pop()
            if _is_link(name, here):
                links += 1
                if links > _MOST_LINKS or not _is_safe(here):
                    raise LinkInTheWay(errno.ELOOP, f"{name} is a link", path)
                target = os.readlink(name, dir_fd=here)
                parts += [part for part in target.split("/") if part][::-1]
                if target.startswith("/"):
                    here = _instead(here, os.open("/", _PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            elif parts:
                way = _PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                here = _instead(here, os.open(name, way, dir_fd=here))
            else:
                return _open_last(name, flags, mode, here, path)
        return os.open(".", flags & ~os.O_CREAT, dir_fd=here)
    finally:
        os.close(here)


def _open_last(name: str, flags: int, mode: int, folder: int, path: str) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link has just been put there
            raise LinkInTheWay(errno.ELOOP, f"{name} is a link", path) from None
        raise


def _instead(before: int, after: int) -> int:
    os.close(before)
    return after


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _is_safe(folder: int) -> bool:
    """Whether no guest of this user can have made a link in that folder."""
    if os.path.samestat(os.fstat(folder), Path("/").stat()):
        return True
    return not os.access(f"/proc/self/fd/{folder}", os.W_OK)
