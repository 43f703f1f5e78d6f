"""Folders of a host that jobs from other machines may name: `share:NAME/path`."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from atectl.batch.fleet.errors import BadShare
from atectl.budget.errors import NotOnHosts
from atectl.budget.shared_paths import SHARE, SHARE_NAME, require_shared
from atectl.engine.wasi import Folder, Streams, WasiSettings
from atectl.errors import quoted


def parse_share(text: str) -> tuple[str, Path]:
    """A share from NAME=DIR, the folder as it really is.

    Raises:
        BadShare: it has no such form, or there is no such folder (exit 2).
    """
    name, separator, folder = text.partition("=")
    if not separator or re.fullmatch(SHARE_NAME, name, re.ASCII) is None or not folder:
        raise BadShare(f"{quoted(text)} is no NAME=DIR")
    path = Path(os.path.realpath(folder))
    if not path.is_dir():
        raise BadShare(f"{quoted(folder)} is no folder")
    return name, path


class Shares:
    """The folders that a host shares.

    Args:
        folders: each by its name.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)

    @property
    def names(self) -> Iterable[str]:
        return self._folders

    def settled(self, wasi: WasiSettings) -> WasiSettings:
        """The settings of a job with paths of this host in place of those in shares.

        Where they lead through a link, opening them refuses that: see `atectl.system.opening`.

        Raises:
            NotOnHosts: a path is in no share of this host, or leads out of it (exit 2).
        """
        streams = wasi.streams
        if streams is not None:
            streams = Streams(
                self._optional("stdin", streams.stdin),
                self._optional("stdout", streams.stdout),
                self._optional("stderr", streams.stderr),
            )
        folders = tuple(
            Folder(self._path("dirs", each.host), each.guest, each.read_only)
            for each in wasi.folders
        )
        return wasi._replace(streams=streams, folders=folders)

    def _optional(self, key: str, path: str | None) -> str | None:
        return None if path is None else self._path(key, path)

    def _path(self, key: str, path: str) -> str:
        require_shared(key, path)
        name, _, inner = path.removeprefix(SHARE).partition("/")
        folder = self._folders.get(name)
        if folder is None:
            raise NotOnHosts(f"{key}: this host has no share {name!r}")
        # An absolute path, or one without '..', stays below the folder that it is joined to.
        return os.path.normpath(f"{folder}/{inner}")
