"""Capsules are loaded once, whoever asks first, and failures are told to all who ask."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.capsule import shelf as capsule_shelf
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.loading import Capsule
from atectl.capsule.shelf import MAX_CAPSULES, CapsuleShelf
from atectl.engine.metered import Engine
from atectl.errors import CapsuleNotFound, CompilerGone, InternalError, NotWebAssembly
from tests.conftest import CAPSULES

HELLO = CAPSULES / "hello.wat"


@pytest.fixture
def shelf() -> Iterator[CapsuleShelf]:
    engine = Engine()
    yield CapsuleShelf(engine, None)
    engine.close()


def test_a_capsule_is_the_same_for_all_who_ask(shelf: CapsuleShelf) -> None:
    found: list[Capsule] = []
    threads = [threading.Thread(target=lambda: found.append(shelf.get(HELLO))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(capsule is found[0] for capsule in found)


def test_a_capsule_that_cannot_be_loaded_is_an_error_for_each(
    shelf: CapsuleShelf, tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(CapsuleNotFound):
            shelf.get(tmp_path / "missing.wasm")
    noise = tmp_path / "noise.wasm"
    noise.write_bytes(b"\x89PNG")
    with pytest.raises(NotWebAssembly):
        shelf.get(noise)


def test_a_fault_in_loading_keeps_nobody_waiting(
    shelf: CapsuleShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> Capsule:
        raise MemoryError

    monkeypatch.setattr(capsule_shelf, "load", break_down)
    for _ in range(2):
        with pytest.raises(InternalError, match="MemoryError"):
            shelf.get(HELLO)


def test_what_is_kept_is_bounded(shelf: CapsuleShelf, tmp_path: Path) -> None:
    first = shelf.get(HELLO)
    for number in range(MAX_CAPSULES):
        with pytest.raises(CapsuleNotFound):
            shelf.get(tmp_path / str(number))
    assert shelf.get(HELLO) is not first


def test_each_who_asks_is_told_of_a_failure_by_an_error_of_their_own(
    shelf: CapsuleShelf, tmp_path: Path
) -> None:
    depths = set()
    for _ in range(3):
        with pytest.raises(CapsuleNotFound) as told:
            shelf.get(tmp_path / "missing.wasm")
        depths.add(len(told.traceback))
    assert len(depths) == 1


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CapsuleShelf]:
    """A shelf with a cache, to which every capsule is large."""
    monkeypatch.setattr(capsule_shelf, "COMPILED_APART_BYTES", 0)
    engine = Engine()
    with ArtifactCache.open(tmp_path / "cache") as cache:
        shelf = CapsuleShelf(engine, cache)
        yield shelf
        shelf.close()
    engine.close()


def test_a_large_capsule_is_compiled_by_another_process(
    cached: CapsuleShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_here(*_: object) -> object:
        raise AssertionError("it was compiled in this process")

    monkeypatch.setattr("atectl.capsule.loading._compile", compile_here)
    assert cached.get(HELLO).was_cached


def test_what_is_no_capsule_is_the_same_error_when_it_is_judged_apart(
    cached: CapsuleShelf, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.wasm"
    noise.write_bytes(b"\x89PNG")
    with pytest.raises(NotWebAssembly, match=r"noise\.wasm is not WebAssembly"):
        cached.get(noise)


def test_a_closed_shelf_compiles_nothing_apart(cached: CapsuleShelf) -> None:
    cached.close()
    with pytest.raises(CompilerGone):
        cached.get(HELLO)
