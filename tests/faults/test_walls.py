"""What a guest makes the process hold beside its memory meets a wall, and the run ends in words."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atectl.system.walls import folders
from atectl.system.walls.amounts import SLACK_BYTES
from atectl.system.walls.wall import OF_CELLS
from tests.conftest import CAPSULES
from tests.support.handles import KEEPS_STREAMS, WANTS_MUCH_AT_ONCE
from tests.support.program import ATECTL, atectl
from tests.support.python_child import in_child
from tests.support.waiting import wait_until
from tests.support.watched_process import run_watched

MIB = 1 << 20

OPENS = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "f")
  (func (export "_start") (local $opened i32)
    (block $refused
      (loop $more
        (br_if $refused (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
          (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64)))
        (local.set $opened (i32.add (local.get $opened) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $opened) (i32.const 5000)))))
    AFTER
    (call $exit (local.get $opened))))"""
"""Opens the file `f` until it may not, and exits with how often it could."""

KERNEL_ALONE = """
import sys
import atectl.lease.walled as walled
from atectl.commands.main import dispatch
walled.KERNEL_SLACK_BYTES, walled.SLACK_BYTES = 108 << 20, 1 << 40
walled._RESERVE_BYTES = 40 << 20
sys.exit(dispatch(sys.argv[1:]))
"""
"""`atectl` with a lower limit of the kernel, and a watch that leaves growth to that."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "granted"
    folder.mkdir()
    (folder / "f").write_bytes(bytes(200_000))
    return folder


@pytest.fixture
def keeps_streams(tmp_path: Path) -> Path:
    path = tmp_path / "keeps-streams.wat"
    path.write_text(KEEPS_STREAMS)
    return path


def report_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.xdist_group("memory of whole processes")
def test_handles_without_end_end_the_run_with_words(
    tmp_path: Path, folder: Path, keeps_streams: Path
) -> None:
    report, ledger = tmp_path / "report.json", tmp_path / "ledger.db"
    options = ["--max-mem", "1MiB", "--dir", folder, "--report", report, "--ledger", ledger]
    ended = run_watched([ATECTL, "run", *options, keeps_streams])
    assert ended.status == 137, ended.stderr
    assert "error[E309]" in ended.stderr
    assert "handles of streams" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.peak_resident_bytes < 100 * MIB + 2 * SLACK_BYTES
    assert report_of(report)["reason"] == "quota"
    assert "quota" in atectl("ledger", "history", "--ledger", ledger).stdout


@pytest.mark.xdist_group("memory of whole processes")
def test_growth_that_only_the_kernel_stops_ends_the_run_in_the_same_way(tmp_path: Path) -> None:
    """The buffer of one call is more than the kernel allows: the engine aborts."""
    report, ledger, capsule = tmp_path / "report.json", tmp_path / "ledger.db", tmp_path / "a.wat"
    capsule.write_text(WANTS_MUCH_AT_ONCE)
    options = ["--max-mem", "1MiB", "--report", report, "--ledger", ledger]
    ended = run_watched([sys.executable, "-c", KERNEL_ALONE, "run", *options, capsule])
    assert "memory allocation of 60000000 bytes failed" in ended.stderr
    assert ended.status == 137, ended.stderr
    assert "all that the kernel's limit leaves" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert report_of(report)["reason"] == "quota"
    assert "quota" in atectl("ledger", "history", "--ledger", ledger).stdout


@pytest.mark.parametrize(("given", "least", "most"), [((), 230, 256), (("--max-fds", "20"), 1, 20)])
def test_a_guest_opens_no_more_than_its_descriptors(
    tmp_path: Path, folder: Path, given: tuple[str, ...], least: int, most: int
) -> None:
    capsule, report = tmp_path / "opens.wat", tmp_path / "report.json"
    capsule.write_text(OPENS.replace("AFTER", ""))
    words = ["run", "--ledger", "none", "--dir", folder, "--report", report, *given, capsule]
    atectl(*words)
    assert least <= report_of(report)["exit_code"] <= most


@pytest.mark.parametrize("most", [16, 64])
def test_a_guest_in_a_cell_opens_hardly_more_than_its_descriptors(
    tmp_path: Path, folder: Path, most: int
) -> None:
    """What its cell keeps for itself and has no use for, a guest may get."""
    capsule = tmp_path / "opens.wat"
    capsule.write_text(OPENS.replace("AFTER", ""))
    job = json.dumps({"capsule": str(capsule), "dirs": [str(folder)]}).encode()
    words = ["batch", "-", "--ledger", "none", "--max-fds", str(most)]
    assert most <= json.loads(atectl(*words, stdin=job).stdout)["exit_code"] <= most + 24


def test_a_guest_that_keeps_all_of_its_descriptors_takes_none_of_the_hosts(
    tmp_path: Path, folder: Path
) -> None:
    """It is given up while it sleeps, or ended where the engine has none left to let it sleep.

    The ledger and the report are stored all the same.
    """
    capsule, report, ledger = tmp_path / "opens.wat", tmp_path / "report.json", tmp_path / "l.db"
    sleeps = """(i32.store (i32.const 144) (i32.const 1))
      (i64.store (i32.const 152) (i64.const 600000000000))
      (drop (call $poll (i32.const 128) (i32.const 256) (i32.const 1) (i32.const 320)))"""
    imported = """(import "wasi_snapshot_preview1" "poll_oneoff"
      (func $poll (param i32 i32 i32 i32) (result i32)))"""
    text = OPENS.replace("AFTER", sleeps)
    capsule.write_text(text.replace("(module", f"(module {imported}", 1))
    options = ["--dir", folder, "--report", report, "--ledger", ledger, "--deadline", "1s"]
    ended = atectl("run", "--max-fds", "3", *options, capsule)
    found = report_of(report)
    ends = (ended.status, found["error"]["code"], found["reason"])
    assert ends in {(124, "E302", "deadline"), (137, "E310", "quota")}, ended.stderr
    assert f"error[{found['error']['code']}]" in ended.stderr
    assert found["reason"] in atectl("ledger", "history", "--ledger", ledger).stdout


@pytest.fixture
def sleeping() -> Iterator[int]:
    """The process of a run whose guest sleeps."""
    run = subprocess.Popen([ATECTL, "run", "--ledger", "none", CAPSULES / "sleep.wat"])
    try:
        yield run.pid
    finally:
        run.kill()
        run.wait()


def statuses_of(pid: int) -> list[dict[str, str]]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        lines = (thread / "status").read_text().splitlines()
        found.append(dict(line.split(":\t", 1) for line in lines if ":\t" in line))
    return found


def test_while_a_guest_runs_every_thread_is_behind_the_filter_of_system_calls(
    sleeping: int,
) -> None:
    def has_guest() -> bool:
        return any(each["Seccomp"] == "2" for each in statuses_of(sleeping))

    wait_until(has_guest)
    assert {each["Seccomp"] for each in statuses_of(sleeping)} == {"2"}
    assert {each["NoNewPrivs"] for each in statuses_of(sleeping)} == {"1"}
    limits = Path(f"/proc/{sleeping}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_the_report_says_which_walls_held(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    atectl("run", "--ledger", "none", "--report", report, CAPSULES / "hello.wat")
    walls = {each["wall"]: each for each in report_of(report)["walls"]}
    assert {"memory", "descriptors", "core files", "privileges"} <= {
        name for name, each in walls.items() if each["held"]
    }
    assert not walls["processes"]["held"]
    assert all(each["detail"] for each in walls.values())


# Those of a batch, which tells only of those that each job has

LACKS = """
import sys
from atectl.commands.main import dispatch
from atectl.system.walls import folders, process, system_calls
from atectl.system.walls.wall import not_here
LACKS
sys.exit(dispatch(sys.argv[1:]))
"""
"""`atectl` on a system that lacks something."""


def walls_of(lacks: str, *jobs: dict[str, Any]) -> list[list[str]]:
    """The walls that each job of a batch had, on a system that lacks something."""
    ended = subprocess.run(
        [sys.executable, "-c", LACKS.replace("LACKS", lacks), "batch", "-", "--ledger", "none"],
        input="".join(f"{json.dumps(job)}\n" for job in jobs),
        capture_output=True,
        text=True,
        timeout=100,
    )
    results = sorted(map(json.loads, ended.stdout.splitlines()), key=lambda each: each["job"])
    assert len(results) == len(jobs), ended.stderr
    return [each["held_walls"] for each in results]


HELLO = {"capsule": str(CAPSULES / "hello.wat")}


def test_each_result_of_a_batch_says_which_walls_held(folder: Path) -> None:
    granted = {**HELLO, "dirs": [str(folder)]}
    unheld = set() if folders._version() >= 2 else {"folders", "other processes"}
    assert [set(each) for each in walls_of("", HELLO, granted)] == [set(OF_CELLS) - unheld] * 2


def test_a_job_that_came_to_no_process_had_no_walls(tmp_path: Path) -> None:
    assert walls_of("", {"capsule": str(tmp_path / "nowhere.wasm")}) == [[]]


@pytest.mark.parametrize(
    ("lacks", "missing"),
    [
        ("folders._version = lambda: 0", {"folders", "other processes"}),
        (
            "system_calls.deny_in_process = lambda *, network: not_here('system calls', '')",
            {"system calls"},
        ),
        ("process.gain_no_privileges = lambda: not_here('privileges', '')", {"privileges"}),
    ],
)
def test_a_result_names_no_wall_that_this_system_lacks(lacks: str, missing: set[str]) -> None:
    (held,) = walls_of(lacks, HELLO)
    assert not missing & set(held)
    assert "descriptors" in held


def test_the_result_of_a_cell_that_was_lost_names_its_walls_too() -> None:
    lacks = """folders._version = lambda: 0
import atectl.batch.cells.serving as serving, os
serving.Lease.run = lambda *_: os.abort()"""
    (held,) = walls_of(lacks, HELLO)
    assert "folders" not in held
    assert "descriptors" in held


def test_a_folder_that_cannot_be_walled_in_is_told_of_its_job_alone(folder: Path) -> None:
    if folders._version() < 2:
        pytest.skip("no Landlock that can be used")
    lacks = """
def fails(rules, path, rights, allow=folders._allow):
    if path.endswith("granted"):
        raise OSError(1, "no")
    allow(rules, path, rights)
folders._allow = fails"""
    first, second = walls_of(lacks, {**HELLO, "dirs": [str(folder)]}, HELLO)
    assert "folders" not in first
    assert "folders" in second


def test_a_batch_names_walls_as_doctor_does() -> None:
    source = "from atectl.system.walls.selftest import all_walls; print(*map(tuple, all_walls()))"
    tried = in_child(source)
    assert all(f"'{name}'" in tried for name in OF_CELLS)
