"""From a file to code that may run: found in the cache, or refused, or compiled apart.

This process never holds what is in the file. A capsule that is in the cache is not even read,
and nothing that judges or compiles is imported for it.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.cache import ArtifactCache, Engine, Made, map_code
from atectl.capsule.cache_folder import NewFile
from atectl.capsule.limits import CompileLimits
from atectl.capsule.source import Source, exhausted
from atectl.errors import CacheUnusable, EngineFailure

if TYPE_CHECKING:
    from atectl.capsule.cache import Code
    from atectl.capsule.compilation import Compilation
    from atectl.capsule.compiler import Compiler
    from atectl.capsule.refusal import Refusal
    from atectl.capsule.verdict import Verdict
    from atectl.engine.kind import Kind


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
    cache_error: CacheUnusable | None = None
    """Why the cache could not keep the artifact, if it could not."""
    compile_s: float = 0.0
    """Seconds that compiling took by the clock, 0 where it came from the cache."""
    compile_cpu_s: float = 0.0
    compile_peak_bytes: int = 0
    """Resident bytes that the process that compiled it took at most."""
    package: str | None = None
    """What its Capsule.toml calls it, as it is written there; None where it has none."""
    version: str | None = None
    """Which version of that it is, likewise."""

    @property
    def title(self) -> str:
        """What people are told that it is: its file, and its package where it has one."""
        return f"{self.name} ({self.package} {self.version})" if self.package else self.name


class Uncompiled:
    """A capsule that is neither in the cache nor known to be refused. To be closed."""

    def __init__(
        self, engine: Engine, source: Source, cache: ArtifactCache | None, sha256: str | None
    ) -> None:
        self.name = source.name
        self.sha256 = sha256
        """Of the file as it was looked up, or read to be compiled; None if it was neither."""
        self._engine = engine
        self._source = source
        self._cache = cache

    def __enter__(self) -> "Uncompiled":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._source.close()

    def with_its_own(self, source: Source) -> "Uncompiled":
        """The same with this source, which it closes."""
        return Uncompiled(self._engine, source, self._cache, self.sha256)

    def compile(
        self,
        compiler: "Compiler",
        until: float | None = None,
        begun: "Callable[[Compilation], None] | None" = None,
    ) -> "Capsule | Refusal":
        """Have it judged and compiled, and keep what that comes to.

        Args:
            until: when nobody waits for it any more, by `time.monotonic`; None for never.
            begun: told of the compilation, which it may cut short.

        Raises:
            DeadlinePassed: that time came first (exit 124).
            CompilerGone, HostExhausted: nothing was found out about it (exit 125).
        """
        try:
            return self._compile(compiler, until, begun)
        except OSError as error:
            raise exhausted(self.name, error.errno) from None

    def _compile(
        self,
        compiler: "Compiler",
        until: float | None,
        begun: "Callable[[Compilation], None] | None",
    ) -> "Capsule | Refusal":
        from atectl.system.descriptors import reserve

        with ExitStack() as opened:
            with reserve():
                file = None if self._cache is None else self._cache.new_artifact()
                place = None if file is None else opened.enter_context(file).descriptor
                begin = compiler.begin(self.name, self._source.descriptor, place)
                compilation = opened.enter_context(begin)
            if begun is not None:
                begun(compilation)
            verdict = compilation.verdict(until)
            self._require_announced(verdict)
            self.sha256 = verdict.sha256 or self.sha256
            if verdict.made is None:
                return self._refused(verdict)
            if verdict.unkept or place is None:
                place = compilation.memory
            with reserve():
                code = map_code(self._engine, verdict.made.kind, place)
                if code is None:
                    raise EngineFailure(f"{self.name}: the engine cannot take what it compiled")
                error = self._keep(file, verdict.made, verdict.unkept)
        sha256, kind, tables, _ = verdict.made
        capsule = Capsule(self.name, kind, code, sha256, tables, False, error, *verdict.effort)
        return _as_announced(capsule, self._source)

    def _require_announced(self, verdict: "Verdict") -> None:
        """Do nothing unless what was compiled is not what was held to its manifest before."""
        if _announced(self._source) is not None and verdict.sha256 not in (None, self.sha256):
            from atectl.capsule.errors import ManifestMismatch

            raise ManifestMismatch(f"{self.name} was changed while its hash was checked")

    def _keep(self, file: NewFile | None, made: Made, unkept: str) -> CacheUnusable | None:
        """Have the cache keep the artifact; why it could not, if there is one."""
        if self._cache is None:
            return None
        if file is None or unkept:
            return self._cache.unkept(unkept or "no file could be made")
        try:
            self._cache.keep(self._engine, file, made, capsule=self.name)
        except CacheUnusable as error:
            return error
        return None

    def _refused(self, verdict: "Verdict") -> "Refusal":
        """The refusal of a verdict, which is remembered if it would be come to again."""
        refusal = verdict.refusal
        assert refusal is not None  # noqa: S101 - nothing was made
        if self._cache is not None and self.sha256 is not None and refusal.is_certain:
            self._cache.remember_refusal(self._engine, self.sha256, refusal)
        return refusal


def look_up(
    engine: Engine,
    source: Source,
    cache: ArtifactCache | None,
    limits: CompileLimits,
    sha256: str | None = None,
) -> "Capsule | Refusal | Uncompiled":
    """What is known of an open capsule: only what is neither of the others holds on to `source`.

    Args:
        sha256: of what `source` holds, None to find it out where it matters.

    Raises:
        AtectlError: as `hash_of` has it.
    """
    if sha256 is None and (cache is not None or _announced(source) is not None):
        sha256 = hash_of(source, cache)
    if cache is None or sha256 is None:
        return Uncompiled(engine, source, cache, sha256)
    try:
        artifact = cache.load(engine, sha256)
        if artifact is not None:
            kind, tables, code = artifact
            capsule = Capsule(source.name, kind, code, sha256, tables, was_cached=True)
            return _as_announced(capsule, source)
        return cache.refusal(engine, sha256, limits) or Uncompiled(engine, source, cache, sha256)
    except OSError as error:
        raise exhausted(source.name, error.errno) from None


def hash_of(source: Source, cache: ArtifactCache | None) -> str:
    """The hash of what `source` holds, which is not read if the cache has its hash.

    If a manifest announces a hash, it is held to that.

    Raises:
        CapsuleUnreadable: it cannot be read (exit 126).
        ManifestMismatch: it has not the hash that is announced (exit 126).
        ExtraMissing: the package for that hash is not installed (exit 125).
        HostExhausted: no more files can be opened (exit 125).
    """
    blake3 = _announced(source)
    try:
        known = None if cache is None else cache.known_source(source.status)
    except OSError as error:
        raise exhausted(source.name, error.errno) from None
    if known is not None and blake3 in (None, known.blake3):
        return known.sha256
    sha256 = source.hash() if blake3 is None else source.hash_as_announced(blake3)
    if cache is not None:
        cache.remember_source(source.status, sha256, blake3)
    return sha256


def _announced(source: Source) -> str | None:
    """The BLAKE3 that its manifest announces; None where there is none."""
    return None if source.manifest is None else source.manifest.blake3


def _as_announced(capsule: Capsule, source: Source) -> Capsule:
    """The capsule with what its manifest calls it."""
    manifest = source.manifest
    if manifest is None:
        return capsule
    return capsule._replace(package=manifest.name, version=manifest.version)


def find(
    engine: Engine, path: Path, cache: ArtifactCache | None, limits: CompileLimits
) -> Capsule | Uncompiled:
    """The capsule at `path` as the cache has it, or as yet to be compiled.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, or not permitted (exit 126).
        CapsuleTooLarge: it is larger than the limits allow (exit 126).
        CapsuleError: what it holds was refused before, and would be again (exit 126).
        HostExhausted: no more files can be opened (exit 125).
    """
    source = Source.open(path, limits.max_capsule_bytes)
    found: Capsule | Refusal | Uncompiled | None = None
    try:
        found = look_up(engine, source, cache, limits)
    finally:
        if not isinstance(found, Uncompiled):
            source.close()
    return found if isinstance(found, Uncompiled) else required(found, source.name)


def load(
    engine: Engine,
    path: Path,
    cache: ArtifactCache | None,
    compiler: "Compiler",
    until: float | None = None,
) -> Capsule:
    """The capsule at `path`, from the cache or compiled.

    Raises:
        CapsuleError: it is not run (exit 126 or 127).
        AtectlError: as `find` and `Uncompiled.compile` have it.
    """
    found = find(engine, path, cache, compiler.limits)
    if isinstance(found, Capsule):
        return found
    with found:
        return required(found.compile(compiler, until), found.name)


def required(found: "Capsule | Refusal", name: str) -> Capsule:
    """The capsule that was found.

    Args:
        name: of its file.

    Raises:
        AtectlError: it was refused, for this reason (exit 126; 125 where a package is missing).
    """
    if isinstance(found, Capsule):
        return found
    raise found.error(name)
