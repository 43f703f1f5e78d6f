"""Kill processes of a batch at random instants: `python -m tests.faults.killed_cells COUNT [SEED]`.

So many cells are killed, so many of the processes that fork them, and so many whole batches.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.processes import descendants_of, is_alive
from tests.support.program import ATECTL, atectl
from tests.support.waiting import wait_until

VICTIMS = ("cell", "forker", "batch")
CAPSULE = Path(__file__).resolve().parents[2] / "fixtures" / "capsules" / "bounded.wat"
JOBS, PRINCIPALS = 9, 3
_LATEST_S = 0.6


def compile_capsule() -> None:
    """Have it in the cache: a job whose compiler is killed fails, which is not what is tried."""
    atectl("run", "--ledger", "none", CAPSULE, "x", "1")


def kill_one(victim: str, chosen: random.Random, folder: Path) -> Counter[str]:
    """Run a batch, and kill one of its processes while it runs; how many jobs ended for what.

    Raises:
        AssertionError: a result of others is lost, or something is left behind.
    """
    ledger = folder / f"{chosen.getrandbits(64):016x}.db"
    jobs = "".join(f"{json.dumps(_job(number))}\n" for number in range(JOBS))
    command = [ATECTL, "batch", "-", "--jobs", "3", "--ledger", str(ledger)]
    command += ["--spill-dir", str(folder), "--limit", "120MiB"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    process.stdin.write(jobs)
    process.stdin.close()
    time.sleep(chosen.random() * _LATEST_S)
    below = descendants_of(process.pid)
    killed = _kill(victim, process.pid, below, chosen)
    assert process.stdout is not None
    told = [json.loads(line) for line in process.stdout.read().splitlines()]
    process.wait()
    process.stdout.close()
    wait_until(lambda: not any(map(is_alive, below)))
    assert not [each for each in folder.iterdir() if each.name.startswith("atectl-spill")]
    if victim != "batch" or not killed:
        _check(victim, told, ledger)
    return Counter(result["reason"] for result in told)


def _job(number: int) -> dict[str, object]:
    principal = f"p{number % PRINCIPALS}"
    return {"capsule": str(CAPSULE), "args": ["x", "3"], "principal": principal}


def _kill(victim: str, batch: int, below: list[int], chosen: random.Random) -> bool:
    """Kill a process of that kind; False if there was none."""
    cells = [pid for pid in below if _name(pid) == "atectl-cell"]
    among = {"cell": cells, "forker": [p for p in below if p not in cells], "batch": [batch]}
    if not among[victim]:
        return False
    try:
        os.kill(chosen.choice(among[victim]), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _check(victim: str, told: list[dict[str, object]], ledger: Path) -> None:
    """See that each job has its result, and the ledger each lease that began."""
    assert sorted(int(str(result["job"])) for result in told) == list(range(1, JOBS + 1))
    lost = [result for result in told if result["reason"] != "exited"]
    others = [each for each in lost if each["reason"] != "cell-lost"]
    assert not others
    assert len({result["principal"] for result in lost}) <= (1 if victim == "cell" else 0)
    listed = json.loads(atectl("ledger", "ls", "--ledger", ledger, "-o", "json").stdout)
    assert sum(account["leases"] for account in listed["accounts"]) == JOBS


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def main() -> None:
    count, seed = int(sys.argv[1]), int((sys.argv[2:] or ["1"])[0])
    chosen = random.Random(seed)
    compile_capsule()
    for victim in VICTIMS:
        reasons: Counter[str] = Counter()
        with TemporaryDirectory() as folder:
            for _ in range(count):
                reasons += kill_one(victim, chosen, Path(folder))
        print(f"{count} × {victim} killed: {dict(reasons)}", flush=True)


if __name__ == "__main__":
    main()
