"""Loading one capsule: known already, or read, compiled and started by processes of their own.

This process holds nothing of a capsule but what is told of it. What was found out is kept by
content in the cache, so that loading goes on where it was ended.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from atectl.arbitration.compile_room import CompileRoom
from atectl.arbitration.compiles import Ask, Grant
from atectl.capsule.attending import attend
from atectl.capsule.cache import Artifact, ArtifactCache, hash_of
from atectl.capsule.compilation import Compilation
from atectl.capsule.compile_child import is_text
from atectl.capsule.compiler import Compiler
from atectl.capsule.errors import NoRoomToCompile
from atectl.capsule.estimate import needed_bytes
from atectl.capsule.in_turn import in_turn
from atectl.capsule.limits import CompileLimits, most_untouched
from atectl.capsule.loading import Capsule, Uncompiled
from atectl.capsule.refusal import Refusal
from atectl.capsule.source import Source, exhausted
from atectl.capsule.task import SMALL_BYTES, Work
from atectl.errors import (
    AtectlError,
    CapsuleUnreadable,
    DeadlinePassed,
    EngineFailure,
    InternalError,
)
from atectl.load.facts import Facts
from atectl.load.inputs import Item
from atectl.load.results import OK, LoadedCapsule, bad, bad_start, with_facts
from atectl.load.start import Question, Start
from atectl.records.as_json import as_json
from atectl.records.from_json import NotOfThisKind, from_json
from atectl.units import duration_text

_SHARING = "load"
"""Everything that is loaded is loaded for the same principal, the user."""

_READING, _COMPILING, _STARTING = "reading", "compiling", "starting"
"""What there is to do has its turns as principals have theirs, so that each goes on."""

START_S = 5.0
"""How long a start function may run."""

_FACTS_WORK, _START_WORK = "atectl.load.facts_child", "atectl.load.start_child"

_PER_BYTE_READ, _PER_BYTE_OF_TEXT = 6, 80
"""What reading a file may take, in times its size: to decode it, and to assemble text."""

_LEAST_READ_BYTES = 4 << 20
"""What reading any file may take: even a small one can need a decoder."""

_START_BYTES = 64 << 20
"""What a capsule may take that is started, in any case."""

_MAX_ANSWER_BYTES = 8 << 20


class Compiled(NamedTuple):
    """What compiling a capsule took; None where it is not known."""

    wall_s: float | None = None
    peak_bytes: int | None = None


class Known(NamedTuple):
    """All that is kept of a capsule beside its code, or why it is refused.

    The facts are None if it is refused before they can be read, the start if it is refused later.
    """

    facts: Facts | None
    compiled: Compiled = Compiled()
    start: Start | None = None


class Loader:
    """Loads capsules; any number of threads may do so at once.

    Args:
        compiler: what works apart; it is to be prepared before there are threads.
        cache: where what is found out is kept.
        room: what bounds how much is done at once.
        is_wanted: asked now and then whether to go on.
    """

    def __init__(
        self,
        compiler: Compiler,
        cache: ArtifactCache,
        room: CompileRoom,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._compiler = compiler
        self._target = compiler.target
        self._cache = cache
        self._findings = cache.findings(compiler.target)
        self._room = room
        self._is_wanted = is_wanted

    def load(self, item: Item) -> LoadedCapsule:
        """What loading a capsule comes to; whatever goes wrong stands there too."""
        row = LoadedCapsule(item.name, OK, package=item.spec or None)
        if item.failure is not None:
            return bad(row, item.failure)
        try:
            most_bytes = self._compiler.limits.max_capsule_bytes
            with Source.open(item.path, most_bytes, item.part) as source:
                source.name = Path(item.name).name if item.number else source.name
                return self._load(source, row)
        except AtectlError as error:
            return bad(row, error)
        except OSError as error:
            return bad(row, exhausted(item.name, error.errno))

    def _load(self, source: Source, row: LoadedCapsule) -> LoadedCapsule:
        manifest = source.manifest
        if manifest is not None and manifest.name is not None:
            row = row._replace(package=manifest.name, version=manifest.version)
        row = row._replace(size_bytes=source.size_bytes)
        try:
            sha256 = hash_of(source, self._cache)
            row = row._replace(sha256=sha256)
            known = self._known(sha256)
            facts = None if known is None else known.facts
            if facts is None:
                facts = self._facts(source, sha256, known)
            row = with_facts(row, facts)
            try:
                return self._compiled(source, sha256, row, facts, known)
            except AtectlError:
                if known is None and self._refusal(source, sha256) is not None:
                    self._keep(sha256, Known(facts))  # the next to load it need not read it
                raise
        except AtectlError as error:
            return bad(row, error)

    def _compiled(
        self, source: Source, sha256: str, row: LoadedCapsule, facts: Facts, known: Known | None
    ) -> LoadedCapsule:
        """The row of a capsule of which the facts are known."""
        refusal = self._refusal(source, sha256)
        if refusal is not None:
            raise refusal
        compiled = Compiled() if known is None else known.compiled
        size_bytes = self._artifact_bytes(sha256)
        is_cached = size_bytes is not None
        if not is_cached:
            compiled = self._compile(source, sha256, facts)
            size_bytes = self._artifact_bytes(sha256)
        row = row._replace(
            cached=is_cached,
            compile_s=compiled.wall_s,
            compile_peak_bytes=compiled.peak_bytes,
            artifact_bytes=size_bytes,
        )
        known_start = None if known is None else known.start
        start = known_start or self._start(source.name, sha256, facts)
        is_late = start.code == DeadlinePassed.code  # which may be the fault of a busy machine
        if (known_start is None or not is_cached) and not is_late:
            self._keep(sha256, Known(facts, compiled, start))
        row = row._replace(min_memory_bytes=start.min_bytes, is_tried=start.is_tried)
        return row if start.code is None else bad_start(row, start)

    # What is known

    def _known(self, sha256: str) -> Known | None:
        content = self._findings.note(sha256)
        if content is None:
            return None
        try:
            found: Known = from_json(Known, json.loads(content))
        except (NotOfThisKind, ValueError):
            return None
        return found

    def _keep(self, sha256: str, known: Known) -> None:
        self._findings.take_note(sha256, json.dumps(as_json(known)).encode())

    def _refusal(self, source: Source, sha256: str) -> AtectlError | None:
        refusal = self._findings.refusal(sha256, self._compiler.limits, source.name)
        return None if refusal is None else refusal.error(source.name)

    def _artifact_bytes(self, sha256: str) -> int | None:
        stored = self._cache.load(self._target, sha256)
        return None if stored is None else stored.file.size_bytes

    # What is found out, by processes of their own

    def _facts(self, source: Source, sha256: str, known: Known | None) -> Facts:
        refusal = None if known is None else self._refusal(source, sha256)
        if refusal is not None:  # to read it again would come to the same
            raise refusal

        def read(grant: Grant) -> Facts | Refusal:
            with self._begin(source, Work(_FACTS_WORK), grant) as begun:
                attend(begun, self._room, grant)
                verdict = begun.verdict()
                _require_same(source, sha256, verdict.sha256)
                if verdict.refusal is not None:
                    return verdict.refusal
                answer: Facts = from_json(Facts, json.loads(_written(begun.memory)))
                return answer

        # Many small ones at once would only be in the way of each other.
        is_small = source.size_bytes <= SMALL_BYTES
        ask = Ask(_READING, _reading_bytes(source), takes_core=is_small)
        found = in_turn(source.name, self._room, ask, self._is_wanted, read)
        if isinstance(found, Refusal):
            if found.is_certain:
                self._findings.remember_refusal(sha256, found, source.name)
                self._keep(sha256, Known(None))
            raise found.error(source.name)
        return found

    def _compile(self, source: Source, sha256: str, facts: Facts) -> Compiled:
        def compile_(grant: Grant) -> Capsule | Refusal:
            uncompiled = Uncompiled(self._target, source, self._cache, sha256)
            found = uncompiled.compile(
                self._compiler,
                begun=lambda compilation: attend(compilation, self._room, grant),
                limits=self._limits(grant),
                granted_bytes=grant.granted_bytes,
                sharing=_SHARING,
            )
            _require_same(source, sha256, uncompiled.sha256)
            return found

        ask = Ask(_COMPILING, needed_bytes(facts.binary_bytes, facts.code, is_kept=True))
        found = in_turn(source.name, self._room, ask, self._is_wanted, compile_)
        if isinstance(found, Refusal):
            raise found.error(source.name)
        return Compiled(round(found.compile_s, 6), found.compile_peak_bytes)

    def _start(self, name: str, sha256: str, facts: Facts) -> Start:
        """What it needs to start, by trying; by its own word where that cannot be tried here."""
        stored = self._cache.load(self._target, sha256)
        if stored is None:
            return Start(facts.declared_bytes, is_tried=False)
        # One with a start function may take its time, and not to compute.
        needs_bytes = max(_START_BYTES, facts.declared_bytes or 0)
        ask = Ask(_STARTING, needs_bytes, takes_core=not stored.has_start)
        try:
            return in_turn(
                name,
                self._room,
                ask,
                self._is_wanted,
                lambda grant: self._try_start(name, stored, facts, grant),
            )
        except NoRoomToCompile:
            return Start(facts.declared_bytes, is_tried=False)
        except DeadlinePassed as late:
            said = f"{name}: its start function was still running after {duration_text(START_S)}"
            return Start(None, True, late.code, said)

    def _try_start(self, name: str, stored: Artifact, facts: Facts, grant: Grant) -> Start:
        declared_bytes = facts.declared_bytes or 1
        if declared_bytes > grant.granted_bytes:
            return Start(facts.declared_bytes, is_tried=False)
        # Its memories are held to the byte, whatever else the process takes. The kernel counts
        # them before they are touched.
        counted_bytes = grant.granted_bytes + most_untouched(grant.granted_bytes)
        asked = Question(*stored[:3], least_bytes=declared_bytes, most_bytes=grant.granted_bytes)
        with self._compiler.begin(
            name,
            stored.file.descriptor,
            limits=self._limits(grant)._replace(memory_bytes=counted_bytes),
            work=Work(_START_WORK, json.dumps(asked)),
            sharing=_SHARING,
        ) as begun:
            verdict = begun.verdict(time.monotonic() + START_S)
            if verdict.refusal is not None:  # more memory than it may take here
                return Start(facts.declared_bytes, is_tried=False)
            start: Start = from_json(Start, json.loads(_written(begun.memory)))
            if start.code == EngineFailure.code:  # the system gave it no more memory here
                return Start(facts.declared_bytes, is_tried=False)
            return start

    def _begin(self, source: Source, work: Work, grant: Grant) -> Compilation:
        return self._compiler.begin(
            source.name,
            source.descriptor,
            limits=self._limits(grant),
            granted_bytes=grant.granted_bytes,
            part=source.part,
            work=work,
            sharing=_SHARING,
        )

    def _limits(self, grant: Grant) -> CompileLimits:
        """What a process is held to that was granted memory."""
        return self._compiler.limits._replace(memory_bytes=grant.most_bytes)


def _reading_bytes(source: Source) -> int:
    """What a process may take to read a capsule."""
    head = os.pread(source.descriptor, 64, source.part.offset if source.part else 0)
    factor = _PER_BYTE_OF_TEXT if is_text(head) else _PER_BYTE_READ
    return max(factor * source.size_bytes, _LEAST_READ_BYTES)


def _require_same(source: Source, expected: str, read: str | None) -> None:
    if read is not None and read != expected:
        raise CapsuleUnreadable(
            f"{source.name} was changed while it was loaded", remedy="load it again"
        )


def _written(memory: int) -> bytes:
    """What a process has written for this one."""
    if os.fstat(memory).st_size > _MAX_ANSWER_BYTES:
        raise InternalError("a process that loads capsules has written too much")
    return os.pread(memory, _MAX_ANSWER_BYTES, 0)
