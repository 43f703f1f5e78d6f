"""What a process and all below it hold, each by what it says that it does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atectl.load.memory_watch import MemoryWatch, Sample, look
from atectl.system.memory import resident_bytes
from tests.support.waiting import wait_until

MIB = 1 << 20

_CHILD = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
held = b"x" * {size}
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def child(name: str, size_bytes: int) -> Iterator[int]:
    """A process with this name that holds so much, and below this one."""
    program = _CHILD.format(size=size_bytes)
    process = subprocess.Popen(
        [sys.executable, "-c", program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def held(pid: int, phase: str) -> int:
    sample = look(pid, 0.0)
    assert sample is not None
    return {str(key): size for key, size in sample.by_phase.items()}.get(phase, 0)


def test_a_process_that_loads_counts_for_what_it_does() -> None:
    with child("atectl-compile", 50 * MIB) as pid:
        watched = parent_of(pid)
        assert 50 * MIB < held(watched, "compile") < 100 * MIB


def test_any_other_process_counts_for_the_host() -> None:
    with child("something", 50 * MIB) as pid:
        watched = parent_of(pid)
        own = resident_bytes(watched)
        assert own is not None
        assert held(watched, "host") > own + 50 * MIB


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_process_that_is_gone_holds_nothing_that_is_known() -> None:
    with child("short", 1) as pid:
        pass
    assert look(pid, 0.0) is None


def test_a_watch_keeps_the_highest_of_all_and_of_its_own() -> None:
    with child("atectl-store", 50 * MIB) as pid, MemoryWatch(pid) as watch:
        wait_until(lambda: watch.samples)
    assert watch.own_peak_bytes is not None
    assert watch.own_peak_bytes > 50 * MIB
    assert watch.peak_bytes == watch.own_peak_bytes


def test_a_long_watch_keeps_half_of_its_samples_and_every_peak() -> None:
    watch = MemoryWatch()
    for number in range(8_001):
        sample = look_alike(number, 1000 if number == 4321 else 1)
        watch._keep(sample)
    assert len(watch.samples) < 4_100
    assert max(each.total_bytes for each in watch.samples) == 1000
    assert watch.peak_bytes == 1000


def look_alike(at_s: float, size: int) -> Sample:
    return Sample(at_s, size, {"host": size})
