"""The capsules of a host, each loaded once however many leases ask for it at the same time.

A large capsule that is not in the cache is compiled into it by a process apart, one at a time:
compiling takes a dozen times a capsule's size, and what is left of that afterwards would count
against every lease of the host.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from atectl.capsule.cache import ArtifactCache
from atectl.capsule.loading import Capsule, load, load_known
from atectl.engine.metered import Engine
from atectl.errors import AtectlError, CompilerGone, InternalError, error_classes

if TYPE_CHECKING:
    from atectl.system.apart import Apart

MAX_CAPSULES = 256
"""The most that are kept; the one loaded first goes first."""

COMPILED_APART_BYTES = 256 << 10
"""From this size on it pays to start a process, which takes about a tenth of a second."""


class _Loading:
    """One capsule, from when it was first asked for. A `Future` is this, and imports logging."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._capsule: Capsule | None = None
        self._failure: AtectlError | None = None

    def do(self, work: Callable[[], Capsule]) -> None:
        """Load it, or keep what kept it from being loaded."""
        try:
            self._capsule = work()
        except AtectlError as failure:
            self._failure = failure.with_traceback(None)
        except BaseException as failure:
            self._failure = InternalError(f"{type(failure).__name__}: {failure}")
        self._ended.set()

    def result(self) -> Capsule:
        """The capsule, once it is loaded; raises what loading it raised."""
        self._ended.wait()
        if self._capsule is not None:
            return self._capsule
        failure = self._failure or InternalError("a capsule was neither loaded nor refused")
        # One of its own for each who asks: an error that is raised keeps where it was.
        raise type(failure)(str(failure), remedy=failure.remedy)


class CapsuleShelf:
    """Loaded capsules by path.

    Args:
        engine: what they are compiled for.
        cache: where compiled capsules are kept, None to compile each in this process.
    """

    def __init__(self, engine: Engine, cache: ArtifactCache | None) -> None:
        self._engine = engine
        self._cache = cache
        self._lock = threading.Lock()
        self._compiling = threading.Lock()
        self._compiler: Apart | None = None
        self._is_closed = False
        self._loaded: dict[Path, _Loading] = {}

    def get(self, path: Path) -> Capsule:
        """The capsule at `path`, as it was when it was first asked for.

        Raises:
            CompilerGone: the process that compiled it was killed, or the shelf closed (exit 125).
            AtectlError: it could not be loaded: see `capsule.load`.
        """
        with self._lock:
            loading = self._loaded.get(path)
            is_first = loading is None
            if loading is None:
                loading = self._loaded[path] = _Loading()
                if len(self._loaded) > MAX_CAPSULES:
                    del self._loaded[next(iter(self._loaded))]
        if is_first:
            loading.do(lambda: self._load(path))
        return loading.result()

    def close(self) -> None:
        """Cut short what is being compiled apart; idempotent."""
        with self._lock:
            self._is_closed = True
            compiler = self._compiler
        if compiler is not None:
            compiler.cut_off()

    def _load(self, path: Path) -> Capsule:
        if self._cache is None or not _is_large(path):
            return load(self._engine, path, self._cache)
        with self._compiling:
            known = load_known(self._engine, path, self._cache)
            if known is not None:
                return known
            self._compile_apart(path, self._cache)
        return load(self._engine, path, self._cache)

    def _compile_apart(self, path: Path, cache: ArtifactCache) -> None:
        from atectl.system.apart import Apart, ApartFailed

        with self._lock:
            if self._is_closed:
                raise CompilerGone(f"{path.name} is not compiled: the host is ending")
            compiler = self._compiler = Apart("atectl.capsule.compile_child")
        question = {
            "capsule": str(path),
            "cache": str(cache.path),
            "max_bytes": cache.max_bytes,
        }
        try:
            refusal = compiler.ask(question)
        except ApartFailed as failure:
            raise CompilerGone(f"{path.name}: the process that compiled it: {failure}") from None
        if refusal is not None:
            code, message, remedy = refusal
            [kind] = (each for each in error_classes() if each.code == code)
            raise kind(message, remedy=remedy)


def _is_large(path: Path) -> bool:
    try:
        return os.stat(path).st_size >= COMPILED_APART_BYTES  # noqa: PTH116
    except OSError:
        return False  # `load` says what is wrong
