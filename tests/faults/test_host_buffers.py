"""What the host holds for guests beside their memory: figures of `atectl explain bounds`."""

import json
from pathlib import Path

import pytest

from atectl.trace.events import Sampled
from atectl.trace.reading import read_trace
from tests.conftest import CAPSULES
from tests.support.bombs import many_flags
from tests.support.handles import KEEPS_STREAMS
from tests.support.program import ATECTL, Ended, atectl
from tests.support.watched_process import run_watched

MIB = 1 << 20
RANDOM = """(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1025)
  (func (export "_start") (call $exit (call $random (i32.const 0) (i32.const SIZE)))))"""


def run(folder: Path, text: str) -> Ended:
    path = folder / "calls.wat"
    path.write_text(text)
    return atectl("run", "--ledger", "none", "--max-mem", "200MiB", path)


@pytest.mark.parametrize(("size", "status"), [(64 * MIB, 0), (64 * MIB + 1, 134)])
def test_it_makes_no_more_than_so_many_random_bytes(tmp_path: Path, size: int, status: int) -> None:
    ended = run(tmp_path, RANDOM.replace("SIZE", str(size)))
    assert ended.status == status, ended.stderr
    assert ended.status == 0 or "exceeds limit 67108864" in ended.stderr


@pytest.mark.parametrize(
    ("size", "why"),
    [(128 * MIB, "Buffer too large"), (128 * MIB + 1, "too much data is being copied")],
)
def test_it_copies_no_more_than_so_much_from_a_component(
    tmp_path: Path, size: int, why: str
) -> None:
    text = (CAPSULES / "component.wat").read_text()
    text = text.replace('(memory (export "memory") 1)', '(memory (export "memory") 2100)')
    ended = run(tmp_path, text.replace("(i32.const 23)", f"(i32.const {size})"))
    assert (ended.status, why in ended.stderr) == (134, True), ended.stderr


@pytest.mark.xdist_group("memory of whole processes")
def test_what_the_host_of_a_batch_holds_for_a_guest_counts_as_pressure(tmp_path: Path) -> None:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "f").write_bytes(bytes(200_000))
    (tmp_path / "keeps.wat").write_text(KEEPS_STREAMS)
    trace = tmp_path / "trace.jsonl"
    job = {
        "capsule": str(tmp_path / "keeps.wat"),
        "dirs": [str(tmp_path / "granted")],
        "max_mem": "1MiB",
        "deadline": "2s",
    }
    words = ["batch", "-", "--limit", "1GiB", "--trace", trace, "--ledger", "none"]
    atectl(*words, stdin=json.dumps(job).encode())
    resident = [
        each.resident_bytes - each.baseline_bytes
        for each in read_trace(trace).events
        if isinstance(each, Sampled) and each.resident_bytes is not None
    ]
    assert max(resident) > 20 * MIB, "it holds handles for a guest whose quota is 1 MiB"


@pytest.mark.xdist_group("memory of whole processes")
def test_what_the_host_holds_for_a_guest_in_a_cell_is_charged_to_its_principal(
    tmp_path: Path,
) -> None:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "f").write_bytes(bytes(200_000))
    (tmp_path / "keeps.wat").write_text(KEEPS_STREAMS)
    job = {
        "capsule": str(tmp_path / "keeps.wat"),
        "dirs": [str(tmp_path / "granted")],
        "max_mem": "1MiB",
        "deadline": "2s",
        "principal": "keeper",
    }
    ledger = tmp_path / "ledger.db"
    ended = atectl("batch", "-", "--ledger", ledger, stdin=json.dumps(job).encode())
    result = json.loads(ended.stdout)
    assert result["host_bytes"] > 20 * MIB
    assert result["byte_seconds"] > MIB * result["wall_s"], "its own memory is at most 1 MiB"
    (account,) = json.loads(atectl("ledger", "ls", "--ledger", ledger, "-o", "json").stdout)[
        "accounts"
    ]
    assert account["byte_seconds"] == pytest.approx(result["byte_seconds"], rel=0.01)


@pytest.mark.parametrize(("count", "names"), [(1_500_000, 1), (46_000, 32)])
@pytest.mark.xdist_group("memory of whole processes")
def test_a_result_of_many_parts_ends_the_call_and_hurts_nobody(
    tmp_path: Path, count: int, names: int
) -> None:
    """What it makes of the result the engine may notice first, or atectl before it reads that."""
    path = tmp_path / "flags.wat"
    path.write_text(many_flags(count, names))
    run = run_watched([ATECTL, "run", "--ledger", "none", "--invoke", "get", path])
    assert run.status == 137, run.stderr
    assert "error[E334]" in run.stderr or "error[E309]" in run.stderr
    assert run.peak_resident_bytes < 600 * MIB
    good = {"capsule": str(CAPSULES / "hello.wat"), "principal": "good"}
    jobs = [{"capsule": str(path), "invoke": "get", "principal": "bad"}, *[good] * 20]
    words = [ATECTL, "batch", "-", "--ledger", "none", "--limit", "1GiB", "--jobs", "2"]
    ended = run_watched(words, stdin="".join(f"{json.dumps(job)}\n" for job in jobs))
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["reason"] for each in results if each["principal"] == "good"] == ["exited"] * 20
    (bad,) = [each for each in results if each["principal"] == "bad"]
    assert (bad["reason"], bad["exit_status"]) == ("quota", 137)
    assert bad["error"]["code"] in ("E334", "E309")
    assert ended.peak_tree_bytes < 1 << 30


RETURNS_TEXT = """(component
  (core module $m (memory (export "memory") 100)
    (func (export "get") (result i32)
      (memory.fill (i32.const 16) (i32.const 120) (i32.const SIZE))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const SIZE))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "get") (result string)
    (canon lift (core func $i "get") (memory (core memory $i "memory")))))"""


@pytest.mark.parametrize(("mib", "code"), [(3, None), (5, "E334")])
def test_a_result_of_a_job_is_told_up_to_four_mib(
    tmp_path: Path, mib: int, code: str | None
) -> None:
    path = tmp_path / "text.wat"
    path.write_text(RETURNS_TEXT.replace("SIZE", str(mib * MIB)))
    job = json.dumps({"capsule": str(path), "invoke": "get"}).encode()
    result = json.loads(atectl("batch", "-", "--ledger", "none", stdin=job).stdout)
    assert (result["error"] or {}).get("code") == code
    assert result["results"] == ([] if code else ["x" * mib * MIB])


def test_all_that_is_captured_of_a_job_is_told(tmp_path: Path) -> None:
    path = tmp_path / "prints.wat"
    path.write_text("""(module
      (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 100)
      (func (export "_start")
        (memory.fill (i32.const 64) (i32.const 255) (i32.const 4194304))
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 4194304))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))))""")
    job = json.dumps({"capsule": str(path)}).encode()
    words = ["batch", "-", "--ledger", "none", "--capture", "4MiB"]
    result = json.loads(atectl(*words, stdin=job).stdout)
    for name in ("stdout", "stderr"):
        assert result[name]["written_bytes"] == 4 * MIB
        assert len(result[name]["base64"]) > 5 * MIB


def test_a_result_of_fewer_parts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flags.wat"
    path.write_text(many_flags(90_000))
    ended = atectl("run", "--ledger", "none", "--invoke", "get", path)
    assert ended.stdout == f"{json.dumps([['n0']] * 90_000)}\n"
