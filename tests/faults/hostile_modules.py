"""A batch of modules that nobody wrote: random valid ones, and damaged copies of the fixtures.

`python -m tests.faults.hostile_modules 5000 2000` makes that many of both, runs them all in one
batch, and prints how they ended. Its exit status is 0 if each job has a verdict and nobody was
blamed for it but the module. The seeds are the numbers from 0 on, so that a run can be repeated.
"""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.conftest import CAPSULES
from tests.support.program import ATECTL
from tests.support.wasm_bytes import binary_of, mutated
from tests.support.watched_process import run_watched

WASM_TOOLS = Path(sys.executable).with_name("wasm-tools")
DEADLINE_S = 0.5
SEED_BYTES = 2000
COMMAND = '(module (memory (export "memory") 1) (func (export "_start")))'
_HOST_IS_BLAMED = 125


class Survived(NamedTuple):
    """What became of a batch: its status, its results, and what its process held at most."""

    status: int
    stderr: str
    results: list[dict[str, Any]]
    peak_resident_bytes: int
    wall_s: float

    def ends(self) -> Counter[str]:
        """How many jobs ended in each way: the reason, and the code of the error."""
        return Counter(
            f"{each['reason']} {(each['error'] or {}).get('code', '')}".strip()
            for each in self.results
        )

    def without_verdict(self, jobs: int) -> list[str]:
        """What is wrong: jobs without a result, or with one that blames the host."""
        seen = {each["job"] for each in self.results}
        missing = [
            f"job {number}: no result" for number in range(1, jobs + 1) if number not in seen
        ]
        return missing + [
            f"job {each['job']}: {each['error']}"
            for each in self.results
            if each["exit_status"] == _HOST_IS_BLAMED
        ]


def make_random(folder: Path, seeds: range) -> Iterator[Path]:
    """Random valid modules that export what a command exports; a seed may give none."""
    command = folder / "command.wasm"
    command.write_bytes(binary_of(COMMAND))
    for seed in seeds:
        path = folder / f"random-{seed}.wasm"
        source = random.Random(seed).randbytes(SEED_BYTES)
        made = subprocess.run(
            [WASM_TOOLS, "smith", "--max-imports=0", f"--exports={command}", "-o", path],
            input=source,
            capture_output=True,
            check=False,
        )
        if made.returncode == 0:
            yield path


def make_damaged(folder: Path, seeds: range) -> Iterator[Path]:
    """Modules and components with some bytes changed, or cut off."""
    whole = [binary_of(path.read_text()) for path in sorted(CAPSULES.glob("*.wat"))]
    for seed in seeds:
        source = random.Random(seed)
        path = folder / f"damaged-{seed}.wasm"
        path.write_bytes(mutated(source, source.choice(whole)))
        yield path


def run(paths: list[Path], *options: str) -> Survived:
    """Run each as a job of one batch, with a short deadline and a small quota."""
    jobs = "".join(
        json.dumps({"capsule": str(path), "deadline": f"{DEADLINE_S}s", "max_mem": "16MiB"}) + "\n"
        for path in paths
    )
    command = [ATECTL, "batch", "-", "--ledger", "none", "--no-cache", *options]
    ended = run_watched(command, stdin=jobs, timeout_s=60 + 2 * len(paths))
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    return Survived(ended.status, ended.stderr, results, ended.peak_resident_bytes, ended.wall_s)


def main(random_count: int, damaged_count: int) -> int:
    with TemporaryDirectory() as name:
        folder = Path(name)
        paths = [
            *make_random(folder, range(random_count)),
            *make_damaged(folder, range(damaged_count)),
        ]
        survived = run(paths, "--jobs", "4")
    wrong = survived.without_verdict(len(paths))
    print(f"{len(paths)} modules in {survived.wall_s:.0f} s, batch exit {survived.status}")
    print(f"peak of the batch's own process: {survived.peak_resident_bytes >> 20} MiB")
    for end, count in survived.ends().most_common():
        print(f"{count:6} {end}")
    print("\n".join(wrong) or "each has a verdict")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
