"""Modules that no toolchain makes: `run` and `batch` say of each what happened, and alike."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.bombs import doubling_name
from tests.support.program import atectl

EMPTY = '(func (export "_start"))'
ARRAY = "(type $a (array i8))"
LARGE = "(array.new_default $a (i32.const 100000000))"
COMMAND = """(component
  (core module $m (memory (export "memory") 1)
    (func (export "run") (result i32) (i32.const 0))
    (func (export "done") (param i32 i32 i32) (result i32) (i32.const 0)))
  {more}
  (core instance $i (instantiate $m))
  (func $f {type} (canon lift (core func $i "run") {options}))
  (instance $interface (export "{name}" (func $f)))
  (export "{interface}" (instance $interface)))"""
OF_COMMAND = {
    "type": "(result (result))",
    "name": "run",
    "interface": "wasi:cli/run@0.2.0",
    "options": "",
    "more": "",
}
ASYNC = {
    "type": "async (result (result))",
    "options": 'async (callback (core func $i "done"))',
}
NO_TABLES = f"""(core module $none) (core module $one (table 5808 funcref))
  {"(core instance (instantiate $none))" * 400} (core instance (instantiate $one))"""
BEYOND = "(core module $beyond {}) (core instance (instantiate $beyond))"


def component(**changes: str) -> str:
    return COMMAND.format(**{**OF_COMMAND, **changes})


ASYNC_WITHIN = """
  (component $inner
    (core module $m (func (export "a") (result i32) (i32.const 1))
      (func (export "done") (param i32 i32 i32) (result i32) (i32.const 1)))
    (core instance $i (instantiate $m))
    (func (export "a") async
      (canon lift (core func $i "a") async (callback (core func $i "done")))))
  (instance $inner (instantiate $inner))
  (core func $a (canon lower (func $inner "a")))
  (core module $calls (import "host" "a" (func $a)) (func $start (call $a)) (start $start))
  (core instance (instantiate $calls (with "host" (instance (export "a" (func $a))))))"""
MANY_TABLES = f"""(core module $hundred {"(table 0 funcref)" * 100})
  {"(core instance (instantiate $hundred))" * 101}"""


class Odd(NamedTuple):
    """A capsule, the status it ends with, and its error: the code, and words of the message."""

    text: str
    status: int
    code: str | None = None
    says: str = ""


ODD = {
    "a memory of 2^64 bytes": Odd(
        f"(module (memory i64 0x1000000000000) {EMPTY})", 137, "E301", "needs 18446744073709551616"
    ),
    "a growth by 2^64 bytes": Odd(
        """(module (memory i64 1 0x1000000000000)
          (func (export "_start") (drop (memory.grow (i64.const 0xffffffffffff)))))""",
        0,
    ),
    "an object over the quota": Odd(
        f"(module {ARRAY} (global (ref $a) {LARGE}) {EMPTY})", 137, "E301", "needs 1000"
    ),
    "a table of objects over the quota": Odd(
        f"(module {ARRAY} (table 10 (ref null $a) {LARGE}) {EMPTY})", 137, "E301", "needs 1000"
    ),
    "two tables, one too large": Odd(
        f"(module (table 10 funcref) (table 3000000 funcref) {EMPTY})",
        137,
        "E306",
        "shared out to 2 tables",
    ),
    "a table of 2^40 elements": Odd(
        f"(module (table i64 0xffffffffff funcref) {EMPTY})", 137, "E306", "at most 2097152"
    ),
    "many instances and one table": Odd(component(more=NO_TABLES), 0),
    "a start function alone": Odd("(module (func $start) (start $start))", 0),
    "an entry point with a parameter": Odd(
        '(module (func (export "_start") (param i32)))', 126, "E208", "takes parameters"
    ),
    "an entry point that returns a vector": Odd(
        '(module (func (export "_start") (result v128) (v128.const i64x2 1 2)))',
        126,
        "E208",
        "returns a value",
    ),
    "a command without run": Odd(component(name="walk"), 126, "E208", "has no function run"),
    "a command whose run is async": Odd(component(**ASYNC), 126, "E208", "is async"),
    "a command for WASI 0.3": Odd(
        component(**ASYNC, interface="wasi:cli/run@0.3.0"), 126, "E208", "a later WASI than 0.2"
    ),
    "a server": Odd(
        component(interface="wasi:http/incoming-handler@0.2.0"), 126, "E208", "is a server"
    ),
    "a trap in a function whose name stands for gigabytes": Odd(
        f'(module (func ${doubling_name(26)} (export "_start") unreachable))',
        134,
        "E303",
        "unreachable",
    ),
    "a command that calls an async function of its own": Odd(
        component(more=ASYNC_WITHIN), 134, "E303", "async call (the engine as Python has it cannot"
    ),
    "more tables than the engine has room for": Odd(
        component(more=MANY_TABLES), 137, "E310", "more than 10,000 tables"
    ),
    "data beyond the memory": Odd(
        f'(module (memory 1) (data (i32.const 0x1000000) "x") {EMPTY})', 134, "E303", "memory out"
    ),
    "data beyond the memory of a component": Odd(
        component(more=BEYOND.format('(memory 1) (data (i32.const 0x1000000) "x")')),
        134,
        "E303",
        "memory out of bounds",
    ),
    "elements beyond the table of a component": Odd(
        component(more=BEYOND.format("(table 1 funcref) (func $f) (elem (i32.const 5) $f)")),
        134,
        "E303",
        "table out of bounds",
    ),
    "a pointer that is not aligned": Odd(
        """(module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 8)))))""",
        134,
        "E303",
        "Pointer not aligned to Region { start: 1, len: 4 }",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_run_says_what_happened(tmp_path: Path, name: str) -> None:
    odd = ODD[name]
    (tmp_path / "odd.wat").write_text(odd.text)
    ended = atectl("run", "--ledger", "none", tmp_path / "odd.wat")
    assert ended.status == odd.status, ended.stderr
    assert odd.code is None or f"error[{odd.code}]" in ended.stderr
    assert odd.says in ended.stderr


def test_a_batch_says_the_same(tmp_path: Path) -> None:
    jobs = []
    for number, odd in enumerate(ODD.values()):
        (tmp_path / f"{number}.wat").write_text(odd.text)
        jobs.append(json.dumps({"capsule": f"{tmp_path}/{number}.wat"}) + "\n")
    ended = atectl("batch", "-", "--ledger", "none", stdin="".join(jobs).encode())
    told = sorted(map(json.loads, ended.stdout.splitlines()), key=lambda each: each["job"])
    for name, each in zip(ODD, told, strict=True):
        odd, error = ODD[name], each["error"] or {"code": None, "message": ""}
        assert (each["exit_status"], error["code"]) == (odd.status, odd.code), (name, each)
        assert odd.says in error["message"], name


@pytest.mark.parametrize("quota", ["7EiB", str(2**63 - 1)])
def test_the_largest_quota_there_is_is_a_quota_as_any(tmp_path: Path, quota: str) -> None:
    path = tmp_path / "quiet.wat"
    path.write_text(f"(module (memory 1) {EMPTY})")
    ended = atectl("run", "--ledger", "none", "--max-mem", quota, path)
    assert ended.status == 0, ended.stderr
    job = json.dumps({"capsule": str(path), "max_mem": quota}) + "\n"
    ended = atectl("batch", "-", "--ledger", "none", stdin=job.encode() * 2)
    assert [json.loads(line)["reason"] for line in ended.stdout.splitlines()] == ["exited"] * 2
