"""What the cache of compiled capsules holds, as it is shown and as programs read it."""

from pathlib import Path
from typing import Annotated, NamedTuple

from atectl.capsule.cache import ArtifactCache
from atectl.capsule.cache_entries import Entry
from atectl.errors import CacheUnusable
from atectl.records.types import without


class ArtifactList(NamedTuple):
    """The compiled capsules that are kept, so that a second run starts at once."""

    folder: Path
    """Where they are kept."""
    max_bytes: int
    """The maximum size of all of them together."""
    total_bytes: int
    """The size of all of them together."""
    artifacts: tuple[Annotated[Entry, without("key")], ...]
    """The compiled capsules, the most recently used first."""


def artifacts_in(folder: Path, max_bytes: int) -> ArtifactList:
    """All that the cache in a folder holds; nothing if there is none yet: a look makes none.

    Raises:
        CacheUnusable: the folder cannot be opened, or others may use it (exit 125).
    """
    try:
        folder.lstat()
    except FileNotFoundError:
        return ArtifactList(folder, max_bytes, 0, ())
    except OSError as error:
        raise CacheUnusable(f"{folder}: {error.strerror}") from None
    with ArtifactCache.open(folder, max_bytes=max_bytes) as cache:
        entries = tuple(cache.entries())
    total_bytes = sum(entry.size_bytes for entry in entries)
    return ArtifactList(folder, max_bytes, total_bytes, entries)
