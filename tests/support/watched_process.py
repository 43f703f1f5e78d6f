"""A process whose resident size is looked at from outside while it runs."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from atectl.system.memory import resident_bytes
from tests.support.processes import descendants_of

SAMPLE_S = 0.05


class Watched(NamedTuple):
    """A finished process: how it ended, what it wrote, and the most it was seen to hold, alone and
    with all processes below it; a page that several of these share counts once."""

    status: int
    stdout: str
    stderr: str
    peak_resident_bytes: int
    peak_tree_bytes: int
    wall_s: float


def run_watched(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 280,
    in_child: Callable[[], None] | None = None,
) -> Watched:
    """Run a command, its resident size sampled every 50 ms; `status` is -N for signal N.

    Args:
        timeout_s: for a command that never ends; on a busy machine, compiling may take minutes, as
            it comes after all else.
        in_child: called in the new process before the command begins.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=in_child,
    )
    peaks, trees = [0], [0]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            peaks[0] = max(peaks[0], resident_bytes(process.pid) or 0)
            trees[0] = max(trees[0], tree_bytes(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout_s)
    finally:
        process.kill()
        process.wait()
        ended.set()
        sampler.join()
    wall_s = time.monotonic() - began
    return Watched(process.returncode, stdout, stderr, peaks[0], trees[0], wall_s)


def tree_bytes(pid: int) -> int:
    """What a process and all below it hold; a page that several share counts once."""
    with suppress(OSError):
        return sum(map(_share_bytes, [pid, *descendants_of(pid)]))
    return 0


def _share_bytes(pid: int) -> int:
    """What a process holds, of each page its share among those that have it; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
