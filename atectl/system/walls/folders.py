"""The wall of folders: which files a thread can still open, by the kernel's Landlock.

It is put around the thread that runs a guest, once its folders are open, and holds for threads
which that one starts. Other threads of the process write the ledger and the report, and are not
held by it. What is open already stays so.
"""

import os
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from atectl.system.walls.wall import Wall, holding, libc, not_here, reason

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_BENEATH = 1

_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE, _MAKE_FOLDER, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_LINK, _MOVE, _CUT = 1 << 12, 1 << 13, 1 << 14

_LOOKING = _READ | _LIST
_USING = (
    _LOOKING | _WRITE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _MAKE_LINK
    | _MOVE | _CUT
)  # fmt: skip
_OF_FILES = _EXECUTE | _WRITE | _READ | _CUT

_RIGHTS = {2: 14, 3: 15, 4: 15}
"""How many rights to files each version knows, from the second on; later ones know 16."""
_RIGHTS_NOW = 16
_WITH_NETWORK, _WITH_SCOPES = 4, 6
_NO_BIND_NO_CONNECT = 3
_NO_FOREIGN_SOCKETS_NO_FOREIGN_SIGNALS = 3

_NAME = "folders"
_OURS = str(Path(__file__).parents[2])
"""Where atectl is: an importer of its own may find it, and no path of Python's."""


def keep_to(granted: Iterable[tuple[str, bool]]) -> Wall:
    """Keep this thread to some folders, and to reading the code of atectl.

    Args:
        granted: the path of each folder, and whether it may only be read.
    """
    version = _version()
    if version < 1:
        return not_here(_NAME, "the system has no Landlock, or it is switched off")
    if version == 1:
        # It would refuse every guest to move files between its own folders.
        return not_here(_NAME, "this version of Landlock cannot allow files to be moved")
    handled = (1 << _RIGHTS.get(version, _RIGHTS_NOW)) - 1
    rules = _create(version, handled)
    if rules < 0:
        return not_here(_NAME, f"the system refuses it: {reason()}")
    try:
        for path, is_read_only in granted:
            _allow(rules, path, handled & (_LOOKING if is_read_only else _USING))
        for path in _code():
            # What is not there, or cannot be opened, need not be allowed.
            with suppress(OSError):
                _allow(rules, path, _LOOKING)
        if libc.syscall(_RESTRICT, rules, 0):
            return not_here(_NAME, f"the system refuses it: {reason()}")
    except OSError as error:
        return not_here(_NAME, f"a folder cannot be allowed: {error.strerror or error}")
    finally:
        os.close(rules)
    return holding(_NAME, f"the guest's thread opens what it was granted (Landlock {version})")


def _version() -> int:
    """The version of Landlock; less than 1 if there is none."""
    return int(libc.syscall(_CREATE, None, 0, _ASK_VERSION))


def _create(version: int, handled: int) -> int:
    """A descriptor of a new set of rules, less than 0 if it is refused."""
    given = struct.pack("Q", handled)
    if version >= _WITH_NETWORK:
        given += struct.pack("Q", _NO_BIND_NO_CONNECT)
    if version >= _WITH_SCOPES:
        given += struct.pack("Q", _NO_FOREIGN_SOCKETS_NO_FOREIGN_SIGNALS)
    return int(libc.syscall(_CREATE, given, len(given), 0))


def _allow(rules: int, path: str, rights: int) -> None:
    """Allow rights to what is at a path, and beneath it."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib costs more, at every run
            rights &= _OF_FILES
        given = struct.pack("=Qi", rights, descriptor)
        if libc.syscall(_ADD_RULE, rules, _BENEATH, given, 0):
            raise OSError(0, reason())
    finally:
        os.close(descriptor)


def _code() -> Iterable[str]:
    """Where modules and libraries are that this thread may still have to import."""
    yield _OURS
    yield from filter(None, sys.path)
    yield from ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
