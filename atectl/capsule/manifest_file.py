"""The content of a Capsule.toml: a package and its components.

The format is that of Astrid's capsules. Of its many keys only these matter here; all others are
ignored:

    [package]
    name = "prices"
    version = "1.2.0"

    [[component]]
    file = "prices.wasm"    # relative to the folder of Capsule.toml; `entrypoint` is the same
    hash = "af13…"          # BLAKE3 of that file, 64 hexadecimal digits; may be left out
    type = "executable"     # or "library"; executable if left out

An early version of the format has a single component, in a plain table `[component]`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from atectl.capsule.errors import BadManifest
from atectl.records.files import toml_of
from atectl.records.readers import filled, listed, read_as
from atectl.records.reading import Fault, Field, Reader, Table, shown

MAX_COMPONENTS = 1000
"""How many components a manifest may list."""

MAX_TEXT_CHARACTERS = 200
"""The longest name and version that are accepted."""

_HASH_PREFIX = "blake3:"
_HASH_DIGITS = 64
_LIBRARY = "library"


class Package(NamedTuple):
    """`[package]`: the name and version of the capsule."""

    name: str
    """Its name; make it inert before it is shown."""
    version: str
    """Its version, likewise."""


class Component(NamedTuple):
    """`[[component]]`: one file of the capsule."""

    file: str
    """Relative to the manifest's folder, or absolute."""
    blake3: str | None = None
    """The BLAKE3 of that file; without it any file of that name is accepted."""
    is_library: bool = False
    """Whether it is for others to use, and not to be run by itself."""


class Manifest(NamedTuple):
    """A Capsule.toml: the name and version of a capsule, and its files."""

    package: Package
    """The name and version of the capsule."""
    components: tuple[Component, ...]
    """Its files."""

    @property
    def main(self) -> Component:
        """The component that is run: the first that is not a library, or else the first."""
        return next((each for each in self.components if not each.is_library), self.components[0])


def _label(value: Any) -> str:
    text: str = filled.read(value)
    if len(text) > MAX_TEXT_CHARACTERS:
        raise Fault(f"it has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} are taken")
    return text


def _hash(value: Any) -> str:
    digits = value.removeprefix(_HASH_PREFIX).lower() if isinstance(value, str) else ""
    if len(digits) != _HASH_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise Fault(f"{shown(value)} is no BLAKE3 in {_HASH_DIGITS} hexadecimal digits")
    return digits


_label_reader = Reader(_label, {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARACTERS})
_hash_reader = Reader(_hash, {"type": "string", "pattern": "^(blake3:)?[0-9A-Fa-f]{64}$"})
_type_reader = Reader(lambda value: value == _LIBRARY, {})

PACKAGE = Table(
    Package,
    fields=(
        Field("name", _label_reader, is_required=True),
        Field("version", _label_reader, is_required=True),
    ),
    takes_others=True,
)
COMPONENT = Table(
    Component,
    fields=(
        Field("file", filled),
        Field("entrypoint", filled, "file"),
        Field("hash", _hash_reader, "blake3"),
        Field("type", _type_reader, "is_library"),
    ),
    takes_others=True,
)


def _component(value: Any) -> Component:
    values = COMPONENT.values(value)
    if "file" not in values:
        raise Fault("file is missing", remedy="add the key file")
    return Component(**values)


_listed = listed(Reader(_component, COMPONENT), "tables: [[component]]")


def _components(value: Any) -> tuple[Component, ...]:
    entries = value if isinstance(value, list) else [value]
    if not 0 < len(entries) <= MAX_COMPONENTS:
        raise Fault(f"it has {len(entries)} tables, not 1 to {MAX_COMPONENTS}")
    found: tuple[Component, ...] = _listed.read(entries)
    return found


_components_reader = Reader(
    _components,
    {"type": "array", "items": COMPONENT, "minItems": 1, "maxItems": MAX_COMPONENTS},
)

FILE = Table(
    Manifest,
    fields=(
        Field("package", read_as(Package, PACKAGE), is_required=True),
        Field("component", _components_reader, "components", is_required=True),
    ),
    takes_others=True,
)
"""A whole Capsule.toml."""


def read_manifest(path: Path, content: bytes) -> Manifest:
    """The manifest in `content`; `path` is for messages.

    Raises:
        BadManifest: it is not TOML, or lacks what it must have (exit 126).
    """
    try:
        return Manifest(**FILE.values(_tables(content)))
    except Fault as fault:
        raise _bad(path, fault) from None


def read_manifest_of(path: Path, content: bytes, capsule: str) -> tuple[Manifest, Component] | None:
    """The manifest in `content`, and its component whose file is `capsule` in the same folder.

    None if it has no such component: it may be another tool's file then, and need not be valid.

    Raises:
        BadManifest: as `read_manifest`, if it has such a component (exit 126).
    """
    try:
        tables = _tables(content)
        places = [place for place, each in enumerate(_entries(tables)) if _is_of(each, capsule)]
        if not places:
            return None
        manifest = Manifest(**FILE.values(tables))
        return manifest, manifest.components[places[0]]
    except Fault as fault:
        raise _bad(path, fault) from None


def _bad(path: Path, fault: Fault) -> BadManifest:
    return BadManifest(str(fault.at(file=str(path))), remedy=fault.remedy)


def _tables(content: bytes) -> dict[str, Any]:
    try:
        return toml_of(content.decode())
    except UnicodeDecodeError:
        raise Fault("it is not UTF-8") from None


def _entries(tables: Mapping[str, Any]) -> list[Any]:
    """The components as they are written, whatever their type."""
    written = tables.get("component", [])
    return written if isinstance(written, list) else [written]


def _is_of(entry: Any, capsule: str) -> bool:
    file = entry.get("file", entry.get("entrypoint")) if isinstance(entry, dict) else None
    return isinstance(file, str) and os.path.normpath(file) == capsule
