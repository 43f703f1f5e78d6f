"""Compiled capsules kept between runs: found by content and engine, mapped, never trusted blindly.

An artifact is native code: whoever can write one can run code as the user of the cache. So only
that user may access the folder. Every file is opened without following links, and checked through
its descriptor. If its identity is not the recorded one, its hash is checked before it is mapped.

An entry is two files, `KEY.cwasm` (see `artifact_file`) and the record `KEY.meta`, whose
modification time says when it was last used. `DEVICE-INODE.stat` records the hash of a source file,
so that a file which has not changed is not read again. `KEY.refused` says why a capsule is not run,
and `KEY.note` what was found out about it.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.capsule.artifact_file import ArtifactFile, Target, image_bytes_in
from atectl.capsule.cache_folder import (
    ARTIFACT,
    RECORD,
    SOURCE,
    CacheFolder,
    NewFile,
    entry_key,
)
from atectl.capsule.creation import Creation
from atectl.capsule.source import Source, exhausted
from atectl.config import DEFAULT_CACHE_BYTES
from atectl.errors import CacheUnusable
from atectl.units import show_size

if TYPE_CHECKING:
    from atectl.capsule.cache_entries import Entry, Removal
    from atectl.capsule.cache_room import CacheRoom
    from atectl.capsule.findings import Findings
    from atectl.engine.kind import Kind


SETTLED_NS = 2_000_000_000
"""How old a file's last change must be: then any later change has another change time."""


class Artifact(NamedTuple):
    """A compiled capsule in its file."""

    kind: "Kind"
    creates: Creation
    has_start: bool
    image_bytes: int
    """How much of the memory of a lease begins as an image in the file."""
    file: ArtifactFile


class Made(NamedTuple):
    """What is known about an artifact that was just compiled."""

    sha256: str
    """The hash of the capsule's file, as it was read."""
    kind: "Kind"
    creates: Creation
    has_start: bool
    artifact_sha256: str


class SourceHashes(NamedTuple):
    """The hashes of a source file, in hexadecimal digits."""

    sha256: str
    blake3: str | None
    """None if it was not computed."""


class ArtifactCache:
    """The compiled capsules of one user, in one folder. Any number of processes may share it."""

    def __init__(self, folder: CacheFolder, max_bytes: int, clock_ns: Callable[[], int]) -> None:
        self.max_bytes = max_bytes
        self._folder = folder
        self._room: CacheRoom | None = None
        self._clock_ns = clock_ns

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        max_bytes: int = DEFAULT_CACHE_BYTES,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> "ArtifactCache":
        """The cache in `folder`, which is made if missing.

        Args:
            max_bytes: the maximum size of all artifacts together. When it is exceeded, the least
                recently used are removed.

        Raises:
            CacheUnusable: the folder cannot be made or opened, or others may use it (exit 125).
        """
        return cls(CacheFolder(folder), max_bytes, clock_ns)

    @property
    def path(self) -> Path:
        return self._folder.path

    def close(self) -> None:
        """Give up the folder; what was loaded stays mapped."""
        self._folder.close()

    def __enter__(self) -> "ArtifactCache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def known_source(self, status: os.stat_result) -> "SourceHashes | None":
        """The hashes of the file with this `status`; None if not known, or if it has changed.

        They are not known of a file that another user can write: through a mapping he could change
        it without a trace in its status.
        """
        if not _is_private(status):
            return None
        record = self._folder.read_record(_source_name(status))
        if record is None or record.get("identity") != identity_of(status):
            return None
        return SourceHashes(record["sha256"], record.get("blake3"))

    def remember_source(
        self, status: os.stat_result, sha256: str, blake3: str | None = None
    ) -> None:
        """Keep the hashes of a source file.

        They are not kept if the file changed within `SETTLED_NS`: its next change might not show.

        Args:
            status: of the file before it was read, so that a change since then shows.
            blake3: None if it was not computed.
        """
        if self._clock_ns() - status.st_ctime_ns < SETTLED_NS or not _is_private(status):
            return
        record = {"identity": identity_of(status), "sha256": sha256}
        if blake3 is not None:
            record["blake3"] = blake3
        # Without the hash the next run takes some milliseconds longer; this run loses nothing.
        with contextlib.suppress(OSError):
            self._folder.write_record(_source_name(status), record)

    def load(self, target: Target, sha256: str) -> Artifact | None:
        """The artifact of a capsule, open; None if there is none that can be trusted.

        Args:
            sha256: of the capsule's file, in hexadecimal digits.

        Raises:
            OSError: no more files can be opened.
        """
        key = entry_key(sha256, target.fingerprint)
        record = self._folder.read_record(key + RECORD)
        if record is None or record["engine"] != target.fingerprint or record["source"] != sha256:
            return None
        if "creates" not in record:  # an earlier release kept it, and did not count that
            return None
        descriptor = self._folder.open_file(key + ARTIFACT)
        if descriptor is None:
            return None
        file = ArtifactFile(descriptor)
        is_trusted = self._is_trusted(key, record, descriptor)
        image_bytes = image_bytes_in(descriptor) if is_trusted else None
        if image_bytes is None:
            self._remove_entry(key)
            return None
        self._folder.touch(key + RECORD)
        creates, has_start = Creation.read(record["creates"]), record["start"] == "yes"
        return Artifact(_kind(record), creates, has_start, image_bytes, file)

    def remove(self, target: Target, sha256: str) -> None:
        """Remove the artifact of a capsule, which was found unfit."""
        self._remove_entry(entry_key(sha256, target.fingerprint))

    def turn(
        self, target: Target, sha256: str, until: float
    ) -> "contextlib.AbstractContextManager[None]":
        """The turn to compile a capsule, which one process has at a time: see `single_flight`."""
        # What is in the cache needs none, and should not pay for this import.
        from atectl.capsule.single_flight import turn

        return turn(self._folder.descriptor, entry_key(sha256, target.fingerprint), until)

    def new_artifact(self) -> NewFile | None:
        """A new file for an artifact; None if it cannot be created.

        It is to be written, synced and passed to `keep`. Otherwise it is deleted when closed.
        """
        try:
            return self._folder.new_file()
        except OSError:
            return None

    def keep(self, target: Target, file: NewFile, made: Made, *, capsule: str) -> None:
        """Keep the artifact in `file`, and remove the least recently used if there are too many.

        Args:
            made: what is known about it.
            capsule: the capsule's file name, for listings.

        Raises:
            CacheUnusable: it could not be kept; nothing is left of it (exit 125).
        """
        from atectl.inert import inert_line

        key = entry_key(made.sha256, target.fingerprint)
        size_bytes = os.fstat(file.descriptor).st_size
        if size_bytes > self.max_bytes:
            sizes = f"{show_size(size_bytes)}, and the cache holds {show_size(self.max_bytes)}"
            raise CacheUnusable(
                f"compiled, {inert_line(capsule)} takes {sizes}",
                remedy="raise cache.max_size in atectl.toml",
            )
        try:
            status = file.place(key + ARTIFACT)
            record = {
                "engine": target.fingerprint,
                "source": made.sha256,
                "capsule": inert_line(capsule),
                "kind": made.kind,
                "creates": made.creates.as_text(),
                "start": "yes" if made.has_start else "no",
                "sha256": made.artifact_sha256,
                "identity": identity_of(status),
            }
            self._folder.write_record(key + RECORD, record)
            self._make_room(size_bytes)
        except OSError as error:
            self._remove_entry(key)
            raise self.unkept(error.strerror or str(error)) from None

    def unkept(self, reason: str) -> CacheUnusable:
        """The error for an artifact that could not be kept."""
        return CacheUnusable(
            f"{self.path}: a compiled capsule could not be kept: {reason}",
            remedy="the run is not affected; make room, or pass --no-cache",
        )

    def findings(self, target: Target) -> "Findings":
        """What else was found out about capsules, for one engine."""
        # What is in the cache needs none of it, and should not pay for this import.
        from atectl.capsule.findings import Findings

        return Findings(self._folder, target.fingerprint)

    def entries(self) -> "list[Entry]":
        """All kept artifacts, the most recently used first."""
        from atectl.capsule.cache_entries import entries

        return entries(self._folder)

    def prune(self, max_bytes: int) -> "Removal":
        """Remove leftovers, and the least recently used artifacts that exceed `max_bytes`."""
        from atectl.capsule.cache_entries import prune

        return prune(self._folder, max_bytes, self._clock_ns)

    def clear(self) -> "Removal":
        """Remove everything except files that other processes are writing at this moment."""
        from atectl.capsule.cache_entries import clear

        return clear(self._folder, self._clock_ns)

    def _make_room(self, size_bytes: int) -> None:
        """Count an artifact that was kept, and remove the least recently used if there is need."""
        # What is in the cache needs no room, and should not pay for this import.
        from atectl.capsule.cache_room import CacheRoom

        self._room = self._room or CacheRoom()
        self._room.take(size_bytes, self._folder, self.max_bytes, self._clock_ns)

    def _remove_entry(self, key: str) -> None:
        self._folder.remove(key + RECORD)
        self._folder.remove(key + ARTIFACT)

    def _is_trusted(self, key: str, record: dict[str, str], descriptor: int) -> bool:
        """Whether the file `descriptor` is what was stored."""
        identity = identity_of(os.fstat(descriptor))
        if identity != record["identity"]:
            if _hash_file(descriptor) != record["sha256"]:
                return False
            with contextlib.suppress(OSError):
                self._folder.write_record(key + RECORD, {**record, "identity": identity})
        return True


def _is_private(status: os.stat_result) -> bool:
    """Whether nobody but this user and root can write the file."""
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022


def _source_name(status: os.stat_result) -> str:
    return f"{status.st_dev:x}-{status.st_ino:x}{SOURCE}"


def identity_of(status: os.stat_result) -> str:
    """What changes when a file is replaced or written to."""
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_dev} {status.st_ino} {status.st_size} {times}"


def _kind(record: dict[str, str]) -> "Kind":
    return "component" if record["kind"] == "component" else "module"


def _hash_file(descriptor: int) -> str:
    from hashlib import file_digest

    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def hash_of(source: Source, cache: ArtifactCache | None) -> str:
    """The hash of the content of `source`, which is not read if the cache knows its hash.

    If a manifest announces a hash, the content must have that.

    Raises:
        CapsuleUnreadable: it cannot be read (exit 126).
        ManifestMismatch: it does not have the hash that is announced (exit 126).
        ExtraMissing: the package for that hash is not installed (exit 125).
        HostExhausted: no more files can be opened (exit 125).
    """
    blake3 = announced(source)
    if source.part is not None or not source.is_kept:
        return source.hash()
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


def announced(source: Source) -> str | None:
    """The BLAKE3 that its manifest announces; None if there is none."""
    return None if source.manifest is None else source.manifest.blake3
