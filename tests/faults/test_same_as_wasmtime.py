"""`run` and `batch` end as the wasmtime command does, but for what the README's table says."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.benchmarks.processes import wasmtime_binary
from tests.conftest import CAPSULES, ROOT
from tests.support.program import atectl

SMITHS = 36
DEADLINE_S = 20
PROPOSALS = "gc=y,function-references=y,memory64=y,multi-memory=y"

NOT_RUN, ENDED_LATE, ANY_STATUS, REFUSED_GROWTH = (
    "no `_start`, no `wasi:cli/run@0.2`, an import that is not provided, no WebAssembly",
    "the deadline passed",
    "`proc_exit` with 126 or more",
    "memory or tables over the quota",
)
"""Rows of the README's table."""

BY_DESIGN = {
    "component-functions": NOT_RUN,
    "exit-status-200": ANY_STATUS,
    "gc-heap": REFUSED_GROWTH,
    "growth8000": REFUSED_GROWTH,
    "memory64": REFUSED_GROWTH,
    "missing-import": NOT_RUN,
    "never-stops-growing": REFUSED_GROWTH,
    "reactor": NOT_RUN,
    "sleep": ENDED_LATE,
    "spin": ENDED_LATE,
    "start-never-ends": ENDED_LATE,
    "table-hog": REFUSED_GROWTH,
    "two-memories": REFUSED_GROWTH,
}
"""Fixtures that end otherwise, and why."""

SAME = [path for path in sorted(CAPSULES.glob("*.wat")) if path.stem not in BY_DESIGN]


class Way(NamedTuple):
    """How a program ended."""

    status: int
    stdout: bytes


def arguments_of(capsule: Path) -> list[str]:
    """The arguments of the first case in its head."""
    for line in capsule.read_text().splitlines():
        if line.startswith(";; args: "):
            return line.removeprefix(";; args: ").split()
        if line.startswith(";; expect: "):
            break
    return []


def by_wasmtime(capsule: Path, *words: str) -> Way:
    finished = subprocess.run(
        [wasmtime_binary(), "run", "-W", f"timeout={DEADLINE_S}s,{PROPOSALS}", capsule, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return Way(finished.returncode, finished.stdout)


def by_batch(folder: Path, jobs: list[tuple[Path, list[str]]]) -> list[dict[str, Any]]:
    lines = [
        {
            "capsule": str(capsule),
            "args": words,
            "stdout": str(folder / f"{number}.out"),
            "deadline": f"{DEADLINE_S}s",
        }
        for number, (capsule, words) in enumerate(jobs)
    ]
    stdin = "".join(json.dumps(line) + "\n" for line in lines).encode()
    ended = atectl("batch", "-", "--ledger", "none", stdin=stdin)
    return sorted(map(json.loads, ended.stdout.splitlines()), key=lambda result: result["job"])


@pytest.mark.slow
def test_a_fixture_ends_alike_in_run_in_batch_and_by_wasmtime(tmp_path: Path) -> None:
    jobs = [(capsule, arguments_of(capsule)) for capsule in SAME]
    told = by_batch(tmp_path, jobs)
    for number, (capsule, words) in enumerate(jobs):
        ended = atectl("run", "--ledger", "none", capsule, *words)
        run = Way(ended.status, ended.stdout.encode("utf-8", "surrogateescape"))
        out = tmp_path / f"{number}.out"
        batch = Way(told[number]["exit_status"], out.read_bytes() if out.exists() else b"")
        assert (capsule.stem, run) == (capsule.stem, by_wasmtime(capsule, *words))
        assert (capsule.stem, batch) == (capsule.stem, run)


def test_every_difference_by_design_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert set(BY_DESIGN) <= {path.stem for path in CAPSULES.glob("*.wat")}
    for row in set(BY_DESIGN.values()):
        assert f"| {row} |" in readme


def smith_modules(folder: Path) -> Iterator[Path]:
    """Valid modules of all kinds, none of which imports anything."""
    smith = [Path(sys.executable).with_name("wasm-tools"), "smith", "--max-imports=0"]
    kinds = ([], ["--gc-enabled=true"], ["--memory64-enabled=true", "--max-memories=3"])
    for seed in range(SMITHS):
        finished = subprocess.run(
            [*smith, "--allow-start-export=true", *kinds[seed % len(kinds)]],
            input=random.Random(seed).randbytes(3000),
            capture_output=True,
            check=False,
        )
        if finished.returncode == 0:
            path = folder / f"{seed}.wasm"
            path.write_bytes(finished.stdout)
            yield path


@pytest.mark.slow
def test_no_valid_module_makes_atectl_fail_and_what_runs_ends_as_by_wasmtime(
    tmp_path: Path,
) -> None:
    modules = list(smith_modules(tmp_path))
    assert len(modules) > SMITHS // 2
    told = by_batch(tmp_path, [(path, []) for path in modules])
    compared = 0
    for path, result in zip(modules, told, strict=True):
        status, code = result["exit_status"], (result["error"] or {}).get("code", "")
        assert status != 125, (path, result["error"])
        assert not code.startswith(("E7", "E9")), (path, result["error"])
        # Of the others wasmtime has its own idea: it calls an export without a name.
        if result["reason"] == "trapped":
            compared += 1
            assert (path, by_wasmtime(path).status) == (path, status)
    assert compared
