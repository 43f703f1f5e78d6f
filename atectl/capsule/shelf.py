"""The capsules of a host, each compiled once however many leases ask for it at the same time.

The file at a path is checked for each lease, so that its current content runs. Loaded capsules are
kept by content. A failure that says nothing about the content is not kept.
"""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.arbitration.compile_room import CompileRoom
from atectl.arbitration.compiles import Ask, Grant
from atectl.capsule.artifact_file import Target
from atectl.capsule.cache import SETTLED_NS, ArtifactCache, hash_of, identity_of
from atectl.capsule.compiler import Compiler
from atectl.capsule.loading import Capsule, Uncompiled, look_up, required
from atectl.capsule.shared_loading import Asker, SharedLoading
from atectl.capsule.source import Source
from atectl.config import MANIFEST_NAME
from atectl.errors import DeadlinePassed, NoEntryPoint

if TYPE_CHECKING:
    from atectl.capsule.compilation import Compilation
    from atectl.capsule.refusal import Refusal
    from atectl.capsule.shared_loading import Known
    from atectl.capsule.verdict import Verdict

MAX_CAPSULES = 256
"""The most paths, and the most capsules and refusals, that are kept; the oldest go first."""

_ENDING_S = 5.0
"""How long to wait for the end of what was cut short."""


class _Seen(NamedTuple):
    """What was found at a path: the capsule's file, and the manifest that may describe it."""

    file: Path
    identity: str
    """Of the file."""
    manifest: Path
    """Where its manifest is, if it has one."""
    manifest_identity: str | None
    """Of the manifest; None if there is none."""
    sha256: str
    """The hash of the file's content."""
    package: str | None
    version: str | None

    @classmethod
    def of(cls, path: Path, source: Source, sha256: str) -> "_Seen":
        manifest, described = path.parent / MANIFEST_NAME, source.manifest
        package = None if described is None else described.name
        version = None if described is None else described.version
        return cls(
            source.path,
            identity_of(source.status),
            manifest,
            _identity_at(manifest),
            sha256,
            package,
            version,
        )

    @property
    def is_unchanged(self) -> bool:
        """Whether the same files are there now."""
        if _identity_at(self.file) != self.identity:
            return False
        if self.manifest_identity is None:  # as mostly: this is the faster way to see that
            return not os.access(self.manifest, os.F_OK)
        return _identity_at(self.manifest) == self.manifest_identity

    def named(self, capsule: Capsule) -> Capsule:
        """A capsule of this content, called as it is here: others may have the same content."""
        here = (self.file.name, self.package, self.version)
        if (capsule.name, capsule.package, capsule.version) == here:
            return capsule
        name, package, version = here
        return capsule._replace(name=name, package=package, version=version)


def _identity_at(path: Path) -> str | None:
    """The identity of what is at a path; None if nothing is, or it cannot be looked at."""
    try:
        return identity_of(os.stat(path))  # noqa: PTH116
    except (OSError, ValueError):
        return None


class CapsuleShelf:
    """Loaded capsules by path and by content. To be closed.

    Args:
        target: what they are compiled for.
        cache: where compiled capsules are kept; None to keep them only here.
        compiler: compiles those that are not in the cache; it begins nothing more once this is
            closed.
        room: grants them the memory for it, in turn.
    """

    def __init__(
        self, target: Target, cache: ArtifactCache | None, compiler: Compiler, room: CompileRoom
    ) -> None:
        self._target = target
        self._cache = cache
        self._compiler = compiler
        self._room = room
        self._is_closed = False
        self._lock = threading.Lock()
        self._seen: dict[Path, _Seen] = {}
        self._known: dict[str, Known] = {}
        self._loading: dict[str, SharedLoading] = {}

    def get(
        self, path: Path, principal: str, until: float | None = None, *, as_command: bool = False
    ) -> Capsule:
        """The capsule that is at `path` now.

        Args:
            principal: who asks. The first who does is charged for compiling it.
            until: when to give up waiting, by `time.monotonic`; None for no such time.
            as_command: whether it needs an entry point, so that one without is not compiled.

        Raises:
            CapsuleError: it cannot be run (exit 126 or 127).
            DeadlinePassed: that time came first (exit 124).
            CompilerGone: the process that compiled it was ended, or this is closed (exit 125).
            HostExhausted: the machine had too few resources left to load it (exit 125).
            NoRoomToCompile: the host's limit left too little memory to compile it (exit 137).
        """
        at_hand = self.at_hand(path, principal, as_command=as_command)
        if at_hand is not None:
            return at_hand
        seen, known, verdict = self._look_again(path, Asker(principal, until, as_command))
        return seen.named(required(known, seen.file.name, verdict))

    def at_hand(self, path: Path, principal: str, *, as_command: bool = False) -> Capsule | None:
        """The capsule that is at `path` now, if it is known; this never waits. See `get`."""
        seen = self._seen.get(path)
        if seen is None or not seen.is_unchanged:
            return None
        known = self._known_of(seen.sha256, Asker(principal, None, as_command))
        return None if known is None else seen.named(required(known, seen.file.name, None))

    def reject(self, capsule: Capsule) -> None:
        """Forget the code of a capsule, since the engine does not take it.

        What was compiled anew meanwhile stays.
        """
        with self._lock:
            known = self._known.get(capsule.sha256)
            is_newer = isinstance(known, Capsule) and known.artifact is not capsule.artifact
            if not is_newer:
                self._forget(capsule.sha256)
        if self._cache is not None and not is_newer:
            self._cache.remove(self._target, capsule.sha256)

    @property
    def kept_bytes(self) -> int:
        """The size of all code here that no cache has in a file, so that it stays in memory."""
        with self._lock:
            known = list(self._known.values())
        return sum(each.memory_bytes for each in known if isinstance(each, Capsule))

    def close(self) -> None:
        """Cut all compilations short, and begin no more; idempotent."""
        self._is_closed = True
        self._compiler.finish()

    def _known_of(self, sha256: str, ask: Asker) -> "Known | None":
        """What is known of a content: code for all who ask, a lack of entry points for some."""
        return self._known.get(sha256) or self._known.get(ask.key(sha256))

    def _look_again(self, path: Path, ask: Asker) -> "tuple[_Seen, Known, Verdict | None]":
        with self._opened(path) as source:
            began_ns = time.time_ns()
            sha256 = hash_of(source, self._cache)
            seen = _Seen.of(path, source, sha256)
            known, verdict = self._load(source, sha256, ask)
        # A file that changed a moment ago could change again without a visible difference.
        changed_ns = source.status.st_ctime_ns
        if seen.manifest_identity is not None:
            with suppress(OSError):
                changed_ns = max(changed_ns, os.stat(seen.manifest).st_ctime_ns)  # noqa: PTH116
        if began_ns - changed_ns >= SETTLED_NS:
            with self._lock:
                self._take_note(path, seen)
        return seen, known, verdict

    def _opened(self, path: Path) -> Source:
        return Source.open(path, self._compiler.limits.max_capsule_bytes)

    def _take_note(self, path: Path, seen: _Seen) -> None:
        """Remember what is at a path, and forget content that no path leads to any more."""
        before = self._seen.pop(path, None)
        self._seen[path] = seen
        if before is not None and all(each.sha256 != before.sha256 for each in self._seen.values()):
            self._forget(before.sha256)
        if len(self._seen) > MAX_CAPSULES:
            del self._seen[next(iter(self._seen))]

    def _forget(self, sha256: str) -> None:
        for as_command in (False, True):
            self._known.pop(Asker("", None, as_command).key(sha256), None)

    def _load(self, source: Source, sha256: str, ask: Asker) -> "tuple[Known, Verdict | None]":
        """The result for a content: known already, or waited for. The first caller loads it."""
        with self._lock:
            known = self._known_of(sha256, ask)
            if known is not None:
                return known, None
            loading = self._loading.get(ask.key(sha256))
            is_first = loading is None
            if loading is None:
                loading = self._loading[ask.key(sha256)] = SharedLoading(ask, sha256)
            loading.waiting += 1
        try:
            if is_first:
                self._begin(loading, source)
            if loading.has_ended(ask.until):
                return loading.result()
        finally:
            is_abandoned = self._leave(loading)
        what = "being compiled" if loading.is_begun else "waiting to be compiled"
        late = DeadlinePassed(f"{source.name} was still {what} at its deadline")
        # It is charged for what it had begun, unless others wait for that.
        if is_abandoned and loading.has_ended(time.monotonic() + _ENDING_S):
            loading.tell_effort(late)
        raise late

    def _leave(self, loading: SharedLoading) -> bool:
        """Wait for it no more. Returns whether nobody else does: then it is cut short."""
        with self._lock:
            loading.waiting -= 1
            if loading.waiting or self._loading.get(loading.key) is not loading:
                return False
            del self._loading[loading.key]
        loading.abandon()
        return True

    def _begin(self, loading: SharedLoading, source: Source) -> None:
        """Look a content up, and have it compiled if nothing is known about it."""
        try:
            limits = self._compiler.limits
            found = look_up(self._target, source, self._cache, limits, loading.sha256)
            if isinstance(found, Uncompiled):
                # The first caller may leave, and close its source, while others still wait.
                found = found.with_its_own(source.duplicate())
            if isinstance(found, Uncompiled):
                work = (loading, found)
                threading.Thread(target=self._compile, args=work, daemon=True).start()
            else:
                self._end(loading, found)
        except BaseException as failure:
            self._end(loading, failure)

    def _compile(self, loading: SharedLoading, uncompiled: Uncompiled) -> None:
        """Compile once it is its turn and there is memory for it."""
        try:
            with uncompiled:
                compiled = self._compile_in_turn(loading, uncompiled)
            self._end(loading, compiled, uncompiled)
        except BaseException as failure:
            self._end(loading, failure, uncompiled)

    def _compile_in_turn(self, loading: SharedLoading, uncompiled: Uncompiled) -> "Known":
        # Most batches find all in the cache, and should not pay for this import.
        from atectl.capsule.in_turn import in_turn

        def is_wanted() -> bool:
            return not (loading.is_abandoned or self._is_closed)

        ask = Ask(loading.ask.principal, uncompiled.estimate_bytes())
        return in_turn(
            uncompiled.name,
            self._room,
            ask,
            is_wanted,
            lambda grant: self._compile_under(grant, loading, uncompiled),
        )

    def _compile_under(
        self, grant: Grant, loading: SharedLoading, uncompiled: Uncompiled
    ) -> "Known":
        from atectl.capsule.attending import attend

        def begun(compilation: "Compilation") -> None:
            loading.begun(compilation)
            attend(compilation, self._room, grant)

        limits = self._compiler.limits._replace(memory_bytes=grant.most_bytes)
        return uncompiled.compile(
            self._compiler,
            begun=begun,
            limits=limits,
            granted_bytes=grant.granted_bytes,
            as_command=loading.ask.as_command,
            sharing=loading.ask.principal,
        )

    def _end(
        self,
        loading: SharedLoading,
        came_to: "Known | BaseException",
        compiled: Uncompiled | None = None,
    ) -> None:
        """Give the result to all who wait, and keep it if the next attempt would end the same way.

        Args:
            compiled: what was to be compiled, None if nothing was. Its hash is not `sha256` if
                the file was changed between being hashed and being compiled.
        """
        sha256 = (None if compiled is None else compiled.sha256) or loading.sha256
        with self._lock:
            if self._loading.get(loading.key) is loading:
                del self._loading[loading.key]
            if isinstance(came_to, Capsule):
                self._known[sha256] = came_to.as_known()
            elif not isinstance(came_to, BaseException):
                self._keep_refusal(came_to, loading.ask, sha256)
            if len(self._known) > MAX_CAPSULES:
                del self._known[next(iter(self._known))]
        verdict, effort = (None, None) if compiled is None else (compiled.verdict, compiled.effort)
        loading.end(came_to, verdict, effort)

    def _keep_refusal(self, refusal: "Refusal", ask: Asker, sha256: str) -> None:
        if refusal.code == NoEntryPoint.code:
            self._known[ask.key(sha256)] = refusal
        elif refusal.is_certain:
            self._known[sha256] = refusal
