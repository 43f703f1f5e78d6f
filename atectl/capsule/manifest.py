"""`Capsule.toml`: what a capsule is called, and the hash of its file.

The file is that of Astrid's capsules. Of its many keys these matter here, and all others are
passed over:

    [package]
    name = "prices"
    version = "1.2.0"

    [[component]]
    file = "prices.wasm"    # relative to the folder of Capsule.toml; `entrypoint` is the same
    hash = "af13…"          # BLAKE3 of that file, 64 hexadecimal digits; may be left out
    type = "executable"     # or "library"; executable if left out

A manifest may be given in a capsule's place: then the capsule is its first component that is no
library, or the first of all. And it may lie beside a capsule: then it counts if one of its
components is that file. Another tool's file of the same name has none, and says nothing.
"""

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

from atectl.capsule.errors import BadManifest, ExtraMissing, ManifestMismatch
from atectl.capsule.pieces import Readable

FILE_NAME = "Capsule.toml"

MAX_MANIFEST_BYTES = 256 << 10
"""The largest manifest that is read."""

MAX_COMPONENTS = 1000
"""How many components a manifest may list."""

MAX_TEXT_CHARACTERS = 200
"""The longest name and version that are taken."""

_HASH_PREFIX = "blake3:"
_HASH_DIGITS = 64
_LIBRARY = "library"


class Component(NamedTuple):
    """One `[[component]]`."""

    file: str
    """As it is written: relative to the manifest's folder, or absolute."""
    blake3: str | None
    """Of that file, 64 lower-case hexadecimal digits; None if the manifest has no hash."""
    is_library: bool
    """It is not there to be run by itself."""


class Manifest(NamedTuple):
    """A Capsule.toml."""

    path: Path
    name: str
    version: str
    components: tuple[Component, ...]


class Described(NamedTuple):
    """A capsule's file, and what its manifest says of it: None where there is no manifest."""

    capsule: Path
    name: str | None
    """Of the package, as it is written; make it inert before it is shown."""
    version: str | None
    """Of the package, likewise."""
    blake3: str | None
    """What the file's hash has to be; None also where the manifest has no hash."""


def describe(path: Path) -> Described:
    """The capsule that `path` means, with what a manifest says of it.

    Args:
        path: of a capsule, or of a Capsule.toml in its place.

    Raises:
        BadManifest: the manifest cannot be read, is no TOML, or lacks what it has to have; one
            that is given must describe a component, one that lies beside need not (exit 126).
    """
    if path.name == FILE_NAME:
        manifest = read_manifest(path)
        runnable = [each for each in manifest.components if not each.is_library]
        component = (runnable or list(manifest.components))[0]
        return _described(path.parent / component.file, manifest, component)
    beside = path.parent / FILE_NAME
    tables = _tables(beside, is_given=False)
    for place, entry in enumerate(_entries(tables)):
        if isinstance(entry, dict) and _is_of(entry, path):
            manifest = _manifest(beside, tables)
            return _described(path, manifest, manifest.components[place])
    return Described(path, None, None, None)


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`.

    Raises:
        BadManifest: it cannot be read, is no TOML, or has no package or component (exit 126).
    """
    return _manifest(path, _tables(path, is_given=True))


class HashedFile:
    """A file whose BLAKE3 is taken while it is read: what is compared is what was read.

    Args:
        file: read from where it stands to its end.
        blake3: what the hash has to be.
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
        """Do nothing if the file, read to its end, has the hash it has to have.

        Raises:
            ManifestMismatch: it has another (exit 126).
        """
        found = self._hash.hexdigest()
        if found != self._wanted:
            raise ManifestMismatch(
                f"{self._name} has BLAKE3 {found}, and its {FILE_NAME} says {self._wanted}"
            )


def _described(capsule: Path, manifest: Manifest, component: Component) -> Described:
    return Described(capsule, manifest.name, manifest.version, component.blake3)


def _tables(path: Path, *, is_given: bool) -> dict[str, Any]:
    """What the manifest at `path` holds; nothing if it need not be there and is not."""
    try:
        content = _content(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not is_given:
            return {}
        raise BadManifest(f"{path}: {error.strerror}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise BadManifest(f"{path}: {reason or error}") from None
    # Few capsules have a manifest, and every run would pay for the import.
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadManifest(f"{path}: {error}") from None


def _content(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise ValueError(f"larger than {MAX_MANIFEST_BYTES} bytes")
    return content


def _entries(tables: dict[str, Any]) -> list[Any]:
    """The components as they are written; an early form has one, as a table of its own."""
    written = tables.get("component", [])
    return written if isinstance(written, list) else [written]


def _file_of(entry: dict[str, Any]) -> Any:
    return entry.get("file", entry.get("entrypoint"))


def _is_of(entry: dict[str, Any], capsule: Path) -> bool:
    """Whether a component is the file `capsule`, which lies beside the manifest."""
    file = _file_of(entry)
    if not isinstance(file, str) or not file:
        return False
    return Path(os.path.normpath(capsule.parent / file)) == Path(os.path.normpath(capsule))


def _manifest(path: Path, tables: dict[str, Any]) -> Manifest:
    package = tables.get("package")
    if not isinstance(package, dict):
        raise BadManifest(f"{path} has no [package]")
    entries = _entries(tables)
    if not 0 < len(entries) <= MAX_COMPONENTS:
        raise BadManifest(
            f"{path} has {len(entries) or 'no'} [[component]], not 1 to {MAX_COMPONENTS}"
        )
    return Manifest(
        path,
        _text(path, package, "name"),
        _text(path, package, "version"),
        tuple(_component(path, entry) for entry in entries),
    )


def _text(path: Path, package: dict[str, Any], key: str) -> str:
    text = package.get(key)
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT_CHARACTERS:
        raise BadManifest(
            f"{path}: package.{key} is to be text of 1 to {MAX_TEXT_CHARACTERS} characters"
        )
    return text


def _component(path: Path, entry: Any) -> Component:
    file = _file_of(entry) if isinstance(entry, dict) else None
    if not isinstance(file, str) or not file or "\0" in file:
        raise BadManifest(f"{path}: a [[component]] has no `file`")
    return Component(file, _hash(path, entry.get("hash")), entry.get("type") == _LIBRARY)


def _hash(path: Path, written: Any) -> str | None:
    if written is None:
        return None
    digits = written.removeprefix(_HASH_PREFIX).lower() if isinstance(written, str) else ""
    if len(digits) != _HASH_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise BadManifest(f"{path}: a `hash` is to be BLAKE3 in {_HASH_DIGITS} hexadecimal digits")
    return digits


def _blake3(name: str) -> Any:
    try:
        from blake3 import blake3
    except ImportError:
        raise ExtraMissing(
            f"{name}: to check its hash in {FILE_NAME} takes a package that is not installed",
            remedy="pip install 'atectl[manifest]'",
        ) from None
    return blake3()
