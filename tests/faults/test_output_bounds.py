"""What a guest may write to its output is bounded, and what is beyond is nowhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CAPSULES
from tests.support.program import Ended, atectl

MIB = 1 << 20

WRITES = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 17)
  (func (export "_start") (local $left i32) (local $error i32)
    (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const SIZE))
    (local.set $left (i32.const TIMES))
    (loop $more
      (local.set $error (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (local.get $error) (then (call $exit (local.get $error))))
      (local.set $error (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (local.get $error) (then (call $exit (local.get $error))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))))"""
ENOSPC = 51
ENDLESS = 1 << 30


def writes(folder: Path, size: int, times: int) -> Path:
    """A capsule that writes `size` bytes to stdout and to stderr, `times` times each."""
    path = folder / "writes.wat"
    path.write_text(WRITES.replace("SIZE", str(size)).replace("TIMES", str(times)))
    return path


def batch(job: dict[str, Any], *words: str) -> dict[str, Any]:
    line = json.dumps(job).encode()
    ended = atectl("batch", "-", "--ledger", "none", *words, stdin=line)
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


@pytest.mark.parametrize("times", [ENDLESS, 30])
def test_a_job_that_writes_too_much_is_ended_and_its_files_are_cut(
    tmp_path: Path, times: int
) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    job = {"capsule": str(writes(tmp_path, MIB, times)), "stdout": str(out), "stderr": str(err)}
    result = batch(job, "--max-output", "8MiB")
    assert (result["reason"], result["exit_status"]) == ("quota", 137)
    assert result["error"]["code"] == "E308"
    assert "more than 8MiB" in result["error"]["message"]
    assert 0 < out.stat().st_size + err.stat().st_size <= 8 * MIB


@pytest.mark.parametrize("ends", ["", "unreachable"])
def test_the_ledger_says_the_same_of_a_job_that_ended_before_it_was_noticed(
    tmp_path: Path, ends: str
) -> None:
    capsule = writes(tmp_path, MIB, 5)
    capsule.write_text(capsule.read_text().removesuffix("))") + f" {ends}))")
    ledger = tmp_path / "ledger.db"
    job = {"capsule": str(capsule), "stdout": str(tmp_path / "out"), "stderr": "/dev/null"}
    jobs = json.dumps(job).encode()
    ended = atectl("batch", "-", "--ledger", ledger, "--max-output", "4MiB", stdin=jobs)
    told = json.loads(ended.stdout)
    history = json.loads(atectl("ledger", "history", "--ledger", ledger, "-o", "json").stdout)
    [lease] = history["leases"]
    assert (told["reason"], told["exit_status"]) == ("quota", 137)
    assert (lease["reason"], lease["exit_status"]) == ("quota", 137)


def test_a_job_that_writes_just_what_it_may_is_left_alone(tmp_path: Path) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    job = {"capsule": str(writes(tmp_path, MIB, 4)), "stdout": str(out), "stderr": str(err)}
    assert batch(job, "--max-output", "8MiB")["exit_status"] == 0
    assert (out.stat().st_size, err.stat().st_size) == (4 * MIB, 4 * MIB)
    job |= {"stdout": str(tmp_path / "2"), "stderr": "/dev/null"}
    assert batch(job, "--max-output", "none")["exit_status"] == 0


def run(*words: str | Path) -> Ended:
    return atectl("run", "--ledger", "none", *words)


def test_a_run_tells_its_guest_that_there_is_no_room_left(tmp_path: Path) -> None:
    ended = run("--max-output", "1000", writes(tmp_path, 300, ENDLESS))
    assert ended.status == ENOSPC
    assert (len(ended.stdout), len(ended.stderr)) == (600, 400)


def test_a_run_that_may_write_what_it_does_writes_it(tmp_path: Path) -> None:
    assert run("--max-output", "21", CAPSULES / "hello.wat").stdout == "hello from a capsule\n"
    component = run("--max-output", "1MiB", CAPSULES / "component.wat")
    assert (component.status, component.stdout) == (0, "hello from a component\n")
    assert run("--max-output", "lots", CAPSULES / "hello.wat").status == 2
