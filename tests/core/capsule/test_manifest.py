"""Capsule.toml: which capsule it means, what it says of it, and the hash it holds it to."""

import io
import os
import sys
from pathlib import Path

import pytest
from blake3 import blake3

from atectl.capsule.encodings import decode
from atectl.capsule.errors import BadManifest, ExtraMissing, ManifestMismatch
from atectl.capsule.manifest import MAX_MANIFEST_BYTES, Described, HashedFile, describe
from tests.support.python_child import in_child

HASH = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
"""BLAKE3 of nothing, as its authors publish it."""

PACKAGE = '[package]\nname = "prices"\nversion = "1.2.0"\n'


def component(file: str = "prices.wasm", more: str = "") -> str:
    return f"[[component]]\nfile = {file!r}\n{more}\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "Capsule.toml"


# The file itself


def test_a_manifest_may_be_as_large_as_is_read(manifest: Path) -> None:
    written = PACKAGE + component() + "#"
    manifest.write_text(written.ljust(MAX_MANIFEST_BYTES, "#"))
    assert describe(manifest).name == "prices"
    manifest.write_text(written.ljust(MAX_MANIFEST_BYTES + 1, "#"))
    with pytest.raises(BadManifest, match="larger than"):
        describe(manifest)


def test_a_manifest_that_is_a_pipe_is_refused_and_not_waited_for(manifest: Path) -> None:
    os.mkfifo(manifest)
    with pytest.raises(BadManifest, match="not a regular file"):
        describe(manifest.with_name("prices.wasm"))


def test_a_manifest_that_is_a_folder_is_refused(manifest: Path) -> None:
    manifest.mkdir()
    with pytest.raises(BadManifest, match="not a regular file"):
        describe(manifest)


# Given in a capsule's place


def test_a_manifest_that_is_given_means_its_component(manifest: Path) -> None:
    manifest.write_text(PACKAGE + component("sub/x.wasm", f'hash = "{HASH}"'))
    capsule = manifest.parent / "sub" / "x.wasm"
    assert describe(manifest) == Described(capsule, "prices", "1.2.0", HASH)


def test_a_manifest_that_is_given_has_to_be_there(manifest: Path) -> None:
    with pytest.raises(BadManifest, match="no such file"):
        describe(manifest)


# Beside a capsule


@pytest.mark.parametrize("file", ["prices.wasm", "./prices.wasm", "sub/../prices.wasm"])
def test_a_manifest_beside_a_capsule_counts_if_it_names_it(manifest: Path, file: str) -> None:
    other = component("other.wasm", f'hash = "{"0" * 64}"')
    manifest.write_text(PACKAGE + other + component(file, f'hash = "{HASH}"'))
    capsule = manifest.with_name("prices.wasm")
    assert describe(capsule) == Described(capsule, "prices", "1.2.0", HASH)


def test_a_relative_capsule_finds_its_manifest(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest.write_text(PACKAGE + component())
    monkeypatch.chdir(manifest.parent)
    assert describe(Path("prices.wasm")).name == "prices"


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        PACKAGE + component("other.wasm"),
        'app_name = "of another tool"\n[[ports]]\nname = "eth0"\n',
        "component = 3",
        '[component]\nname = "of another tool"',
    ],
)
def test_beside_a_capsule_that_it_does_not_name_it_says_nothing(
    manifest: Path, written: str | None
) -> None:
    if written is not None:
        manifest.write_text(written)
    capsule = manifest.with_name("prices.wasm")
    assert describe(capsule) == Described(capsule, None, None, None)


@pytest.mark.parametrize("path", ["/", ".", "", "..", "/no/such/folder/prices.wasm"])
def test_a_path_that_is_no_file_has_no_manifest(path: str) -> None:
    assert describe(Path(path)) == Described(Path(path), None, None, None)


@pytest.mark.parametrize("written", ["[package", component()])
def test_beside_a_capsule_one_that_is_broken_refuses(manifest: Path, written: str) -> None:
    manifest.write_text(written)
    with pytest.raises(BadManifest):
        describe(manifest.with_name("prices.wasm"))


def test_a_capsule_without_a_manifest_imports_no_reader_of_toml(tmp_path: Path) -> None:
    imported = in_child(
        "import sys; from pathlib import Path; from atectl.capsule.manifest import describe\n"
        f"describe(Path({str(tmp_path / 'prices.wasm')!r}))\n"
        "print({'tomllib', 'blake3', 'atectl.records'} & set(sys.modules))"
    )
    assert imported == "set()\n"


# Its hash


def test_a_file_with_the_hash_it_has_to_have_is_taken() -> None:
    content = b"\0asm\x01\0\0\0" + bytes(200_000)
    file = HashedFile(io.BytesIO(content), blake3(content).hexdigest(), "prices.wasm")
    assert decode(file, name="prices.wasm").content == content
    file.require_match()


def test_a_file_with_another_hash_is_refused_with_both() -> None:
    file = HashedFile(io.BytesIO(b"\0asm\x01\0\0\0"), HASH, "prices.wasm")
    decode(file, name="prices.wasm")
    with pytest.raises(ManifestMismatch, match=f"prices.wasm has BLAKE3 [0-9a-f]+.*{HASH}"):
        file.require_match()


def test_without_its_package_a_hash_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(ExtraMissing) as caught:
        HashedFile(io.BytesIO(b""), HASH, "prices.wasm")
    assert "atectl[manifest]" in caught.value.remedy
