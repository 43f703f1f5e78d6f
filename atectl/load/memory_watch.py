"""What a process and all that it starts hold over time, each by what it is doing then.

Resident sizes are added up: memory that several processes share counts for each of them, so the
sum is rather too much.
"""

import os
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Literal, NamedTuple

from atectl.capsule.task import NAME_PREFIX
from atectl.system.memory import resident_bytes

Phase = Literal["host", "read", "decode", "compile", "store", "start"]
PHASES: tuple[Phase, ...] = ("host", "read", "decode", "compile", "store", "start")
"""What a process does: `host` is atectl's own, and every other that loads nothing."""

INTERVAL_S = 0.05
_MAX_SAMPLES = 4_000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """One look: resident bytes by phase, and those of the process that is watched itself."""

    at_s: float
    own_bytes: int
    by_phase: dict[Phase, int]

    @property
    def total_bytes(self) -> int:
        return sum(self.by_phase.values())


class MemoryWatch:
    """Looks again and again at a process and all below it. To be used with `with`.

    Args:
        pid: of the process; None for this one.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.samples: list[Sample] = []
        self.peak_bytes: int | None = None
        self.own_peak_bytes: int | None = None
        self._pid = pid or os.getpid()
        self._interval_s = INTERVAL_S
        self._began_s = time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory watch", daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._began_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            sample = look(self._pid, time.monotonic() - self._began_s)
            if sample is not None:
                self._keep(sample)
            if self._is_over.wait(self._interval_s):
                return

    def _keep(self, sample: Sample) -> None:
        self.peak_bytes = max(self.peak_bytes or 0, sample.total_bytes)
        self.own_peak_bytes = max(self.own_peak_bytes or 0, sample.own_bytes)
        self.samples.append(sample)
        if len(self.samples) > _MAX_SAMPLES:
            # However long it takes: half as many, each the higher of two neighbours.
            pairs = zip(self.samples[::2], self.samples[1::2], strict=False)
            self.samples = [max(pair, key=lambda each: each.total_bytes) for pair in pairs]
            self._interval_s *= 2


def look(pid: int, at_s: float) -> Sample | None:
    """What a process and all below it hold now; None if it is gone or the system does not tell."""
    own_bytes = resident_bytes(pid)
    if own_bytes is None:
        return None
    by_phase: dict[Phase, int] = defaultdict(int)
    by_phase["host"] += own_bytes
    for child in _below(pid):
        found = _phase_and_size(child)
        if found is not None:
            by_phase[found[0]] += found[1]
    return Sample(at_s, own_bytes, dict(by_phase))


def _below(pid: int) -> list[int]:
    """All processes that a process has started, and that these have."""
    found, left = [], [pid]
    while left:
        for tasks in _listed(Path(f"/proc/{left.pop()}/task")):
            children = _text(tasks / "children").split()
            found += (below := [int(child) for child in children])
            left += below
    return found


def _phase_and_size(pid: int) -> tuple[Phase, int] | None:
    try:
        content = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    name = content[content.index(b"(") + 1 : content.rindex(b")")].decode(errors="replace")
    resident_pages = int(content[content.rindex(b")") + 2 :].split()[21])
    said = name.removeprefix(NAME_PREFIX) if name.startswith(NAME_PREFIX) else ""
    phase: Phase = next((each for each in PHASES if each == said), "host")
    return phase, resident_pages * _PAGE_BYTES


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
