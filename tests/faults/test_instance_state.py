"""What the engine keeps for instances, beside memories and tables, counts to the quota.

Each of the capsules here takes some 160 MB. Without the charge they did so under a quota of 1 MiB,
with a peak of 0 bytes in their reports.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from atectl.accounting import UNCHARGED_STATE_BYTES
from tests.support.bombs import STATES, many_instances, many_types
from tests.support.program import ATECTL, atectl
from tests.support.watched_process import run_watched

MIB = 1 << 20
GLOBALS = STATES["globals"][0]
LEAST_STATE_BYTES = 140_000_000
WITHOUT_IT_BYTES = 100 * MIB
"""What a run of a small capsule is far below, and what this state is far above."""


FEW = "(global (mut i32) (i32.const 0))" * 1000


@pytest.fixture(scope="module", params=STATES)
def capsule(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A component of many instances, compiled already."""
    path = tmp_path_factory.mktemp("state") / "state.wat"
    path.write_text(many_instances(*STATES[request.param]))
    atectl("run", "--ledger", "none", path)
    return path


def test_a_run_is_refused_what_it_has_no_quota_for(capsule: Path) -> None:
    command = [ATECTL, "run", "--ledger", "none", "--max-mem", "1MiB", capsule]
    ended = run_watched(command)
    assert ended.status == 137
    assert "error[E301]" in ended.stderr
    assert "for the state of its instances" in ended.stderr
    assert ended.peak_resident_bytes < WITHOUT_IT_BYTES


def test_a_job_is_refused_it_and_hurts_no_other(capsule: Path, tmp_path: Path) -> None:
    innocent = tmp_path / "innocent.wat"
    innocent.write_text('(module (memory 1) (func (export "_start")))')
    jobs: list[dict[str, Any]] = [
        {"capsule": str(innocent), "label": "innocent"},
        {"capsule": str(capsule), "max_mem": "64MiB"},
        {"capsule": str(innocent), "label": "innocent"},
    ]
    lines = "".join(f"{json.dumps(job)}\n" for job in jobs)
    command = [ATECTL, "batch", "-", "--ledger", "none", "--limit", "256MiB"]
    ended = run_watched(command, stdin=lines)
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    reasons = {result["label"]: result["reason"] for result in results}
    assert reasons == {"innocent": "exited", "": "quota"}
    assert ended.peak_resident_bytes < WITHOUT_IT_BYTES


@pytest.mark.xdist_group("memory of whole processes")
def test_with_a_quota_for_it_it_runs_and_its_peak_has_it(capsule: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["run", "--ledger", "none", "--max-mem", "2GiB", "--report", report, capsule]
    ended = atectl(*words)
    assert ended.status == 0, ended.stderr
    found = json.loads(report.read_text())
    assert LEAST_STATE_BYTES - UNCHARGED_STATE_BYTES < found["peak_bytes"] < 6 * LEAST_STATE_BYTES
    assert found["grown_bytes"] == found["peak_bytes"]


def test_a_small_capsule_is_charged_for_its_memories_alone(tmp_path: Path) -> None:
    path, report = tmp_path / "small.wat", tmp_path / "report.json"
    path.write_text(f'(module (memory 1) {FEW} (func (export "_start")))')
    ended = atectl("run", "--ledger", "none", "--max-mem", "64KiB", "--report", report, path)
    assert ended.status == 0
    assert json.loads(report.read_text())["peak_bytes"] == 65_536


def test_inspecting_tells_the_quota_that_it_starts_with(tmp_path: Path) -> None:
    path = tmp_path / "state.wat"
    path.write_text(many_instances(GLOBALS, 3))
    inspected = json.loads(atectl("inspect", "-o", "json", path).stdout)
    least = inspected["needs"]["min_memory_bytes"]
    assert atectl("run", "--ledger", "none", "--max-mem", str(least), path).status == 0
    refused = atectl("run", "--ledger", "none", "--max-mem", str(least - 1), path)
    assert refused.status == 137


def test_loading_finds_the_same(tmp_path: Path) -> None:
    path = tmp_path / "state.wat"
    path.write_text(many_instances(GLOBALS, 3))
    loaded = json.loads(atectl("load", "-o", "json", path).stdout)
    inspected = json.loads(atectl("inspect", "-o", "json", path).stdout)
    least = loaded["capsules"][0]["min_memory_bytes"]
    assert least == inspected["needs"]["min_memory_bytes"]


@pytest.mark.xdist_group("memory of whole processes")
def test_under_a_limit_leases_wait_for_their_state_and_the_trace_holds(tmp_path: Path) -> None:
    """Six of 80 MiB under a limit for two: all are done, and each decision is decided again."""
    path, trace = tmp_path / "state.wat", tmp_path / "trace.jsonl"
    path.write_text(many_instances(GLOBALS, 100))
    atectl("run", "--ledger", "none", path)
    job = json.dumps({"capsule": str(path), "max_mem": "128MiB"})
    command = [ATECTL, "batch", "-", "--ledger", "none", "--jobs", "6", "--limit", "320MiB"]
    ended = run_watched([*command, "--trace", trace], stdin=f"{job}\n" * 6)
    assert ended.status == 0, ended.stdout
    assert ended.peak_tree_bytes < 320 * MIB
    asked = [json.loads(line) for line in trace.read_text().splitlines()]
    assert sum(each.get("asked_bytes", 0) > 70 * MIB for each in asked) >= 6
    simulated = atectl("budget", "simulate", trace)
    assert simulated.status == 0, simulated.stdout + simulated.stderr


@pytest.mark.xdist_group("memory of whole processes")
def test_state_that_no_spill_frees_stays_charged(tmp_path: Path) -> None:
    """Leases that hold hardly anything else: what others may have is not counted too high."""
    path, trace = tmp_path / "state.wat", tmp_path / "trace.jsonl"
    path.write_text(many_instances(GLOBALS, 100))
    atectl("run", "--ledger", "none", path)
    job = json.dumps({"capsule": str(path), "max_mem": "128MiB"})
    command = [ATECTL, "batch", "-", "--ledger", "none", "--jobs", "8", "--limit", "256MiB"]
    ended = run_watched([*command, "--cells", "2", "--trace", trace], stdin=f"{job}\n" * 8)
    assert ended.status == 0, ended.stdout
    asked = [json.loads(line) for line in trace.read_text().splitlines()]
    assert not [each for each in asked if each.get("action") == "spill"]


MAPPED_BYTES = 50 * MIB
"""Less than the code of `many_types` takes."""

HOLDS_AND_SLEEPS = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 512)
  (func (export "_start")
    (memory.fill (i32.const 65536) (i32.const 7) (i32.const 33000000))
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 2000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"""
"""Fills 31 MiB, and sleeps for two seconds."""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A command whose code takes much where it is mapped, compiled already."""
    path = tmp_path_factory.mktemp("types") / "types.wasm"
    path.write_bytes(many_types(60_000))
    ended = atectl("run", "--ledger", "none", "--max-mem", "1GiB", path)
    assert ended.status == 0, ended.stderr
    return path


@pytest.mark.xdist_group("memory of whole processes")
def test_code_is_not_mapped_that_the_quota_has_no_room_for(types: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    command = [ATECTL, "run", "--ledger", "none", "--max-mem", "1MiB", "--report", str(report)]
    ended = run_watched([*command, types])
    assert ended.status == 137
    assert "error[E301]" in ended.stderr
    assert ended.peak_resident_bytes < MAPPED_BYTES
    told = json.loads(report.read_text())
    assert (told["reason"], told["refused_growths"]) == ("quota", 1)
    assert told["largest_refused_bytes"] > MAPPED_BYTES


def test_the_ledger_has_each_lease_that_was_refused_for_its_code(types: Path) -> None:
    job = json.dumps({"capsule": str(types), "max_mem": "1MiB"})
    assert atectl("run", "--max-mem", "1MiB", types).status == 137
    assert atectl("batch", "-", stdin=job.encode()).status == 1
    listed = json.loads(atectl("ledger", "history", "-o", "json").stdout)["leases"]
    assert [each["reason"] for each in listed] == ["quota"] * 2
    assert [each["refused_growths"] for each in listed] == [1] * 2


@pytest.mark.xdist_group("memory of whole processes")
def test_jobs_wait_for_the_memory_of_their_code_and_abort_nobody(
    types: Path, tmp_path: Path
) -> None:
    innocent = tmp_path / "innocent.wat"
    innocent.write_text(HOLDS_AND_SLEEPS)
    jobs = [
        *[{"capsule": str(innocent), "principal": "innocent"}] * 2,
        *[{"capsule": str(types), "max_mem": "150MiB"}] * 3,
        {"capsule": str(types), "max_mem": "1MiB"},
    ]
    lines = "".join(f"{json.dumps(job)}\n" for job in jobs)
    command = [ATECTL, "batch", "-", "--ledger", "none", "--isolate", "job", "--jobs", "6"]
    ended = run_watched([*command, "--limit", "240MiB"], stdin=lines)
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    reasons = {each["job"]: each["reason"] for each in results}
    assert reasons == {1: "exited", 2: "exited", 3: "exited", 4: "exited", 5: "exited", 6: "quota"}
    assert ended.peak_tree_bytes < 240 * MIB
    assert max(each["peak_bytes"] for each in results) > MAPPED_BYTES


@pytest.mark.xdist_group("memory of whole processes")
def test_a_cell_keeps_no_code_that_nobody_is_charged_for(types: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.wat"
    small.write_text('(module (memory 1) (func (export "_start")))')
    jobs = [{"capsule": str(types), "max_mem": "150MiB"}, {"capsule": str(small)}]
    lines = "".join(f"{json.dumps(job)}\n" for job in jobs)
    command = [ATECTL, "batch", "-", "--ledger", "none", "--cells", "1", "--jobs", "1"]
    results = [json.loads(each) for each in run_watched(command, stdin=lines).stdout.splitlines()]
    assert [each["reason"] for each in results] == ["exited", "exited"]
    assert max(each["host_bytes"] for each in results) < MAPPED_BYTES
