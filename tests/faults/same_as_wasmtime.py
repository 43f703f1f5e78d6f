"""How capsules end in `run`, in `batch` and by the wasmtime command, and where that differs.

`python -m tests.faults.same_as_wasmtime 1000` compares the fixtures, the fixtures made into
components, a Python program, and that many random modules. It prints how many ended alike, why
others did not, and what it cannot explain; then its exit status is 1. The seeds are the numbers
from 0 on, so that a run can be repeated.

Components are made of modules with the adapter of the npm package jco, which is fetched if npm is
there, unless `ATECTL_ADAPTER` names the adapter's file.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.benchmarks.processes import wasmtime_binary
from tests.conftest import CAPSULES
from tests.support.program import ATECTL
from tests.support.python_component import build_python_component
from tests.support.wasm_bytes import binary_of

DEADLINE_S = 20
PROPOSALS = "gc=y,function-references=y,memory64=y,multi-memory=y"
WASM_TOOLS = Path(sys.executable).with_name("wasm-tools")
SEED_BYTES = 3000
COMMAND = '(module (func (export "_start")))'
RUN_TO_AN_END = (
    "--max-imports=0", "--threads-enabled=false", "--ensure-termination", "--fuel=10000",
    f"--max-memory32-bytes={4 << 20}", f"--max-memory64-bytes={4 << 20}",
)  # fmt: skip
"""So that most modules run, as others would only show the differences of commands/run/README.md."""
ADAPTER = "wasi_snapshot_preview1.command.wasm"

NOT_RUN, ENDED_LATE, ANY_STATUS, OVER_QUOTA, UNCAUGHT = (
    "no `_start`, no `wasi:cli/run@0.2`, an import that is not provided, no WebAssembly",
    "the deadline passed",
    "`proc_exit` with 126 or more",
    "memory or tables over the quota",
    "an exception that it does not catch",
)
"""Rows of the table of differences in commands/run/README.md."""

FIXTURES_BY_DESIGN = {
    "component-functions": NOT_RUN,
    "exit-status-200": ANY_STATUS,
    "gc-heap": OVER_QUOTA,
    "growth8000": OVER_QUOTA,
    "memory64": OVER_QUOTA,
    "missing-import": NOT_RUN,
    "never-stops-growing": OVER_QUOTA,
    "reactor": NOT_RUN,
    "sleep": ENDED_LATE,
    "spin": ENDED_LATE,
    "start-never-ends": ENDED_LATE,
    "table-hog": OVER_QUOTA,
    "two-memories": OVER_QUOTA,
    "uncaught-exception": UNCAUGHT,
}
"""Fixtures that end otherwise, and why."""


class Case(NamedTuple):
    """A capsule and its arguments."""

    name: str
    capsule: Path
    words: list[str]


class Way(NamedTuple):
    """How a program ended."""

    status: int
    stdout: bytes


class Ends(NamedTuple):
    """How one case ended everywhere. What follows `wasmtime` is what the batch said of it."""

    case: Case
    run: Way
    batch: Way
    wasmtime: Way
    reason: str
    error: str
    """The code and the message of its error; empty without one."""
    refused_growths: int

    @property
    def is_alike(self) -> bool:
        return self.run == self.batch == self.wasmtime

    @property
    def why_not(self) -> str | None:
        """The row of commands/run/README.md that explains a difference; None if none does."""
        if self.run != self.batch:
            return None
        if self.reason == "deadline":
            return ENDED_LATE
        if self.reason == "quota" or self.refused_growths:
            return OVER_QUOTA
        if "uncaught exception" in self.error:
            return UNCAUGHT
        if self.batch.status == 126:
            return NOT_RUN
        if self.batch.status > 126 and self.reason == "exited":
            return ANY_STATUS
        return FIXTURES_BY_DESIGN.get(self.case.name.removesuffix(", adapted"))


def fixtures() -> Iterator[Case]:
    """The fixtures that are to end alike."""
    for path in sorted(CAPSULES.glob("*.wat")):
        if path.stem not in FIXTURES_BY_DESIGN:
            yield Case(path.stem, path, _arguments_of(path))


def random_modules(folder: Path, seeds: range) -> Iterator[Case]:
    """Valid commands of all kinds that import nothing; a seed may give none."""
    command = folder / "command.wasm"
    command.write_bytes(binary_of(COMMAND))
    smith = [WASM_TOOLS, "smith", f"--exports={command}", *RUN_TO_AN_END]
    kinds = (
        ["--allow-start-export=true"],
        ["--gc-enabled=true"],
        ["--memory64-enabled=true", "--max-memories=3"],
    )
    for seed in seeds:
        path = folder / f"random-{seed}.wasm"
        finished = subprocess.run(
            [*smith, *kinds[seed % len(kinds)], "-o", path],
            input=random.Random(seed).randbytes(SEED_BYTES),
            capture_output=True,
            check=False,
        )
        if finished.returncode == 0:
            yield Case(path.stem, path, [])


def adapted_fixtures(folder: Path, adapter: Path) -> Iterator[Case]:
    """The fixtures that are modules for WASI preview 1, as components for WASI 0.2."""
    for path in sorted(CAPSULES.glob("*.wat")):
        if FIXTURES_BY_DESIGN.get(path.stem) == ENDED_LATE:
            continue
        module, component = folder / "module.wasm", folder / f"{path.stem}.wasm"
        module.write_bytes(binary_of(path.read_text()))
        new = [WASM_TOOLS, "component", "new", module, "-o", component]
        made = subprocess.run(
            [*new, "--adapt", f"wasi_snapshot_preview1={adapter}"], capture_output=True, check=False
        )
        if made.returncode == 0:  # not of components, reactors and 64-bit memories
            yield Case(f"{path.stem}, adapted", component, _arguments_of(path))


def python_programs(folder: Path) -> Iterator[Case]:
    """A program in Python that returns, raises `Err`, fails and exits."""
    component = build_python_component(folder)
    for word in ("return", "err", "bug", "exit"):
        yield Case(f"Python, {word}", component, [word])


def find_adapter(folder: Path) -> Path | None:
    """The adapter that `ATECTL_ADAPTER` names, or that of jco; None if it cannot be had."""
    if "ATECTL_ADAPTER" in os.environ:
        return Path(os.environ["ATECTL_ADAPTER"])
    if shutil.which("npm") is None:
        return None
    pack = ["npm", "pack", "--silent", "@bytecodealliance/jco"]
    packed = subprocess.run(pack, cwd=folder, capture_output=True, check=False)
    if packed.returncode:
        return None
    archive = folder / packed.stdout.decode().split()[-1]
    shutil.unpack_archive(archive, folder, filter="data")
    return folder / "package" / "lib" / ADAPTER


def compare(folder: Path, cases: list[Case]) -> list[Ends]:
    """Run each case in all three ways. `folder` gets the output of the batch's jobs."""
    results = _by_batch(folder, cases)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        runs = list(threads.map(_by_run, cases))
        others = list(threads.map(_by_wasmtime, cases))
    return [
        Ends(case, run, _way_of(result, folder / f"{number}.out"), other, *_said(result))
        for number, (case, run, result, other) in enumerate(
            zip(cases, runs, results, others, strict=True)
        )
    ]


def _arguments_of(capsule: Path) -> list[str]:
    """The arguments of the first case in its head."""
    for line in capsule.read_text().splitlines():
        if line.startswith(";; args: "):
            return line.removeprefix(";; args: ").split()
        if line.startswith(";; expect: "):
            break
    return []


def _by_run(case: Case) -> Way:
    options = ["--ledger", "none", "--deadline", f"{DEADLINE_S}s", "--compile-deadline", "5m"]
    return _ended([ATECTL, "run", *options, case.capsule, *case.words])


def _by_wasmtime(case: Case) -> Way:
    options = ["-W", f"timeout={DEADLINE_S}s,{PROPOSALS}", "-C", "cache=y"]
    return _ended([wasmtime_binary(), "run", *options, case.capsule, *case.words])


def _ended(words: list[str | Path]) -> Way:
    finished = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return Way(finished.returncode, finished.stdout)


def _by_batch(folder: Path, cases: list[Case]) -> list[dict[str, object]]:
    lines = [
        {
            "capsule": str(case.capsule),
            "args": case.words,
            "stdout": str(folder / f"{number}.out"),
            "deadline": f"{DEADLINE_S}s",
        }
        for number, case in enumerate(cases)
    ]
    words = [ATECTL, "batch", "-", "--ledger", "none", "--compile-deadline", "5m"]
    stdin = "".join(json.dumps(line) + "\n" for line in lines).encode()
    ended = subprocess.run(words, input=stdin, capture_output=True, check=False)
    if ended.returncode not in (0, 1):
        raise RuntimeError(ended.stderr.decode())
    return sorted(map(json.loads, ended.stdout.splitlines()), key=lambda result: result["job"])


def _way_of(result: dict[str, object], stdout: Path) -> Way:
    written = stdout.read_bytes() if stdout.exists() else b""
    return Way(int(str(result["exit_status"])), written)


def _said(result: dict[str, object]) -> tuple[str, str, int]:
    error = result["error"]
    text = f"{error['code']} {error['message']}" if isinstance(error, dict) else ""
    return str(result["reason"]), text, int(str(result["refused_growths"]))


def main(seeds: int) -> int:
    with TemporaryDirectory() as name:
        folder = Path(name)
        adapter = find_adapter(folder)
        cases = [*fixtures(), *random_modules(folder, range(seeds))]
        if adapter is None:
            print("no adapter: no module is made into a component")
        else:
            cases += adapted_fixtures(folder, adapter)
        cases += python_programs(folder)
        ends = compare(folder, cases)
    counted = Counter(each.reason for each in ends)
    print(f"{len(ends)} cases: {', '.join(f'{n} {reason}' for reason, n in counted.items())}")
    others = [each for each in ends if not each.is_alike]
    print(f"{len(ends) - len(others)} end alike")
    for row, count in Counter(each.why_not for each in others if each.why_not).items():
        print(f"{count} differ: {row}")
    wrong = [each for each in others if each.why_not is None]
    wrong += [each for each in ends if each.error.startswith(("E7", "E9"))]
    for each in wrong:
        print(f"{each.case.name}: {each.run}, {each.batch} ({each.error}), {each.wasmtime}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
