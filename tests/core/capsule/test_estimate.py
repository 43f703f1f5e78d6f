"""What compiling a capsule is expected to take, from the heads of its sections alone."""

from pathlib import Path

import pytest
from wasmtime import wat2wasm

from atectl.capsule.estimate import estimate_bytes
from atectl.capsule.source import Source
from tests.conftest import CAPSULES
from tests.support.real_capsules import CPYTHON, RESVG

MIB = 1 << 20
FUNCTIONS = "".join(f"(func (result i32) (i32.const {n}))" for n in range(20_000))
MODULE = f"(module {FUNCTIONS})"


def estimated(path: Path, *, is_kept: bool = True) -> int:
    with Source.open(path, 1 << 40) as source:
        return estimate_bytes(source, is_kept=is_kept)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "some.wasm"
    path.write_bytes(content)
    return path


def test_a_small_capsule_is_expected_to_take_little() -> None:
    assert estimated(CAPSULES / "hello.wat") < 40 * MIB


@pytest.mark.parametrize(
    ("path", "measured"), [(RESVG, 77 * MIB), (CPYTHON, 224 * MIB)], ids=["resvg", "cpython"]
)
def test_a_real_capsule_is_expected_to_take_about_what_it_does(path: Path, measured: int) -> None:
    assert measured <= estimated(path) < measured * 1.5


def test_modules_in_a_component_count_as_they_do_by_themselves(tmp_path: Path) -> None:
    alone = estimated(written(tmp_path, bytes(wat2wasm(MODULE))))
    inner = f'(component (core {MODULE[1:]} (type (func)) (export "f" (type 0)))'
    text = f"(component (core {MODULE[1:]} {inner} (core {MODULE[1:]})"
    threefold = estimated(written(tmp_path, bytes(wat2wasm(text))))
    least = estimated(written(tmp_path, b"\0asm\1\0\0\0"))
    assert abs((threefold - least) - 3 * (alone - least)) < MIB


def test_an_artifact_that_is_kept_in_no_file_takes_memory(tmp_path: Path) -> None:
    path = written(tmp_path, bytes(wat2wasm(MODULE)) + b"\0\x81\x80\x80\x02\0" + bytes(4 * MIB))
    assert estimated(path, is_kept=False) - estimated(path) >= 4 * MIB


@pytest.mark.parametrize(
    "content",
    [
        b"(module" + b" " * MIB + b")",
        b"\x1f\x8b" + b"\1" * MIB,
        b"\0asm\1\0\0\0" + b"\xff" * MIB,
        b"\0asm\1\0\0\0" + b"\0\1\0" * MIB,
    ],
    ids=["text", "encoded", "noise", "endless sections"],
)
def test_what_cannot_be_read_counts_by_its_size(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    assert estimated(path) > 30 * path.stat().st_size


def test_an_empty_file_is_expected_to_take_the_least(tmp_path: Path) -> None:
    assert estimated(written(tmp_path, b"")) < 40 * MIB
