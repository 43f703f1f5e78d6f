"""The code of capsules as files, to be handed to cells."""

import os
import threading
from typing import TYPE_CHECKING

from atectl.capsule.artifact_file import file_parts
from atectl.capsule.loading import Capsule

if TYPE_CHECKING:
    from atectl.capsule.cache import ArtifactCache
    from atectl.engine.metered import Engine

MAX_KEPT = 256
"""The most artifacts that are kept open; the oldest goes first."""


class Artifacts:
    """Open artifacts, by content. To be closed.

    Args:
        engine: what they are for.
        cache: where most of them are; None if no cache has any.
    """

    def __init__(self, engine: "Engine", cache: "ArtifactCache | None") -> None:
        self._engine = engine
        self._cache = cache
        self._lock = threading.Lock()
        self._open: dict[str, int] = {}

    def descriptor(self, capsule: Capsule) -> int:
        """A descriptor of its artifact, to be closed.

        Raises:
            OSError: there is no descriptor or no memory left.
        """
        with self._lock:
            kept = self._open.get(capsule.sha256)
            if kept is None:
                kept = self._open[capsule.sha256] = self._new(capsule)
                if len(self._open) > MAX_KEPT:
                    os.close(self._open.pop(next(iter(self._open))))
            return os.dup(kept)

    def _new(self, capsule: Capsule) -> int:
        stored = None
        if self._cache is not None:
            stored = self._cache.open_stored(self._engine, capsule.sha256)
        return _in_memory(capsule) if stored is None else stored.descriptor

    def close(self) -> None:
        """Close them all; idempotent."""
        with self._lock:
            for descriptor in self._open.values():
                os.close(descriptor)
            self._open.clear()


def _in_memory(capsule: Capsule) -> int:
    """Its artifact in a file in memory: no cache has kept it."""
    if capsule.images is not None:
        return os.dup(capsule.images.descriptor)
    descriptor = os.memfd_create("artifact")
    try:
        for part in file_parts(capsule.code.serialize(), None):
            left = memoryview(part)
            while left:
                left = left[os.write(descriptor, left) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
