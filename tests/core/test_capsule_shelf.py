"""Capsules are loaded once, whoever asks first, and failures are told to all who ask."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl import capsule_shelf
from atectl.capsule import Capsule
from atectl.capsule_shelf import MAX_CAPSULES, CapsuleShelf
from atectl.engine import Engine
from atectl.errors import CapsuleNotFound, NotWebAssembly
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
        with pytest.raises(MemoryError):
            shelf.get(HELLO)


def test_what_is_kept_is_bounded(shelf: CapsuleShelf, tmp_path: Path) -> None:
    first = shelf.get(HELLO)
    for number in range(MAX_CAPSULES):
        with pytest.raises(CapsuleNotFound):
            shelf.get(tmp_path / str(number))
    assert shelf.get(HELLO) is not first
