"""From a file to code that may run: found in the cache, refused, or compiled by another process.

This process never holds the content of the file. A capsule that is in the cache is not even read,
and none of the code that judges or compiles is imported for it.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.artifact_file import ArtifactFile, Target, image_bytes_in
from atectl.capsule.cache import ArtifactCache, Made, announced, hash_of
from atectl.capsule.cache_folder import NewFile
from atectl.capsule.creation import Creation
from atectl.capsule.limits import CompileLimits
from atectl.capsule.source import Source, exhausted
from atectl.errors import AtectlError, CacheUnusable, CapsuleError, EngineFailure

if TYPE_CHECKING:
    from atectl.capsule.compilation import Compilation
    from atectl.capsule.compiler import Compiler
    from atectl.capsule.refusal import Refusal
    from atectl.capsule.task import Work
    from atectl.capsule.verdict import Effort, Verdict
    from atectl.engine.kind import Kind


class Capsule(NamedTuple):
    """A capsule that is compiled, and may run."""

    name: str
    """The file's name as it is; make it inert before it is shown."""
    kind: "Kind"
    sha256: str
    """The hash of the file, as it was read."""
    creates: Creation
    """What one instantiation creates at most."""
    has_start: bool
    """Whether it is a core module with a start function, which runs when it is instantiated."""
    was_cached: bool
    cache_error: CacheUnusable | None = None
    """Why the cache could not keep the artifact, if it could not."""
    compile_s: float = 0.0
    """Seconds that compiling took by the clock, 0 where it came from the cache."""
    compile_cpu_s: float = 0.0
    compile_peak_bytes: int = 0
    """The most resident bytes that the process that compiled it took."""
    package: str | None = None
    """The name in its Capsule.toml, as it is written there; None if it has no manifest."""
    version: str | None = None
    """The version in its Capsule.toml, likewise."""
    memory_bytes: int = 0
    """The size of its artifact where that is in memory; 0 where the cache has it in a file."""
    image_bytes: int = 0
    """How much of the memory of a lease is shared, until the guest changes it."""
    artifact: ArtifactFile | None = None
    """The file of its code; None where that is mapped already, and not needed any more."""

    def as_known(self) -> "Capsule":
        """This capsule for leases that did not have it compiled: without compile times."""
        nothing = {"compile_s": 0.0, "compile_cpu_s": 0.0, "compile_peak_bytes": 0}
        return self._replace(was_cached=True, **nothing)  # type: ignore[arg-type]

    @property
    def title(self) -> str:
        """What people see as its name: its file, and its package if it has one."""
        return f"{self.name} ({self.package} {self.version})" if self.package else self.name


class Uncompiled:
    """A capsule that is neither in the cache nor known to be refused. To be closed."""

    def __init__(
        self, target: Target, source: Source, cache: ArtifactCache | None, sha256: str | None
    ) -> None:
        self.name = source.name
        self.sha256 = sha256
        """The hash of the file, from looking it up or compiling it; None before."""
        self.verdict: Verdict | None = None
        """The result of the last compilation; None if there was none."""
        self.effort: Effort | None = None
        """What all attempts to compile it took; None if there was none."""
        self._target = target
        self._source = source
        self._cache = cache

    def __enter__(self) -> "Uncompiled":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._source.close()

    def with_its_own(self, source: Source) -> "Uncompiled":
        """A copy of this with another source, which the copy closes."""
        return Uncompiled(self._target, source, self._cache, self.sha256)

    def compile(
        self,
        compiler: "Compiler",
        until: float | None = None,
        begun: "Callable[[Compilation], None] | None" = None,
        limits: CompileLimits | None = None,
        granted_bytes: int | None = None,
        *,
        as_command: bool = False,
        sharing: str = "",
    ) -> "Capsule | Refusal":
        """Judge and compile it in another process, and keep the result in the cache.

        If another process is about to do the same, this waits for what comes of that.

        Args:
            until: when to give up waiting, by `time.monotonic`; None for no such time.
            begun: called with the compilation, so that the caller can cut it short.
            limits: the limits of this compilation; None for those of the compiler.
            granted_bytes: the memory that it may allocate at first; None for all that its limit
                allows.
            as_command: whether it needs an entry point, so that one without is not compiled.
            sharing: the principal with whose other small capsules it may share a process.

        Raises:
            DeadlinePassed: that time came first (exit 124).
            CompilerGone, HostExhausted: it could not be judged (exit 125).
            OutgrewGrant: it needs more memory than it was granted, and its limit allows more.
        """
        # What is in the cache is not compiled, and should not pay for this import.
        from atectl.capsule.task import COMMAND, COMPILE

        try:
            with ExitStack() as opened:
                known = self._known_by_now(opened, limits or compiler.limits, until)
                if known is not None:
                    return known
                work = COMMAND if as_command else COMPILE
                begin = self._begin(opened, compiler, limits, granted_bytes, work, sharing)
                return self._compile(*begin, until, begun)
        except OSError as error:
            raise exhausted(self.name, error.errno) from None

    def _known_by_now(
        self, opened: ExitStack, limits: CompileLimits, until: float | None
    ) -> "Capsule | Refusal | None":
        """What another process found out while this one waited for its turn; None if nothing."""
        cache, sha256 = self._cache, self.sha256
        if cache is None or sha256 is None:
            return None
        patience_ends = time.monotonic() + limits.deadline_s
        ends = patience_ends if until is None else min(until, patience_ends)
        opened.enter_context(cache.turn(self._target, sha256, ends))
        return _kept(self._target, self._source, cache, sha256, limits)

    def estimate_bytes(self) -> int:
        """What compiling it may be expected to take: see `capsule.estimate`."""
        from atectl.capsule.estimate import estimate_bytes

        return estimate_bytes(self._source, is_kept=self._cache is not None)

    def _begin(
        self,
        opened: ExitStack,
        compiler: "Compiler",
        limits: CompileLimits | None,
        granted_bytes: int | None,
        work: "Work",
        sharing: str,
    ) -> "tuple[Compilation, NewFile | None]":
        """Begin to compile it, into a file of the cache if there is one."""
        file = None if self._cache is None else self._cache.new_artifact()
        place = None if file is None else opened.enter_context(file).descriptor
        capsule = self._source.descriptor
        compilation = compiler.begin(
            self.name,
            capsule,
            place,
            limits,
            granted_bytes,
            part=self._source.part,
            work=work,
            sharing=sharing,
        )
        return opened.enter_context(compilation), file

    def _compile(
        self,
        compilation: "Compilation",
        file: NewFile | None,
        until: float | None,
        begun: "Callable[[Compilation], None] | None",
    ) -> "Capsule | Refusal":
        self.verdict = verdict = self._verdict(compilation, until, begun)
        self._require_announced(verdict)
        self.sha256 = verdict.sha256 or self.sha256
        if verdict.made is None:
            return self._refused(verdict)
        place = compilation.memory if file is None or verdict.unkept else file.descriptor
        artifact, image_bytes = ArtifactFile(os.dup(place)), image_bytes_in(place)
        if image_bytes is None:
            raise EngineFailure(f"{self.name}: what was compiled is damaged")
        error = self._keep(file, verdict.made, verdict.unkept)
        sha256, kind, creates, has_start, _ = verdict.made
        known = (self.name, kind, sha256, creates, has_start)
        capsule = Capsule(
            *known, False, error, *verdict.effort, image_bytes=image_bytes, artifact=artifact
        )
        if place == compilation.memory:
            capsule = capsule._replace(memory_bytes=os.fstat(place).st_size)
        return _as_announced(capsule, self._source)

    def _verdict(
        self,
        compilation: "Compilation",
        until: float | None,
        begun: "Callable[[Compilation], None] | None",
    ) -> "Verdict":
        """The verdict, with what all attempts took; an error tells that too."""
        try:
            if begun is not None:
                begun(compilation)
            verdict = compilation.verdict(until)
        except BaseException as failure:
            compilation.close()
            effort = self._count(compilation.effort)
            if isinstance(failure, AtectlError):
                effort.tell(failure)
            raise
        return verdict._replace(effort=self._count(verdict.effort))

    def _count(self, effort: "Effort") -> "Effort":
        self.effort = effort if self.effort is None else effort.after(self.effort)
        return self.effort

    def _require_announced(self, verdict: "Verdict") -> None:
        """Check that what was compiled is what was compared with its manifest before."""
        if announced(self._source) is not None and verdict.sha256 not in (None, self.sha256):
            from atectl.capsule.errors import ManifestMismatch

            raise ManifestMismatch(f"{self.name} was changed while its hash was checked")

    def _keep(self, file: NewFile | None, made: Made, unkept: str) -> CacheUnusable | None:
        """Keep the artifact in the cache, if there is one. Returns why that failed, or None."""
        if self._cache is None:
            return None
        if file is None or unkept:
            return self._cache.unkept(unkept or "no file could be made")
        try:
            self._cache.keep(self._target, file, made, capsule=self.name)
        except CacheUnusable as error:
            return error
        return None

    def _refused(self, verdict: "Verdict") -> "Refusal":
        """The refusal of a verdict. It is kept if the next attempt would end the same way."""
        refusal = verdict.refusal
        assert refusal is not None  # noqa: S101 - nothing was made
        if self._cache is not None and self.sha256 is not None and refusal.is_certain:
            findings = self._cache.findings(self._target)
            findings.remember_refusal(self.sha256, refusal, self.name)
        return refusal


def look_up(
    target: Target,
    source: Source,
    cache: ArtifactCache | None,
    limits: CompileLimits,
    sha256: str | None = None,
) -> "Capsule | Refusal | Uncompiled":
    """What is known about an open capsule. Only an `Uncompiled` keeps `source` and closes it.

    Args:
        sha256: the hash of the content of `source`; None to find it out if needed.

    Raises:
        AtectlError: see `hash_of`.
    """
    if sha256 is None and (cache is not None or announced(source) is not None):
        sha256 = hash_of(source, cache)
    if cache is None or sha256 is None:
        return Uncompiled(target, source, cache, sha256)
    try:
        kept = _kept(target, source, cache, sha256, limits)
    except OSError as error:
        raise exhausted(source.name, error.errno) from None
    return kept or Uncompiled(target, source, cache, sha256)


def _kept(
    target: Target, source: Source, cache: ArtifactCache, sha256: str, limits: CompileLimits
) -> "Capsule | Refusal | None":
    """What the cache has of a content; None if that is nothing.

    Raises:
        OSError: no more files can be opened.
    """
    artifact = cache.load(target, sha256)
    if artifact is None:
        return cache.findings(target).refusal(sha256, limits, source.name)
    kind, creates, has_start, image_bytes, file = artifact
    known = (source.name, kind, sha256, creates, has_start)
    capsule = Capsule(*known, was_cached=True, image_bytes=image_bytes, artifact=file)
    return _as_announced(capsule, source)


def _as_announced(capsule: Capsule, source: Source) -> Capsule:
    """The capsule with the name and version in its manifest."""
    manifest = source.manifest
    if manifest is None:
        return capsule
    return capsule._replace(package=manifest.name, version=manifest.version)


def find(
    target: Target, path: Path, cache: ArtifactCache | None, limits: CompileLimits
) -> Capsule | Uncompiled:
    """The capsule at `path`: from the cache, or still to be compiled.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, or not permitted (exit 126).
        CapsuleTooLarge: it is larger than the limits allow (exit 126).
        CapsuleError: its content was refused before, and would be again (exit 126).
        HostExhausted: no more files can be opened (exit 125).
    """
    source = _open(path, limits.max_capsule_bytes)
    found: Capsule | Refusal | Uncompiled | None = None
    try:
        found = look_up(target, source, cache, limits)
    finally:
        if not isinstance(found, Uncompiled):
            source.close()
    return found if isinstance(found, Uncompiled) else required(found, source.name)


def _open(path: Path, max_bytes: int) -> Source:
    if path.parts[:2] in _DEVICES:
        # Few capsules come through a pipe; the others should not pay for this import.
        from atectl.capsule.piped import piped

        source = piped(path, max_bytes)
        if source is not None:
            return source
    return Source.open(path, max_bytes)


_DEVICES = (("/", "dev"), ("/", "proc"))


def load(
    target: Target,
    path: Path,
    cache: ArtifactCache | None,
    compiler: "Compiler",
    until: float | None = None,
) -> Capsule:
    """The capsule at `path`, from the cache or compiled.

    Raises:
        CapsuleError: it cannot be run (exit 126 or 127).
        AtectlError: see `find` and `Uncompiled.compile`.
    """
    found = find(target, path, cache, compiler.limits)
    if isinstance(found, Capsule):
        return found
    with found:
        return required(found.compile(compiler, until), found.name, found.verdict)


def required(found: "Capsule | Refusal", name: str, verdict: "Verdict | None" = None) -> Capsule:
    """The capsule that was found.

    Args:
        name: of its file.
        verdict: the result of the compilation that found it out, None if there was none just now.

    Raises:
        AtectlError: the reason why it was refused (exit 126; 125 if a package is missing).
    """
    if isinstance(found, Capsule):
        return found
    error = found.error(name)
    if verdict is not None:
        verdict.effort.tell(error)
        if isinstance(error, CapsuleError):
            error.sha256 = verdict.sha256
    raise error
