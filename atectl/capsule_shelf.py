"""The capsules of a host, each loaded once however many leases ask for it at the same time."""

import threading
from concurrent.futures import Future
from pathlib import Path

from atectl.artifact_cache import ArtifactCache
from atectl.capsule import Capsule, load
from atectl.engine import Engine

MAX_CAPSULES = 256
"""The most that are kept; the one loaded first goes first."""


class CapsuleShelf:
    """Loaded capsules by path.

    Args:
        engine: what they are compiled for.
        cache: where compiled capsules are kept, None to compile each.
    """

    def __init__(self, engine: Engine, cache: ArtifactCache | None) -> None:
        self._engine = engine
        self._cache = cache
        self._lock = threading.Lock()
        self._loaded: dict[Path, Future[Capsule]] = {}

    def get(self, path: Path) -> Capsule:
        """The capsule at `path`, as it was when it was first asked for.

        Raises:
            AtectlError: it could not be loaded: see `capsule.load`.
        """
        with self._lock:
            future = self._loaded.get(path)
            is_first = future is None
            if future is None:
                future = self._loaded[path] = Future()
                if len(self._loaded) > MAX_CAPSULES:
                    del self._loaded[next(iter(self._loaded))]
        if is_first:
            try:
                future.set_result(load(self._engine, path, self._cache))
            except BaseException as error:
                future.set_exception(error)
        return future.result()
