"""Timing whole processes and functions, two at a time, in turn."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple


class ProcessFigures(NamedTuple):
    """One finished process: seconds of wall and of CPU, and its peak resident size in bytes."""

    wall_s: float
    cpu_s: float
    resident_bytes: int


class Row(NamedTuple):
    """One line of a table. `bound` is the most the figure may be, None if it is only shown."""

    what: str
    figure: float
    unit: str
    bound: float | None
    detail: str

    @property
    def is_within(self) -> bool:
        return self.bound is None or self.figure <= self.bound


_LAUNCHER = """
import os, sys, time
quiet = os.open(os.devnull, os.O_RDWR)
report = os.dup(1)
began = time.perf_counter()
pid = os.posix_spawn(
    sys.argv[1], sys.argv[1:], os.environ,
    file_actions=[(os.POSIX_SPAWN_DUP2, quiet, fd) for fd in (0, 1, 2)],
)
_, status, usage = os.wait4(pid, 0)
wall_s = time.perf_counter() - began
cpu_s = usage.ru_utime + usage.ru_stime
figures = os.waitstatus_to_exitcode(status), wall_s, cpu_s, usage.ru_maxrss
os.write(report, " ".join(map(str, figures)).encode())
"""


def run_once(command: Sequence[str], environment: Mapping[str, str]) -> ProcessFigures:
    """Run a command with its output thrown away.

    A small process starts it: the peak that the system tells of a process is never below the
    size of the one that started it.

    Raises:
        RuntimeError: it did not end with status 0.
    """
    launched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command],
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    status, wall_s, cpu_s, resident_kib = launched.stdout.split()
    if status != "0":
        raise RuntimeError(f"{command} ended with status {status}")
    return ProcessFigures(float(wall_s), float(cpu_s), int(resident_kib) * 1024)


def in_turn(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], runs: int
) -> list[ProcessFigures]:
    """The medians of each command, run in turn after a warm-up of each."""
    for command in commands:
        run_once(command, environment)
    figures: list[list[ProcessFigures]] = [[] for _ in commands]
    for _ in range(runs):
        for place, command in enumerate(commands):
            figures[place].append(run_once(command, environment))
    return [
        ProcessFigures(
            median(f.wall_s for f in each),
            median(f.cpu_s for f in each),
            int(median(f.resident_bytes for f in each)),
        )
        for each in figures
    ]


def seconds(function: Callable[[], object], rounds: int) -> list[float]:
    """How long each of `rounds` calls took."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        taken.append(time.perf_counter() - began)
    return taken


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [f"### {title}", "", "| what | measured | bound | |", "| --- | ---: | ---: | --- |"]
    for row in rows:
        bound = "—" if row.bound is None else f"{row.bound:g}{row.unit}"
        mark = "" if row.is_within else " **over**"
        lines.append(f"| {row.what} | {row.figure:.3g}{row.unit}{mark} | {bound} | {row.detail} |")
    return "\n".join(lines)
