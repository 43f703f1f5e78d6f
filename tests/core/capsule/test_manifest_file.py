"""What stands in a Capsule.toml: what is read of it, and what it may not lack."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule.errors import BadManifest
from atectl.capsule.manifest_file import (
    MAX_COMPONENTS,
    Component,
    Manifest,
    Package,
    read_manifest,
)

HASH = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
PACKAGE = '[package]\nname = "prices"\nversion = "1.2.0"\n'
PATH = Path("some/Capsule.toml")


def component(file: str = "prices.wasm", more: str = "") -> str:
    return f"[[component]]\nfile = {file!r}\n{more}\n"


def read(written: str) -> Manifest:
    return read_manifest(PATH, written.encode())


def test_a_manifest_has_a_package_and_its_components() -> None:
    written = (
        PACKAGE
        + component("a.wasm", f'hash = "{HASH}"')
        + component("b.wasm", 'type = "library"')
        + component("sub/c.wasm", f'type = "executable"\nhash = "blake3:{HASH.upper()}"')
    )
    assert read(written) == Manifest(
        Package("prices", "1.2.0"),
        (
            Component("a.wasm", HASH, False),
            Component("b.wasm", None, True),
            Component("sub/c.wasm", HASH, False),
        ),
    )


def test_what_else_its_inventors_write_into_it_is_passed_over() -> None:
    written = (
        PACKAGE
        + 'description = "Prices"\nauthors = ["Somebody"]\n"astrid-version" = ">=0.1.0"\n'
        + component(
            more='id = "main"\nlink = ["x"]\ncapabilities = { fs_read = ["cwd://"] }',
        )
        + '[publish]\n"tool.v1.*" = { wit = "opaque" }\n[exports]\n"astrid:tool" = "1.0.0"\n'
    )
    assert read(written).components == (Component("prices.wasm"),)


@pytest.mark.parametrize(
    "written",
    ['[[component]]\nentrypoint = "prices.wasm"', '[component]\nfile = "prices.wasm"'],
)
def test_earlier_forms_of_a_component_are_read(written: str) -> None:
    assert read(f"{PACKAGE}{written}").components == (Component("prices.wasm"),)


def test_the_first_component_that_is_no_library_is_run() -> None:
    library = component("a.wasm", 'type = "library"')
    assert read(PACKAGE + library + component("b.wasm") + component("c.wasm")).main.file == "b.wasm"
    assert read(PACKAGE + library).main.file == "a.wasm"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("[package", "Capsule.toml"),
        ("x = " + "[" * 5000, "Capsule.toml"),
        ("", "package is missing"),
        ("package = 1\n" + component(), "package: 1 is no table of keys"),
        (PACKAGE, "component is missing"),
        ("component = []\n" + PACKAGE, "component: it has 0 tables"),
        ('[package]\nname = "x"\n' + component(), "package: version is missing"),
        ('[package]\nversion = "1"\n' + component(), "package: name is missing"),
        ('[package]\nname = ""\nversion = "1"\n' + component(), "package: name: it is empty"),
        (f'[package]\nname = "{"x" * 201}"\nversion = "1"\n' + component(), "201 characters"),
        ('[package]\nname = 5\nversion = "1"\n' + component(), "package: name: 5 is no text"),
        ("component = [1]\n" + PACKAGE, "component 1: 1 is no table of keys"),
        (PACKAGE + component() + "[[component]]", "component 2: file is missing"),
        (PACKAGE + "[[component]]\nfile = 3", "component 1: file: 3 is no text"),
        (PACKAGE + "[[component]]\nfile = ''", "component 1: file: it is empty"),
        (PACKAGE + '[[component]]\nfile = "a\\u0000b"', "NUL"),
        (PACKAGE + component(more='hash = "abc"'), 'hash: "abc" is no BLAKE3 in 64'),
        (PACKAGE + component(more=f'hash = "sha256:{HASH}"'), "is no BLAKE3 in 64"),
        (PACKAGE + component(more=f'hash = "{"g" * 64}"'), "is no BLAKE3 in 64"),
        (PACKAGE + component(more="hash = 5"), "5 is no BLAKE3 in 64"),
        (PACKAGE + component() * (MAX_COMPONENTS + 1), "not 1 to 1000"),
    ],
    ids=range(21),
)
def test_a_manifest_that_lacks_something_is_refused(written: str, fault: str) -> None:
    with pytest.raises(BadManifest, match=fault) as caught:
        read(written)
    assert caught.value.exit_status == 126
    assert str(caught.value).startswith(str(PATH))


def test_as_many_components_as_are_taken_may_be_listed() -> None:
    assert len(read(PACKAGE + component() * MAX_COMPONENTS).components) == MAX_COMPONENTS


def test_a_manifest_that_is_not_text_is_refused() -> None:
    with pytest.raises(BadManifest, match="not UTF-8"):
        read_manifest(PATH, b"\xff\xfe")


@given(st.text(max_size=200))
def test_any_text_is_a_manifest_or_refused(text: str) -> None:
    try:
        read_manifest(PATH, (PACKAGE + component() + text).encode("utf-8", "replace"))
    except BadManifest:
        return
