"""The contents of the cache of compiled capsules: listing them, and removing what is too much."""

from collections.abc import Callable
from typing import NamedTuple

from atectl.capsule.cache_folder import (
    ARTIFACT,
    NOTE,
    RECORD,
    REFUSAL,
    SOURCE,
    TEMPORARY,
    CacheFolder,
)
from atectl.units import Moment

MAX_ENTRIES = 4096
"""The maximum number of artifacts, of source hashes and of refusals, whatever their size."""

LEFTOVER_NS = 600_000_000_000
"""How old a half-written file must be to count as left behind by a writer that died."""


class Entry(NamedTuple):
    """A compiled capsule that is kept, for one engine."""

    key: str
    """What the names of its files begin with."""
    capsule: str
    """The name of the file that was compiled, inert."""
    kind: str
    """Whether the capsule is a module or a component."""
    sha256: str
    """The hash of the capsule's file, as it was read."""
    engine: str
    """The version and the settings of the engine that can load it."""
    size_bytes: int
    """Its size on disk."""
    used_at: Moment
    """When it was last used."""


class Removal(NamedTuple):
    """What was removed, and what is left: its size and how many artifacts."""

    artifacts: int
    freed_bytes: int
    left_bytes: int
    left: int


def entries(folder: CacheFolder) -> list[Entry]:
    """All kept artifacts, the most recently used first."""
    found: list[Entry] = []
    for kept in _kept(folder):
        record = folder.read_record(kept.key + RECORD)
        if record is not None:
            found.append(_entry(kept, record))
    return found


def prune(
    folder: CacheFolder,
    max_bytes: int,
    clock_ns: Callable[[], int],
    max_entries: int | None = None,
) -> Removal:
    """Remove leftovers, and the least recently used artifacts beyond `max_bytes`.

    Args:
        max_entries: how many artifacts are kept; None for `MAX_ENTRIES`.
    """
    most = MAX_ENTRIES if max_entries is None else max_entries
    _remove_leftovers(folder, clock_ns())
    count = removed = freed = total = 0
    for kept in _kept(folder):
        if count < most and total + kept.size_bytes <= max_bytes:
            count, total = count + 1, total + kept.size_bytes
        else:
            folder.remove(kept.key + RECORD)
            folder.remove(kept.key + ARTIFACT)
            removed, freed = removed + 1, freed + kept.size_bytes
    return Removal(removed, freed, total, count)


def clear(folder: CacheFolder, clock_ns: Callable[[], int]) -> Removal:
    """Remove everything except files that other processes are writing at this moment."""
    removal = prune(folder, 0, clock_ns)
    for name in folder.files():
        if name.endswith(_SMALL):
            folder.remove(name)
    return removal


_SMALL = (SOURCE, REFUSAL, NOTE)
"""The suffixes of records without an artifact. The latest `MAX_ENTRIES` of each are kept."""


class _Kept(NamedTuple):
    key: str
    size_bytes: int
    used_at_ns: int


def _kept(folder: CacheFolder) -> list[_Kept]:
    """The complete entries, the most recently used first."""
    files = folder.files()
    found = [
        _Kept(key, status.st_size + files[key + ARTIFACT].st_size, status.st_mtime_ns)
        for name, status in files.items()
        if name.endswith(RECORD) and (key := name.removesuffix(RECORD)) + ARTIFACT in files
    ]
    return sorted(found, key=lambda kept: (-kept.used_at_ns, kept.key))


def _remove_leftovers(folder: CacheFolder, now_ns: int) -> None:
    """Remove the files of killed writers, incomplete entries, and the oldest small records."""
    files = folder.files()
    small: dict[str, list[tuple[int, str]]] = {suffix: [] for suffix in _SMALL}
    for name, status in files.items():
        stem, _, extension = name.rpartition(".")
        suffix = f".{extension}"
        if suffix in small:
            small[suffix].append((status.st_mtime_ns, name))
        other = {ARTIFACT: stem + RECORD, RECORD: stem + ARTIFACT}.get(suffix)
        is_half = suffix == TEMPORARY or (other is not None and other not in files)
        if is_half and now_ns - status.st_mtime_ns > LEFTOVER_NS:
            folder.remove(name)
    for found in small.values():
        for _, name in sorted(found)[:-MAX_ENTRIES]:
            folder.remove(name)


def _entry(kept: _Kept, record: dict[str, str]) -> Entry:
    return Entry(
        key=kept.key,
        capsule=record["capsule"],
        kind=record["kind"],
        sha256=record["source"],
        engine=record["engine"],
        size_bytes=kept.size_bytes,
        used_at=kept.used_at_ns / 1e9,
    )
