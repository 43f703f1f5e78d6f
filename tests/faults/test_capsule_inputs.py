"""Whatever a file holds, loading it gives a capsule or one of the errors that are for it."""

import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

from atectl.capsule.errors import Undecodable
from atectl.engine.metered import Engine
from atectl.errors import (
    AtectlError,
    InvalidCapsule,
    MissingImport,
    NotWebAssembly,
    PrecompiledCapsule,
    TruncatedCapsule,
)
from tests.conftest import CAPSULES
from tests.support.loading import load
from tests.support.python_child import AS_NOBODY
from tests.support.wasm_bytes import mutated

VALID = sorted(CAPSULES.glob("*.wat"))
MUTATIONS = 200
CUTS = 16
"""At how many places each fixture is cut: each load costs a process that compiles."""
REFUSALS = (NotWebAssembly, TruncatedCapsule, InvalidCapsule, PrecompiledCapsule, MissingImport)


@cache
def binary_of(path: Path) -> bytes:
    return bytes(wat2wasm(path.read_text()))


def outcome(engine: Engine, folder: Path, content: bytes) -> type[AtectlError] | None:
    """The type of the error that loading `content` gives; None if it gives a capsule."""
    path = folder / "capsule"
    path.write_bytes(content)
    try:
        load(engine, path, None)
    except AtectlError as error:
        refusal = error
    else:
        return None
    assert "\n" not in str(refusal)
    return type(refusal)


def section_starts(binary: bytes) -> list[int]:
    """Where each section of a binary begins, and where the last one ends."""
    starts, position = [8], 8
    while position < len(binary):
        position += 1
        size = shift = 0
        while True:
            byte = binary[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        position += size
        starts.append(position)
    return starts


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_binary_cut_inside_a_section_is_truncated(
    engine: Engine, tmp_path: Path, path: Path
) -> None:
    binary = binary_of(path)
    boundaries = section_starts(binary)
    for length in range(1, len(binary), max(1, len(binary) // CUTS)):
        if length not in boundaries:
            assert outcome(engine, tmp_path, binary[:length]) is TruncatedCapsule


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_binary_cut_between_sections_is_refused_or_a_smaller_capsule(
    engine: Engine, tmp_path: Path, path: Path
) -> None:
    binary = binary_of(path)
    for length in section_starts(binary):
        found = outcome(engine, tmp_path, binary[:length])
        assert found in (None, TruncatedCapsule, InvalidCapsule, MissingImport)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_text_cut_anywhere_is_refused(engine: Engine, tmp_path: Path, path: Path) -> None:
    text = path.read_bytes().rstrip()
    for length in range(1, len(text), max(1, len(text) // CUTS)):
        found = outcome(engine, tmp_path, text[:length])
        assert found in (NotWebAssembly, TruncatedCapsule, InvalidCapsule)


def test_mutations_of_valid_capsules_give_a_capsule_or_an_error(
    engine: Engine, tmp_path: Path
) -> None:
    source = random.Random(2026)
    found = {
        outcome(engine, tmp_path, mutated(source, binary_of(VALID[number % len(VALID)])))
        for number in range(MUTATIONS)
    }
    assert found <= {None, *REFUSALS}
    assert {None, TruncatedCapsule, InvalidCapsule} <= found


def wasm_tools(*arguments: str, stdin: bytes = b"") -> bytes | None:
    """What wasm-tools writes; None if this seed gives nothing."""
    program = Path(sys.executable).with_name("wasm-tools")
    finished = subprocess.run([program, *arguments], input=stdin, capture_output=True, check=False)
    return finished.stdout if finished.returncode == 0 else None


def test_valid_mutations_of_valid_modules_are_capsules(engine: Engine, tmp_path: Path) -> None:
    others = ("component", "gc", "memory64", "missing-import")
    modules = [path for path in VALID if not path.stem.startswith(others)]
    found = []
    for seed in range(30):
        path = tmp_path / "original.wasm"
        path.write_bytes(binary_of(modules[seed % len(modules)]))
        mutation = wasm_tools("mutate", "--preserve-semantics", "--seed", str(seed), str(path))
        if mutation is not None:
            found.append(outcome(engine, tmp_path, mutation))
    assert len(found) >= 15
    assert set(found) == {None}


def test_random_valid_modules_are_capsules_or_of_a_proposal_that_is_off(
    engine: Engine, tmp_path: Path
) -> None:
    found = []
    for seed in range(24):
        module = wasm_tools("smith", "--max-imports=0", stdin=random.Random(seed).randbytes(2000))
        if module is not None:
            found.append(outcome(engine, tmp_path, module))
    assert len(found) >= 12
    assert set(found) <= {None, InvalidCapsule}
    assert None in found


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from([b"", b"\0asm", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"(module ", b"(;"]),
    st.binary(max_size=100),
)
def test_random_bytes_give_a_capsule_or_an_error(
    engine: Engine, tmp_path: Path, start: bytes, rest: bytes
) -> None:
    found = outcome(engine, tmp_path, start + rest)
    # Random bytes may begin as a compressed file does.
    assert found in (None, *REFUSALS, Undecodable)


@pytest.mark.parametrize(
    "text",
    [
        b"(" * 100_000,
        b"(module (func " + b"(block " * 50_000,
        b"(; " * 100_000,
        b"(component " * 20_000,
        b"(module (func (export \"" + b"\\u{1b}" * 10_000 + b"\")) x",
    ],
    ids=["parentheses", "blocks", "comments", "components", "escapes"],
)  # fmt: skip
def test_text_without_end_is_refused_like_any_other(
    engine: Engine, tmp_path: Path, text: bytes
) -> None:
    assert outcome(engine, tmp_path, text) in REFUSALS


LOADS_AS_NOBODY = f"""
import sys
from pathlib import Path
from atectl.capsule.compiler import Compiler
from atectl.capsule.loading import load
from atectl.engine.metered import Engine
from atectl.errors import CapsuleUnreadable
engine = Engine()
compiler = Compiler(engine)
{AS_NOBODY}
try:
    load(engine, Path(sys.argv[1]), None, compiler)
except CapsuleUnreadable as error:
    print(error)
"""


def test_a_file_that_may_not_be_read_is_an_error_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "capsule.wasm"
    path.write_bytes(b"\0asm\x01\0\0\0")
    path.chmod(0o000)
    finished = subprocess.run(
        [sys.executable, "-c", LOADS_AS_NOBODY, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "Permission denied" in finished.stdout
