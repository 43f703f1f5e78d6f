"""Whatever a file holds, inspecting it tells what is there or refuses, within its bounds."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atectl.capsule.inspection import Inspection, inspect
from atectl.errors import AtectlError
from tests.conftest import CAPSULES
from tests.support.python_child import in_child
from tests.support.real_capsules import RESVG
from tests.support.wasm_bytes import (
    COMPONENT_HEADER,
    MODULE_HEADER,
    binary_of,
    fixture,
    leb,
    mutated,
    name,
    section,
    vector,
)

FIXTURES = [path.stem for path in sorted(CAPSULES.glob("*.wat"))]
MIB = 1 << 20


def inspected(folder: Path, content: bytes) -> Inspection | type[AtectlError]:
    """What inspecting a file of `content` gives, or the type of the error."""
    path = folder / "capsule"
    path.write_bytes(content)
    try:
        return inspect(path)
    except AtectlError as error:
        refusal = error
    assert refusal.exit_status == 126
    assert "\n" not in str(refusal)
    return type(refusal)


def test_mutations_of_fixtures_are_shown_or_refused(tmp_path: Path) -> None:
    source = random.Random(9)
    binaries = [fixture(each) for each in FIXTURES]
    found = [inspected(tmp_path, mutated(source, source.choice(binaries))) for _ in range(2000)]
    shown = [each for each in found if isinstance(each, Inspection)]
    assert len(shown) > 1000
    assert {bool(each.faults) for each in shown} == {True, False}


def test_mutations_of_a_real_module_are_shown_or_refused(tmp_path: Path) -> None:
    source, binary = random.Random(10), RESVG.read_bytes()
    found = [inspected(tmp_path, mutated(source, binary)) for _ in range(25)]
    assert any(isinstance(each, Inspection) and each.faults for each in found)


def test_of_random_valid_modules_the_same_is_told_as_by_the_engine(tmp_path: Path) -> None:
    engine = wasmtime.Engine()
    compared = 0
    for seed in range(60):
        content = subprocess.run(
            [Path(sys.executable).with_name("wasm-tools"), "smith"],
            input=random.Random(seed).randbytes(2000),
            capture_output=True,
            check=False,
        ).stdout
        if not content:
            continue
        found = inspected(tmp_path, content)
        assert isinstance(found, Inspection)
        assert found.faults == (), seed
        assert found.module is not None
        try:
            module = wasmtime.Module(engine, content)
        except wasmtime.WasmtimeError:
            continue  # a proposal that is off, which inspection knows nevertheless
        compared += 1
        told = [(each.module, each.name) for each in found.module.imports]
        assert told == [(each.module, each.name) for each in module.imports]
        assert [each.name for each in found.module.exports] == [e.name for e in module.exports]
    assert compared >= 20


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([b"", b"\0asm", MODULE_HEADER, COMPONENT_HEADER, b"(module ", b"{", b"3030"]),
    st.binary(max_size=120),
)
def test_random_bytes_are_shown_or_refused(tmp_path: Path, start: bytes, rest: bytes) -> None:
    inspected(tmp_path, start + rest)


# What would take memory or time without bounds

MANY = 900_000


def many(number: int, entry: bytes, count: int = MANY) -> bytes:
    return section(number, leb(count) + entry * count)


def doubling(levels: int) -> bytes:
    """A component whose levels each instantiate the one below twice."""
    text = "(component $c0 (core module $m (memory 1)) (core instance (instantiate $m)))"
    for level in range(1, levels):
        text = (
            f"(component $c{level} {text} (instance (instantiate $c{level - 1}))"
            f"(instance (instantiate $c{level - 1})))"
        )
    return binary_of(text)


BOMBS: dict[str, Callable[[], bytes]] = {
    "types": lambda: MODULE_HEADER + many(1, b"\x60\x00\x00"),
    "imports": lambda: MODULE_HEADER + many(2, name("a") + name("b") + b"\x03\x7f\x00"),
    "globals": lambda: MODULE_HEADER + many(6, b"\x7f\x01\x41\x00\x0b"),
    "functions": lambda: MODULE_HEADER + many(3, b"\x00") + many(10, b"\x02\x00\x0b"),
    "tables": lambda: MODULE_HEADER + many(4, b"\x70\x00\x01"),
    "sections": lambda: MODULE_HEADER + b"\x0d\x00" * 10_000_000,
    "a type of many parameters": lambda: (
        MODULE_HEADER
        + section(1, vector(b"\x60" + leb(100_000) + b"\x7f" * 100_000 + b"\x00"))
        + many(2, name("a") + name("b") + b"\x00\x00")
    ),
    "types of instances": lambda: COMPONENT_HEADER + many(7, b"\x42\x00"),
    "a record of many fields": lambda: (
        COMPONENT_HEADER + section(7, vector(b"\x72" + leb(MANY) + (name("a") + b"\x73") * MANY))
    ),
    "an interface imported often": lambda: (
        COMPONENT_HEADER
        + section(
            7,
            vector(
                b"\x42"
                + vector(
                    b"\x01\x40\x00\x01\x00",
                    *(b"\x04\x00" + name(f"f{n}") + b"\x01\x00" for n in range(50_000)),
                )
            ),
        )
        + section(10, vector(*(b"\x00" + name(f"i{n}") + b"\x05\x00" for n in range(1500))))
    ),
    "instances that double": lambda: doubling(40),
}


def test_a_type_that_is_shared_again_and_again_is_a_fault_of_its_binary(tmp_path: Path) -> None:
    content = MODULE_HEADER + section(1, vector(b"\x65" * 5000 + b"\x60\x00\x00"))
    found = inspected(tmp_path, content)
    assert isinstance(found, Inspection)
    assert found.faults == ("in its type section: unknown type 0x65 at offset 0xd",)


_MEASURED = """
import resource, sys
from pathlib import Path
from atectl.capsule.inspection import inspect
from atectl.records.as_json import document
import json
def peak_kib():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1])
before = peak_kib()
text = json.dumps(document(inspect(Path(sys.argv[1]))))
used = resource.getrusage(resource.RUSAGE_SELF)
print((peak_kib() - before) * 1024, used.ru_utime + used.ru_stime, len(text))
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_inspected_in_bounded_time_and_memory(bomb: str, tmp_path: Path) -> None:
    content = BOMBS[bomb]()
    path = tmp_path / "bomb.wasm"
    path.write_bytes(content)
    source = f"import sys; sys.argv[1:] = [{str(path)!r}]\n{_MEASURED}"
    peak, cpu_s, shown = in_child(source).split()
    assert int(peak) < len(content) * 9 // 8 + 150 * MIB
    assert float(cpu_s) < 20
    assert int(shown) < 5 * MIB


def test_a_text_that_is_costly_to_compile_is_cheap_to_inspect(tmp_path: Path) -> None:
    blocks, locals_ = 700, 900
    body = "(block " * blocks + "(br_table " + "0 " * 10 + "(i32.const 0))" + ")" * blocks
    text = f"(module (func {'(local i64)' * locals_} {body}))"
    found = inspected(tmp_path, text.encode())
    assert isinstance(found, Inspection)
    assert found.faults == ()
