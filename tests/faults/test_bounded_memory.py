"""Many capsules that together want far more than there is: all finish, and the limit holds.

How long that takes is measured in tests/benchmarks/batch.py, where it has its bound.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CAPSULES
from tests.support.program import ATECTL
from tests.support.real_capsules import CPYTHON
from tests.support.watched_process import Watched, run_watched

MIB, GIB = 1 << 20, 1 << 30
LEASES = 12
STEPS, STEP_BYTES = 25, 8 * MIB

pytestmark = [pytest.mark.usefixtures("compiled_capsules"), pytest.mark.timeout(240)]


def job(number: int, folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "capsule": str(CAPSULES / "bounded.wat"),
        "args": [f"seed-{number}"],
        "max_mem": "256MiB",
        "stdout": str(folder / f"{number}.out"),
        "stderr": str(folder / f"{number}.err"),
        **changes,
    }


def batch(jobs: list[dict[str, Any]], *flags: str, **options: Any) -> Watched:
    lines = "".join(json.dumps(each) + "\n" for each in jobs)
    command = [ATECTL, "batch", "-", "--jobs", str(len(jobs)), *flags]
    return run_watched(command, stdin=lines, timeout_s=220, **options)


def results(ended: Watched) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    return sorted(found, key=lambda result: result["job"])


def outputs(folder: Path) -> list[str]:
    return [(folder / f"{number}.out").read_text() for number in range(1, LEASES + 1)]


@pytest.fixture(scope="module")
def checksums() -> list[str]:
    """What each capsule prints that runs alone, with all the memory it wants."""
    command = [ATECTL, "run", "--ledger", "none", "--max-mem", "256MiB", CAPSULES / "bounded.wat"]

    def run_alone(number: int) -> str:
        return subprocess.check_output([*command, f"seed-{number}"], text=True, timeout=60)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run_alone, range(1, LEASES + 1)))


@pytest.mark.parametrize("policy", ["largest", "priority", "park-first"])
@pytest.mark.parametrize("limit_bytes", [GIB, 512 * MIB], ids=["1GiB", "512MiB"])
def test_twelve_times_200_mib_finish_below_a_limit_of_less_than_half(
    limit_bytes: int, policy: str, checksums: list[str], tmp_path: Path
) -> None:
    jobs = [job(number, tmp_path) for number in range(1, LEASES + 1)]
    flags = ["--limit", str(limit_bytes), "--backpressure", "both", "--policy", policy]
    ended = batch(jobs, *flags, "--ledger", "none")
    assert ended.status == 0, ended.stderr
    assert outputs(tmp_path) == checksums
    assert ended.peak_resident_bytes <= limit_bytes
    for result in results(ended):
        assert (result["reason"], result["exit_status"]) == ("exited", 0)
        assert result["peak_bytes"] == 65_536 + STEPS * STEP_BYTES
    assert any(each["action"] == "spill" for x in results(ended) for each in x["decisions"])


def test_pythons_that_build_large_lists_finish_below_the_limit(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "rows = []\n"
        "for step in range(24):\n"
        "    rows.append([step * 100_000 + n for n in range(100_000)])\n"
        "    assert all(row[7] == place * 100_000 + 7 for place, row in enumerate(rows))\n"
        "print(sum(map(sum, rows)))\n"
    )
    jobs = [
        job(number, tmp_path, capsule=str(CPYTHON), args=["-c", program]) for number in range(1, 9)
    ]
    ended = batch(jobs, "--limit", "400MiB", "--backpressure", "both", "--ledger", "none")
    assert ended.status == 0, ended.stderr
    assert ended.peak_resident_bytes <= 400 * MIB
    wanted = f"{sum(range(2_400_000))}\n"
    assert [(tmp_path / f"{number}.out").read_text() for number in range(1, 9)] == [wanted] * 8
    assert sum(result["peak_bytes"] for result in results(ended)) > 400 * MIB
    assert any(each["action"] == "spill" for x in results(ended) for each in x["decisions"])


# Inside a control group


def _memory_groups() -> Iterator[tuple[Path, str]]:
    """Folders in which a memory group may be made, and the file that limits one there."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "memory":
            yield Path("/sys/fs/cgroup/memory") / group.lstrip("/"), "memory.limit_in_bytes"
            yield Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        elif not controllers:
            yield Path("/sys/fs/cgroup") / group.lstrip("/"), "memory.max"


def _make_group(limit_bytes: int) -> Path | None:
    for parent, limit_file in _memory_groups():
        folder = parent / f"atectl-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit_file).write_text(str(limit_bytes))
        except OSError:
            folder.rmdir()
            continue
        return folder
    return None


@contextmanager
def _memory_group(limit_bytes: int) -> Iterator[Path]:
    group = _make_group(limit_bytes)
    if group is None:
        pytest.skip("no memory control group can be made here")
    try:
        yield group
    finally:
        group.rmdir()


def _batch_in_group(group: Path, tmp_path: Path, *flags: str) -> Watched:
    def enter() -> None:
        (group / "cgroup.procs").write_text(str(os.getpid()))

    jobs = [job(number, tmp_path) for number in range(1, LEASES + 1)]
    return batch(jobs, *flags, "--ledger", "none", in_child=enter)


def test_in_a_control_group_of_1_gib_the_bounded_batch_is_not_killed(
    checksums: list[str], tmp_path: Path
) -> None:
    with _memory_group(GIB) as group:
        ended = _batch_in_group(group, tmp_path, "--limit", "900MiB", "--backpressure", "both")
    assert ended.status == 0, ended.stderr
    assert outputs(tmp_path) == checksums


def test_in_a_control_group_the_default_limit_is_below_the_groups(
    checksums: list[str], tmp_path: Path
) -> None:
    with _memory_group(GIB) as group:
        ended = _batch_in_group(group, tmp_path)
    assert ended.status == 0, ended.stderr
    assert outputs(tmp_path) == checksums
    assert ended.peak_resident_bytes < GIB


def test_in_the_same_control_group_the_batch_without_a_limit_is_killed(tmp_path: Path) -> None:
    if Path("/proc/swaps").read_text().count("\n") > 1:
        pytest.skip("there is swap, into which the group could flee")
    with _memory_group(GIB) as group:
        ended = _batch_in_group(group, tmp_path, "--limit", "8GiB", "--backpressure", "none")
    assert ended.status == -signal.SIGKILL
