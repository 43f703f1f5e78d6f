"""How much more the cache may keep before all that it keeps has to be looked at again.

To look at everything for each artifact would take the longer the more there are: a thousand small
modules would be a million looks.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

from atectl.capsule.cache_folder import CacheFolder

_MOST_ENTRIES = 256
"""How many are kept at most before the next look: other processes keep artifacts here, too."""

_FEW = 64
"""Where more than so many are kept, room is made for some at once."""

_SHARE = 16
"""One part in so many of a full cache is freed."""


class _Room(NamedTuple):
    size_bytes: int = 0
    entries: int = 0


class CacheRoom:
    """The room in a cache, as this process knows of it. Any thread may call it."""

    def __init__(self) -> None:
        self._room = _Room()
        self._lock = threading.Lock()

    def take(
        self, size_bytes: int, folder: CacheFolder, max_bytes: int, clock_ns: Callable[[], int]
    ) -> None:
        """Count an artifact that was kept; make room for more if there is none left.

        Args:
            size_bytes: what it takes.
            folder, max_bytes, clock_ns: as in `cache_entries.prune`.
        """
        with self._lock:
            size_left, entries_left = self._room
            self._room = _Room(size_left - size_bytes, entries_left - 1)
            if min(self._room) < 0:
                self._room = _make_room(folder, max_bytes, clock_ns)


def _make_room(folder: CacheFolder, max_bytes: int, clock_ns: Callable[[], int]) -> _Room:
    from atectl.capsule.cache_entries import MAX_ENTRIES, prune

    removal = prune(folder, max_bytes, clock_ns)
    if removal.artifacts and removal.left > _FEW:
        least_bytes, least_entries = max_bytes // _SHARE, MAX_ENTRIES // _SHARE
        removal = prune(folder, max_bytes - least_bytes, clock_ns, MAX_ENTRIES - least_entries)
    # Half of it: others may take as much meanwhile.
    entries = min((MAX_ENTRIES - removal.left) // 2, _MOST_ENTRIES)
    return _Room((max_bytes - removal.left_bytes) // 2, entries)
