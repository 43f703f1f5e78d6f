"""The state of a module's instances, computed from its sections, and held to the real engine."""

import json
import subprocess
import sys

import pytest
from wasmtime import wat2wasm

from atectl.capsule.binary import HEADER_BYTES, Reader
from atectl.capsule.module_state import ModuleState, module_state

N = 5000
FUNCTIONS = "".join(f"(func $f{n})" for n in range(N))
NAMES = " ".join(f"$f{n}" for n in range(N))

MODULES = {
    "nothing": "(module)",
    "globals": f"(module {'(global (mut v128) (v128.const i64x2 0 0))' * N})",
    "constants": f"(module {'(global i32 (i32.const 0))' * N})",
    "functions of globals": f"(module (func $f) {'(global funcref (ref.func $f))' * N})",
    "functions alone": f"(module {FUNCTIONS})",
    "exported functions": "(module " + "".join(f'(func (export "{n}"))' for n in range(N)) + ")",
    "declared functions": f"(module {FUNCTIONS} (elem declare func {NAMES}))",
    "passive functions": f"(module {FUNCTIONS} (elem func {NAMES}))",
    "one function, passive": f"(module (func $f) (elem func{' $f' * N}))",
    "passive expressions": f"(module (elem externref{' (ref.null extern)' * N}))",
    "passive segments": f"(module (func $f) {'(elem func $f)' * N})",
    "empty segments": f"(module {'(elem func)' * N})",
    "active segments": f"(module (table 1 funcref) (func $f) {'(elem (i32.const 0) $f)' * N})",
    "passive data": f"(module (memory 0) {'(data)' * N})",
    "active data": f"(module (memory 0) {'(data (i32.const 0))' * N})",
    "tags": f"(module {'(tag)' * N})",
    "tables": f"(module {'(table 0 funcref)' * 50})",
    "memories": f"(module {'(memory 0)' * 50})",
    "imports": "(module "
    + '(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))' * N
    + ")",
}

IN_USE = """
import ctypes, gc, json, sys
from wasmtime import Module
from atectl.accounting import Ledger, Meter, Principal, Quota, StoreBounds
from atectl.engine.memory import LeaseMemory
from atectl.engine.metered import Engine, GuestControl
from atectl.engine.settings import EngineSettings

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo

def in_use():
    gc.collect()
    found = libc.mallinfo2()
    return found.uordblks + found.hblkhd

engine = Engine(EngineSettings(bounds=StoreBounds(100, memories=100_000, reserved_bytes=1 << 46)))
linker = engine.module_linker()
memory = LeaseMemory(Meter(Principal(), Quota(1 << 40), Ledger()))

def taken(text):
    module = Module(engine.native, text)
    store = engine.new_store(GuestControl())
    store.set_limits(instances=100, tables=100_000, memories=100_000)
    with engine.memories.charging(memory):
        kept = [linker.instantiate(store, module)]
        before = in_use()
        kept += [linker.instantiate(store, module) for _ in range(20)]
        return (in_use() - before) // 20

print(json.dumps({name: taken(text) for name, text in json.load(sys.stdin).items()}))
"""


@pytest.fixture(scope="module")
def taken_by_engine() -> dict[str, int]:
    """What the C library's allocator has given out for one more instance of each."""
    ran = subprocess.run(
        [sys.executable, "-c", IN_USE],
        input=json.dumps(MODULES),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(ran.stdout)
    return found


def state_of(text: str) -> ModuleState:
    binary = bytes(wat2wasm(text))
    return module_state(Reader(binary, HEADER_BYTES, len(binary)))


@pytest.mark.xdist_group("state of modules")
@pytest.mark.parametrize("name", MODULES)
def test_the_engine_takes_no_more_than_is_computed_and_not_much_less(
    name: str, taken_by_engine: dict[str, int]
) -> None:
    computed, taken = state_of(MODULES[name]).state_bytes, taken_by_engine[name]
    assert taken <= computed <= 4 * taken + 2048


def test_segments_are_read_to_their_end_in_every_form() -> None:
    forms = [
        "(elem (i32.const 0) $f $f)",
        "(elem func $f $f)",
        "(elem (table 1) (i32.const 0) func $f $f)",
        "(elem declare func $f $f)",
        "(elem (i32.const 0) funcref (ref.func $f) (ref.null func))",
        "(elem funcref (ref.func $f) (item ref.null func))",
        "(elem (table 1) (offset i32.const 0) funcref (ref.func $f))",
        "(elem declare funcref (ref.func $f))",
        "(elem (ref null func) (ref.func $f))",
    ]
    parts = '(table 9 funcref) (table 9 funcref) (func $f) (export "f" (func $f))'
    ended = state_of(f"(module {parts} {' '.join(forms)} (elem func {'$f ' * 1000}))")
    alone = state_of(f"(module {parts} (elem func {'$f ' * 1000}))")
    assert 0 < ended.state_bytes - alone.state_bytes < 1000


def test_a_long_segment_of_large_indices_is_passed_in_a_moment() -> None:
    functions = "".join(f"(func $f{n})" for n in range(20_000))
    text = f"(module {functions} (elem func {' '.join(f'$f{n % 20_000}' for n in range(200_000))}))"
    assert state_of(text).state_bytes >= 16 * 200_000


def test_an_initialiser_that_is_not_known_counts_as_many_entries_as_it_may_have() -> None:
    known = bytes(wat2wasm(f"(module (elem externref{' (ref.null extern)' * 1000}))"))
    unknown = known.replace(b"\xd0\x6f\x0b", b"\xff\x6f\x0b")
    found = module_state(Reader(unknown, HEADER_BYTES, len(unknown)))
    assert found.state_bytes >= 16 * 1000
