"""What a Capsule.toml says about a capsule: which file it is, its name, and its expected hash.

A manifest may be given in place of a capsule: then its main component is the capsule. Or it may lie
beside a capsule: then it counts if one of its components is that file. Another tool's file of the
same name has no such component, and is ignored. See `manifest_file` for the format.
"""

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

from atectl.capsule.errors import BadManifest, ExtraMissing, ManifestMismatch
from atectl.capsule.pieces import Readable
from atectl.config import MANIFEST_NAME

MAX_MANIFEST_BYTES = 256 << 10
"""The largest manifest that is read."""


class Described(NamedTuple):
    """A capsule's file, and what its manifest says about it: None if there is no manifest."""

    capsule: Path
    name: str | None
    """The name of the package, as it is written; make it inert before it is shown."""
    version: str | None
    """The version of the package, likewise."""
    blake3: str | None
    """The expected hash of the file; None also if the manifest has no hash."""


def describe(path: Path) -> Described:
    """The capsule that `path` means, with what a manifest says about it.

    Args:
        path: of a capsule, or of a Capsule.toml in its place.

    Raises:
        BadManifest: the manifest cannot be read, is not TOML, or lacks what it must have (exit
            126). One that only lies beside the capsule must be valid if it lists the capsule.
    """
    is_given = path.name == MANIFEST_NAME
    place = path.parent / MANIFEST_NAME
    content = _content(place)
    if content is None:
        if is_given:
            raise BadManifest(f"{path}: no such file", remedy="check the path")
        return Described(path, None, None, None)
    # Few capsules have a manifest, and every run would pay for the imports.
    from atectl.capsule.manifest_file import read_manifest, read_manifest_of

    if is_given:
        manifest = read_manifest(place, content)
        component, capsule = manifest.main, place.parent / manifest.main.file
    else:
        found = read_manifest_of(place, content, path.name)
        if found is None:
            return Described(path, None, None, None)
        (manifest, component), capsule = found, path
    return Described(capsule, manifest.package.name, manifest.package.version, component.blake3)


class HashedFile:
    """A file whose BLAKE3 is computed while it is read, so that exactly what was read is checked.

    Args:
        file: read from its current position to its end.
        blake3: the expected hash.
        name: of the file, for messages.

    Raises:
        ExtraMissing: the package for BLAKE3 is not installed (exit 125).
    """

    def __init__(self, file: Readable, blake3: str, name: str) -> None:
        self._file, self._wanted, self._name = file, blake3, name
        self._hash = _blake3(name)

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes or fewer, none at the end."""
        piece = self._file.read(size)
        self._hash.update(piece)
        return piece

    def require_match(self) -> None:
        """Check the hash of the file, which must have been read to its end.

        Raises:
            ManifestMismatch: it is not the expected one (exit 126).
        """
        found = self._hash.hexdigest()
        if found != self._wanted:
            raise ManifestMismatch(
                f"{self._name} has BLAKE3 {found}, and its {MANIFEST_NAME} says {self._wanted}"
            )


def _content(path: Path) -> bytes | None:
    """The content of the manifest at `path`; None if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise BadManifest(f"{path}: {_reason(error)}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadManifest(f"{path} is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise BadManifest(f"{path}: {_reason(error)}") from None
    finally:
        os.close(descriptor)
    if len(content) > MAX_MANIFEST_BYTES:
        raise BadManifest(f"{path} is larger than {MAX_MANIFEST_BYTES} bytes")
    return content


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _blake3(name: str) -> Any:
    try:
        from blake3 import blake3
    except ImportError:
        raise ExtraMissing(
            f"{name}: checking its hash in {MANIFEST_NAME} needs a package that is not installed",
            remedy="pip install 'atectl[manifest]'",
        ) from None
    return blake3()
