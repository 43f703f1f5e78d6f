"""Capsule.toml: which capsule it means, what it says of it, and the hash it holds it to."""

import io
import os
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule.encodings import decode
from atectl.capsule.errors import BadManifest, ExtraMissing, ManifestMismatch
from atectl.capsule.manifest import (
    MAX_COMPONENTS,
    MAX_MANIFEST_BYTES,
    Component,
    Described,
    HashedFile,
    Manifest,
    describe,
    read_manifest,
)
from tests.support.python_child import in_child

HASH = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
"""BLAKE3 of nothing, as its authors publish it."""

PACKAGE = '[package]\nname = "prices"\nversion = "1.2.0"\n'


def component(file: str = "prices.wasm", more: str = "") -> str:
    return f"[[component]]\nfile = {file!r}\n{more}\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "Capsule.toml"


# What it says


def test_a_manifest_has_a_package_and_its_components(manifest: Path) -> None:
    manifest.write_text(
        PACKAGE
        + component("a.wasm", f'hash = "{HASH}"')
        + component("b.wasm", 'type = "library"')
        + component("sub/c.wasm", f'type = "executable"\nhash = "blake3:{HASH.upper()}"')
    )
    assert read_manifest(manifest) == Manifest(
        manifest,
        "prices",
        "1.2.0",
        (
            Component("a.wasm", HASH, False),
            Component("b.wasm", None, True),
            Component("sub/c.wasm", HASH, False),
        ),
    )


def test_what_else_its_inventors_write_into_it_is_passed_over(manifest: Path) -> None:
    manifest.write_text(
        PACKAGE
        + 'description = "Prices"\nauthors = ["Somebody"]\n"astrid-version" = ">=0.1.0"\n'
        + component(
            more='id = "main"\nlink = ["x"]\ncapabilities = { fs_read = ["cwd://"] }',
        )
        + '[publish]\n"tool.v1.*" = { wit = "opaque" }\n[exports]\n"astrid:tool" = "1.0.0"\n'
    )
    assert read_manifest(manifest).components == (Component("prices.wasm", None, False),)


@pytest.mark.parametrize(
    "written",
    ['[[component]]\nentrypoint = "prices.wasm"', '[component]\nfile = "prices.wasm"'],
)
def test_earlier_forms_of_a_component_are_read(manifest: Path, written: str) -> None:
    manifest.write_text(f"{PACKAGE}{written}")
    assert read_manifest(manifest).components == (Component("prices.wasm", None, False),)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("[package", "Capsule.toml"),
        ("x = " + "[" * 5000, "Capsule.toml"),
        ("", r"no \[package\]"),
        ("package = 1\n" + component(), r"no \[package\]"),
        (PACKAGE, r"no \[\[component\]\]"),
        ('[package]\nname = "x"\n' + component(), r"package\.version"),
        ('[package]\nversion = "1"\n' + component(), r"package\.name"),
        ('[package]\nname = ""\nversion = "1"\n' + component(), r"package\.name"),
        (f'[package]\nname = "{"x" * 201}"\nversion = "1"\n' + component(), r"package\.name"),
        ("component = [1]\n" + PACKAGE, "has no `file`"),
        (PACKAGE + "[[component]]\nfile = 3", "has no `file`"),
        (PACKAGE + "[[component]]\nfile = ''", "has no `file`"),
        (PACKAGE + '[[component]]\nfile = "a\\u0000b"', "has no `file`"),
        (PACKAGE + component(more='hash = "abc"'), "BLAKE3 in 64"),
        (PACKAGE + component(more=f'hash = "sha256:{HASH}"'), "BLAKE3 in 64"),
        (PACKAGE + component(more=f'hash = "{"g" * 64}"'), "BLAKE3 in 64"),
        (PACKAGE + component(more="hash = 5"), "BLAKE3 in 64"),
        (PACKAGE + component() * (MAX_COMPONENTS + 1), "not 1 to 1000"),
    ],
    ids=range(18),
)
def test_a_manifest_that_lacks_something_is_refused(
    manifest: Path, written: str, fault: str
) -> None:
    manifest.write_text(written)
    with pytest.raises(BadManifest, match=fault) as caught:
        read_manifest(manifest)
    assert caught.value.exit_status == 126
    assert str(manifest) in str(caught.value)


def test_a_manifest_that_is_not_text_is_refused(manifest: Path) -> None:
    manifest.write_bytes(b"\xff\xfe")
    with pytest.raises(BadManifest):
        read_manifest(manifest)


def test_a_manifest_may_be_as_large_as_is_read(manifest: Path) -> None:
    written = PACKAGE + component() + "#"
    manifest.write_text(written.ljust(MAX_MANIFEST_BYTES, "#"))
    assert read_manifest(manifest).name == "prices"
    manifest.write_text(written.ljust(MAX_MANIFEST_BYTES + 1, "#"))
    with pytest.raises(BadManifest, match="larger than"):
        read_manifest(manifest)


def test_a_manifest_that_is_a_pipe_is_refused_and_not_waited_for(manifest: Path) -> None:
    os.mkfifo(manifest)
    with pytest.raises(BadManifest, match="not a regular file"):
        describe(manifest.with_name("prices.wasm"))


@given(st.text(max_size=200))
def test_any_text_is_a_manifest_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "Capsule.toml"
    path.write_text(PACKAGE + component() + text, encoding="utf-8", errors="replace")
    try:
        read_manifest(path)
    except BadManifest:
        return


# Given in a capsule's place


def test_a_manifest_that_is_given_means_its_component(manifest: Path) -> None:
    manifest.write_text(PACKAGE + component("sub/x.wasm", f'hash = "{HASH}"'))
    capsule = manifest.parent / "sub" / "x.wasm"
    assert describe(manifest) == Described(capsule, "prices", "1.2.0", HASH)


def test_of_several_components_the_first_that_is_no_library_is_meant(manifest: Path) -> None:
    library = component("a.wasm", 'type = "library"')
    manifest.write_text(PACKAGE + library + component("b.wasm") + component("c.wasm"))
    assert describe(manifest).capsule == manifest.parent / "b.wasm"
    manifest.write_text(PACKAGE + library)
    assert describe(manifest).capsule == manifest.parent / "a.wasm"


def test_a_manifest_that_is_given_has_to_be_there(manifest: Path) -> None:
    with pytest.raises(BadManifest, match="No such file"):
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
        "print({'tomllib', 'blake3'} & set(sys.modules))"
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
