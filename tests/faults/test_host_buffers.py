"""What the host holds for guests beside their memory: figures of `atectl explain bounds`."""

import json
from pathlib import Path

import pytest

from atectl.trace.events import Sampled
from atectl.trace.reading import read_trace
from tests.conftest import CAPSULES
from tests.support.handles import KEEPS_STREAMS
from tests.support.program import Ended, atectl

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
