"""Files and folders that a batch, or its host, needs for itself: no job writes there."""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from atectl.system.identity import Identity, Place, identities, identity_of

Named = Iterable[tuple[str, Place]]
"""Files or folders, and what each is."""


class Reserved(NamedTuple):
    """What is reserved. Each has words for what it is."""

    files: Mapping[Identity, str] = {}
    """Those that were there, by whatever name."""
    places: Mapping[tuple[Identity, str], str] = {}
    """Where files are, or may come to be: the folder, and the name in it."""
    folders: Mapping[Identity, str] = {}

    def found_at(self, path: str) -> str | None:
        """What is said of a file at this path, as the end of a sentence; None if it is free."""
        folder, name = os.path.split(path)
        try:
            identity = identity_of(os.stat(folder or "."))  # noqa: PTH116 - it is text already
        except OSError:
            return None
        if identity is None:
            return None
        if (identity, name) in self.places:
            return f"is {self.places[identity, name]}"
        return f"is in {self.folders[identity]}" if identity in self.folders else None


def reserve(files: Named, folders: Named = ()) -> Reserved:
    """Reserve these, whether they are there or not; a folder has to be there."""
    files = list(files)
    return Reserved(identities(files), _places(files), identities(folders))


def _places(files: Named) -> dict[tuple[Identity, str], str]:
    found: dict[tuple[Identity, str], str] = {}
    for what, place in files:
        if place is None or isinstance(place, int):
            continue
        folder, name = os.path.split(os.path.realpath(place))
        for identity in identities([(what, folder)]):
            found.setdefault((identity, name), what)
    return found
