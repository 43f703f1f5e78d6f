"""Paths of jobs that run on other machines: `share:NAME/path`, in a folder that hosts share."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from atectl.budget.errors import NotOnHosts
from atectl.engine.wasi import Folder, Streams, WasiSettings, require_own_names
from atectl.errors import BadFolder, quoted

SHARE = "share:"
SHARE_NAME = "[A-Za-z0-9_-]{1,64}"


def share_of(path: str) -> str | None:
    """The name of the share that `share:NAME/path` begins with; None of any other path."""
    if not path.startswith(SHARE):
        return None
    name = path.removeprefix(SHARE).partition("/")[0]
    return name if re.fullmatch(SHARE_NAME, name, re.ASCII) else None


def shares_in(wasi: WasiSettings) -> frozenset[str]:
    """The shares that the files and folders of a job are in."""
    streams = wasi.streams or Streams()
    paths = [*(each.host for each in wasi.folders), streams.stdin, streams.stdout, streams.stderr]
    return frozenset(name for path in paths if path is not None and (name := share_of(path)))


def require_shared(key: str, path: str) -> str:
    """A path of a job for other machines, which has to be in a share and to stay there.

    Raises:
        NotOnHosts: it is not (exit 2).
    """
    name = share_of(path)
    if name is None:
        raise NotOnHosts(
            f"{key}: {quoted(path)} is a path of this machine, which hosts do not have"
        )
    if ".." in PurePosixPath(path).parts:
        raise NotOnHosts(
            f"{key}: {quoted(path)} leads out of its share", remedy="write it without '..'"
        )
    return path


def shared_streams(named: Mapping[str, str]) -> Streams:
    """The files of a job's streams, by the names of these.

    Raises:
        NotOnHosts: one is in no share, or two are one file (exit 2).
    """
    seen: dict[str, str] = {}
    for name, path in named.items():
        require_shared(name, path)
        other = seen.setdefault(str(PurePosixPath(path)), name)
        if other != name:
            raise NotOnHosts(
                f"{other} and {name} are one file, {quoted(path)}",
                remedy="give each its own file",
            )
    return Streams(named.get("stdin"), named.get("stdout"), named.get("stderr"))


def shared_folders(texts: Iterable[str]) -> tuple[Folder, ...]:
    """Folders from texts as `share:NAME/path[::GUEST][:ro]`.

    The name for the guest is that of the folder if none is given.

    Raises:
        NotOnHosts: one is in no share (exit 2).
        BadFolder: two have one name, or one leads out of the guest's own root (exit 2).
    """
    folders = tuple(map(_shared_folder, texts))
    require_own_names(folders)
    return folders


def _shared_folder(text: str) -> Folder:
    path = text.removesuffix(":ro")
    host, separator, guest = path.partition("::")
    require_shared("dirs", host)
    guest = guest if separator else f"/{PurePosixPath(host.removeprefix(SHARE)).name}"
    if not guest or ".." in PurePosixPath(guest).parts:
        raise BadFolder(f"{quoted(text)} has no name for the guest that stays in its root")
    return Folder(host, guest, path != text)
