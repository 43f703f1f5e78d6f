"""What a capsule is on disk: read once, and compiled or taken from the cache.

A capsule that is in the cache is not read, and nothing that judges or compiles is imported.
"""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.cache import Artifact, ArtifactCache, Engine
from atectl.errors import CacheUnusable, CapsuleNotFound, CapsuleUnreadable
from atectl.units import format_size, show_size

if TYPE_CHECKING:
    from atectl.capsule.cache import Code
    from atectl.engine.kind import Kind

MAX_CAPSULE_BYTES = 1 << 30
"""The largest file read. Compiling takes many times as much memory."""


class Capsule(NamedTuple):
    """A capsule, compiled and ready to be instantiated."""

    name: str
    """The file's name as it is; make it inert before it is shown."""
    kind: "Kind"
    code: "Code"
    sha256: str
    """Of the file as it was read."""
    table_bound: int
    """How many tables one instantiation can create at most."""
    was_cached: bool
    cache_error: CacheUnusable | None
    """Why the cache could not keep the artifact, if it could not."""


def load(engine: Engine, path: Path, cache: ArtifactCache | None) -> Capsule:
    """Read, judge and compile the capsule at `path`, or take its artifact from `cache`.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, not permitted, or too large (exit 126).
        NotWebAssembly, TruncatedCapsule, InvalidCapsule, PrecompiledCapsule: its content is
            not that of a capsule (exit 126).
    """
    with _Source(path) as source:
        if cache is None:
            content = source.read()
            artifact = _compile(engine, path.name, content)
            return _capsule(path.name, _hash(content), artifact)
        return _load_through(engine, source, cache)


def load_known(engine: Engine, path: Path, cache: ArtifactCache) -> Capsule | None:
    """The capsule at `path` if `cache` has its artifact; nothing is compiled.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, not permitted, or too large (exit 126).
    """
    with _Source(path) as source:
        return _known(engine, source, cache)[0]


def _known(
    engine: Engine, source: "_Source", cache: ArtifactCache
) -> tuple[Capsule | None, bytes, str]:
    """What the cache has of a capsule; failing that, its content and the hash of that."""
    name = source.path.name
    sha256 = cache.known_source(source.status)
    if sha256 is not None:
        known = cache.load(engine, sha256)
        if known is not None:
            return _capsule(name, sha256, known, was_cached=True), b"", sha256
    content = source.read()
    sha256 = _hash(content)
    cache.remember_source(source.status, sha256)
    known = cache.load(engine, sha256)
    found = None if known is None else _capsule(name, sha256, known, was_cached=True)
    return found, content, sha256


def _load_through(engine: Engine, source: "_Source", cache: ArtifactCache) -> Capsule:
    name = source.path.name
    found, content, sha256 = _known(engine, source, cache)
    if found is not None:
        return found
    artifact = _compile(engine, name, content)
    try:
        cache.store(engine, sha256, artifact, capsule=name)
    except CacheUnusable as error:
        return _capsule(name, sha256, artifact, cache_error=error)
    return _capsule(name, sha256, artifact)


def _compile(engine: Engine, name: str, content: bytes) -> Artifact:
    from atectl.capsule.compiling import compile_capsule

    return compile_capsule(engine, name, content)


class _Source:
    """A capsule's file, open for one reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:
            self._descriptor = os.open(path, flags)
            self.status = os.fstat(self._descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise CapsuleNotFound(f"{path}: no such file") from None
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None

    def __enter__(self) -> "_Source":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self) -> bytes:
        if not stat.S_ISREG(self.status.st_mode):
            raise CapsuleUnreadable(f"{self.path} is {_nature(self.status)}, not a regular file")
        if self.status.st_size > MAX_CAPSULE_BYTES:
            size, most = show_size(self.status.st_size), format_size(MAX_CAPSULE_BYTES)
            raise CapsuleUnreadable(
                f"{self.path} has {size}; no capsule over {most} is read",
                remedy="name a smaller capsule, or strip this one",
            )
        try:
            with open(self._descriptor, "rb", closefd=False) as file:
                return file.read(self.status.st_size)
        except OSError as error:
            raise _unreadable(self.path, error) from None


def _unreadable(path: Path, error: OSError | ValueError) -> CapsuleUnreadable:
    reason = error.strerror if isinstance(error, OSError) else None
    return CapsuleUnreadable(f"{path}: {reason or error}")


def _nature(status: os.stat_result) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "a folder"
    if stat.S_ISFIFO(status.st_mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(status.st_mode) else "a device"


def _capsule(
    name: str,
    sha256: str,
    artifact: Artifact,
    *,
    was_cached: bool = False,
    cache_error: CacheUnusable | None = None,
) -> Capsule:
    kind, tables, code = artifact
    return Capsule(name, kind, code, sha256, tables, was_cached, cache_error)


def _hash(content: bytes) -> str:
    # Not on the warm path, which it would lengthen by the time OpenSSL takes to load.
    from hashlib import sha256

    return sha256(content).hexdigest()
