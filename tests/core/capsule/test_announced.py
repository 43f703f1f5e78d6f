"""What a Capsule.toml announces of a capsule is held to as it is loaded, cached or not."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from wasmtime import wat2wasm

from atectl.capsule.cache import SETTLED_NS, ArtifactCache
from atectl.capsule.compiler import Compiler
from atectl.capsule.errors import ManifestMismatch
from atectl.capsule.limits import DEFAULT_LIMITS
from atectl.capsule.loading import Uncompiled, find
from atectl.capsule.source import Source
from atectl.engine.metered import Engine
from tests.support.loading import load

ONE = bytes(wat2wasm('(module (func (export "one")))'))
OTHER = bytes(wat2wasm('(module (func (export "two")))'))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ArtifactCache]:
    # To this clock, a file written a moment ago has long lain unchanged.
    with ArtifactCache.open(
        tmp_path / "cache", clock_ns=lambda: time.time_ns() + 2 * SETTLED_NS
    ) as cache:
        yield cache


@pytest.fixture
def capsule(tmp_path: Path) -> Path:
    """A capsule beside a manifest that has its hash."""
    path = tmp_path / "prices.wasm"
    path.write_bytes(ONE)
    announce(path, ONE)
    return path


def announce(path: Path, content: bytes) -> None:
    (path.parent / "Capsule.toml").write_text(
        f'[package]\nname = "prices"\nversion = "1.2.0"\n'
        f'[[component]]\nfile = "prices.wasm"\nhash = "{blake3(content).hexdigest()}"\n'
    )


def test_a_capsule_has_the_name_and_version_that_are_announced(
    engine: Engine, capsule: Path, cache: ArtifactCache
) -> None:
    for was_cached in (False, True):
        found = load(engine, capsule, cache)
        assert (found.package, found.version, found.was_cached) == ("prices", "1.2.0", was_cached)
        assert found.title == "prices.wasm (prices 1.2.0)"


def test_a_manifest_in_the_place_of_a_capsule_means_that(engine: Engine, capsule: Path) -> None:
    assert load(engine, capsule.parent / "Capsule.toml").name == "prices.wasm"


def test_a_capsule_without_a_manifest_is_called_as_its_file(engine: Engine, capsule: Path) -> None:
    (capsule.parent / "Capsule.toml").unlink()
    assert load(engine, capsule).title == "prices.wasm"


@pytest.mark.parametrize("has_cache", [False, True])
def test_another_capsule_than_is_announced_is_refused(
    engine: Engine, capsule: Path, cache: ArtifactCache, has_cache: bool
) -> None:
    capsule.write_bytes(OTHER)
    with pytest.raises(ManifestMismatch, match=r"prices\.wasm has BLAKE3"):
        load(engine, capsule, cache if has_cache else None)


def test_an_artifact_does_not_let_another_capsule_pass(
    engine: Engine, capsule: Path, cache: ArtifactCache
) -> None:
    load(engine, capsule, cache)
    announce(capsule, OTHER)
    with pytest.raises(ManifestMismatch):
        load(engine, capsule, cache)


def test_a_hash_is_not_taken_again_while_the_file_is_the_same(
    engine: Engine, capsule: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(engine, capsule, cache)

    def never(*_: object) -> str:
        raise AssertionError("it was read again")

    monkeypatch.setattr(Source, "hash_as_announced", never)
    assert load(engine, capsule, cache).was_cached


def test_what_changes_between_its_hash_and_its_compilation_is_refused(
    engine: Engine, capsule: Path
) -> None:
    found = find(engine, capsule, None, DEFAULT_LIMITS)
    assert isinstance(found, Uncompiled)
    with capsule.open("r+b") as file:  # the same file, with other contents
        file.write(OTHER)
    with found, Compiler(engine) as compiler, pytest.raises(ManifestMismatch, match="was changed"):
        found.compile(compiler)


def _beside(path: Path, content: bytes) -> Path:
    other = path.with_suffix(".new")
    other.write_bytes(content)
    return other
