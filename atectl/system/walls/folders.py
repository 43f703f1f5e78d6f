"""The walls of the kernel's Landlock: which files a thread can still open, and whether it can reach
into other processes.

That of folders is put around the thread that runs a guest, once its folders are open, and holds for
threads which that one starts. Other threads of the process write the ledger and the report, and are
not held by it. What is open already stays so.

That of other processes leaves all files open, and can be put around a process before it has
threads. These can neither read nor change the memory of processes that are not behind the same
wall, by /proc or otherwise, and newer kernels let no signal of theirs through.
"""

import os
import struct
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

from atectl.system.libc import libc, reason
from atectl.system.walls.wall import Wall, holding, not_here

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_BENEATH = 1

_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE, _MAKE_FOLDER, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_DEVICES_SOCKETS_AND_PIPES = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11
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

FOLDERS, _APART = "folders", "other processes"
_OURS = str(Path(__file__).parents[2])
"""Where atectl is: an importer of its own may find it, and no path of Python's."""
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")


class FolderRules:
    """Rules by which threads are kept to some folders, and to reading the code of atectl.

    To be closed, after which those threads stay as they are.

    Args:
        granted: the path of each folder, and whether it may only be read.
    """

    def __init__(self, granted: Iterable[tuple[str, bool]]) -> None:
        self._rules, self._version = -1, _version()
        self._why_not = _why_unusable(self._version)
        if not self._why_not:
            self._make(granted)

    @property
    def can_hold(self) -> bool:
        """Whether the system has such rules."""
        return not self._why_not

    def keep_here(self) -> Wall:
        """Keep the calling thread to them."""
        if not self._why_not and libc.syscall(_RESTRICT, self._rules, 0):
            self._why_not = f"the system refuses it: {reason()}"
        if self._why_not:
            return not_here(FOLDERS, self._why_not)
        opens = "the guest's thread opens what it was granted"
        return holding(FOLDERS, f"{opens} (Landlock {self._version})")

    def close(self) -> None:
        """Idempotent."""
        if self._rules >= 0:
            os.close(self._rules)
            self._rules = -1

    def _make(self, granted: Iterable[tuple[str, bool]]) -> None:
        handled = (1 << _RIGHTS.get(self._version, _RIGHTS_NOW)) - 1
        self._rules = _create(self._version, handled)
        if self._rules < 0:
            self._why_not = f"the system refuses it: {reason()}"
            return
        try:
            for path, is_read_only in granted:
                rights = handled & (_LOOKING if is_read_only else _USING)
                _allow(self._rules, path, rights & _rights_at(path))
        except OSError as error:
            self._why_not = f"a folder cannot be allowed: {error.strerror or error}"
        for path, rights in _code(tuple(sys.path)):
            # What is gone, or cannot be opened, need not be allowed.
            with suppress(OSError):
                _allow(self._rules, path, rights)


def keep_to(granted: Iterable[tuple[str, bool]]) -> Wall:
    """Keep this thread to some folders: see `FolderRules`."""
    with closing(FolderRules(granted)) as rules:
        return rules.keep_here()


def prepare() -> None:
    """Work out where code is that may be read, for processes that are forked."""
    _code(tuple(sys.path))


def stay_apart() -> Wall:
    """Keep this thread, and those that it starts, from reaching into other processes.

    All files stay open to it. It can make no devices, sockets and pipes, and start no program.
    """
    version = _version()
    why_not = _why_unusable(version)
    if why_not:
        return not_here(_APART, why_not)
    # The kernel denies moving files between folders wherever that is not allowed by name.
    rules = _create(version, _MAKE_DEVICES_SOCKETS_AND_PIPES | _EXECUTE | _MOVE)
    if rules < 0:
        return not_here(_APART, f"the system refuses it: {reason()}")
    try:
        _allow(rules, "/", _MOVE)
        if libc.syscall(_RESTRICT, rules, 0):
            return not_here(_APART, f"the system refuses it: {reason()}")
    except OSError as error:
        return not_here(_APART, f"no folder can be allowed: {error.strerror or error}")
    finally:
        os.close(rules)
    return holding(_APART, f"their memory is neither read nor changed (Landlock {version})")


def _why_unusable(version: int) -> str:
    """Why a version of Landlock is of no use; empty if it is."""
    if version < 1:
        return "the system has no Landlock, or it is switched off"
    if version == 1:
        # It would refuse every guest to move files between its own folders.
        return "this version of Landlock cannot allow files to be moved"
    return ""


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
        given = struct.pack("=Qi", rights, descriptor)
        if libc.syscall(_ADD_RULE, rules, _BENEATH, given, 0):
            raise OSError(0, reason())
    finally:
        os.close(descriptor)


def _rights_at(path: str) -> int:
    """The rights that there are to what is at a path."""
    return -1 if os.path.isdir(path) else _OF_FILES  # noqa: PTH112 - pathlib costs more


@cache
def _code(importable: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Where modules and libraries are that a thread may still have to import, each with rights.

    Args:
        importable: where Python finds modules.
    """
    found: list[tuple[str, int]] = []
    for path in sorted({_OURS, *importable, *_LIBRARIES} - {""}):
        is_beneath = any(path.startswith(f"{above}/") for above, _ in found)
        if not is_beneath and os.path.exists(path):  # noqa: PTH110 - at every run
            found.append((path, _LOOKING & _rights_at(path)))
    return tuple(found)
