"""A batch over hosts beside one on one machine; and on paper, what two hundred hosts come to.

All hosts are on this machine, so that their CPU is what counts and not the wall-clock time.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from atectl.arbitration.policies import rules
from atectl.system.memory import resident_bytes
from atectl.trace.demand import machine_of, scripts_of
from atectl.trace.events import Finished
from atectl.trace.reading import read_trace
from atectl.trace.simulation import simulate
from tests.benchmarks.measuring import Row
from tests.benchmarks.processes import CAPSULES, cpython
from tests.support.fleets import Fleet, fleet
from tests.support.processes import descendants_of
from tests.support.program import ATECTL
from tests.support.waiting import wait_until
from tests.support.watched_process import tree_bytes

HELLOS, PYTHONS, FURTHER_HELLOS, RUNS = 2_000, 40, 8_000, 3
MANY, WARM = 100_000, 10_000
SAMPLE_S = 0.2
LIMIT = "512MiB"
PAPER_HOSTS = 200
TRACE = Path(__file__).resolve().parents[2] / "fixtures" / "traces" / "headline.jsonl"

_COMPILING = ("--compile-deadline", "10m")
_HELLO = {"capsule": str(CAPSULES / "hello.wat")}


def rows() -> list[Row]:
    """What jobs cost more on hosts, how soon they begin, and what does not grow."""
    return [*_beside_one_machine(), _first_result(), *_flat_memory(), *_headline(), *_on_paper()]


def _beside_one_machine() -> list[Row]:
    """2,000 hello and 40 CPython: three hosts with one job at once, and one with two."""
    python = {"capsule": cpython(), "args": ["-c", "print(1+1)"], "max_mem": "128MiB"}
    mixed = [*([_HELLO] * HELLOS), *([python] * PYTHONS)]
    with fleet() as hosts:
        hosts.join("a", "b", "c", jobs=1, limit="1GiB", words=_COMPILING)
        _side_by_side(hosts, mixed)  # what they need is compiled, and is there
        shared_s, alone_s = _side_by_side(hosts, mixed, RUNS)
        few = _side_by_side(hosts, [_HELLO] * HELLOS, RUNS)
        more = _side_by_side(hosts, [_HELLO] * (HELLOS + FURTHER_HELLOS), RUNS)
    further_s, further_alone_s = (b - a for a, b in zip(few, more, strict=True))
    more_ms, alone_ms = (each / FURTHER_HELLOS * 1000 for each in (further_s, further_alone_s))
    what = f"{HELLOS:,} hello, {PYTHONS} CPython on three hosts / `batch --jobs 2`: CPU"
    return [
        Row(what, shared_s / alone_s, "×", 1.6, f"{shared_s:.2f} s / {alone_s:.2f} s"),
        Row(
            "each further hello.wat, more than on one machine: CPU",
            more_ms - alone_ms,
            " ms",
            0.5,
            f"{more_ms:.2f} ms / {alone_ms:.2f} ms, of all processes",
        ),
    ]


def _side_by_side(hosts: Fleet, jobs: list[dict[str, Any]], runs: int = 1) -> tuple[float, float]:
    """The CPU seconds of all processes on hosts, and on one machine: medians, in turn."""
    lines = hosts.folder / "lines"
    lines.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    alone = ["batch", str(lines), "--jobs", "2", "--ledger", "none", *_COMPILING]
    pairs = [(_on_hosts(hosts, jobs), _alone(alone)) for _ in range(runs)]
    shared_s, alone_s = (sorted(each)[runs // 2] for each in zip(*pairs, strict=True))
    return shared_s, alone_s


def _on_hosts(hosts: Fleet, jobs: Iterable[dict[str, Any]]) -> float:
    """The CPU seconds of all processes for these jobs."""
    before = _cpu_s(hosts)
    batch = hosts.batch(jobs)
    ended = batch.process
    pid, status, usage = _wait4(ended.pid)
    if status:
        raise RuntimeError(f"process {pid} ended with {status}: {batch.stderr.read_text()}")
    return _cpu_s(hosts) - before + usage


def _alone(words: list[str]) -> float:
    started = subprocess.Popen([ATECTL, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = _wait4(started.pid)
    if status:
        raise RuntimeError(f"it ended with {status}")
    return usage


def _wait4(pid: int) -> tuple[int, int, float]:
    found, status, usage = os.wait4(pid, 0)
    return found, status, usage.ru_utime + usage.ru_stime


def _cpu_s(hosts: Fleet) -> float:
    """The CPU seconds of scheduler and hosts so far, and of all that they started."""
    return sum(_tree_cpu_s(pid) for pid in _pids(hosts))


def _pids(hosts: Fleet) -> list[int]:
    return [hosts.scheduler_pid, *(host.process.pid for host in hosts.hosts.values())]


def _tree_cpu_s(pid: int) -> float:
    return sum(sum(psutil.Process(each).cpu_times()[:4]) for each in [pid, *descendants_of(pid)])


def _first_result() -> Row:
    """From the first host's joining to the first result, of a batch that has waited for it."""
    with fleet() as hosts:
        batch = hosts.batch([_HELLO] * 10)
        wait_until(lambda: "E808" in batch.stderr.read_text())
        host = hosts.begin("a", "--ledger", "none")
        wait_until(lambda: "joined" in host.said())
        joined_s = time.monotonic()
        wait_until(lambda: batch.stdout.read_bytes())
        took_s = time.monotonic() - joined_s
        batch.end()
    return Row(
        "the first result after the first host joined", took_s, " s", 1, "of a waiting batch"
    )


def _flat_memory() -> list[Row]:
    """What each process holds more after 100,000 jobs than after 10,000."""
    with fleet() as hosts:
        hosts.join("a", "b", jobs=1)
        batch = hosts.batch([_HELLO] * MANY)
        pids = {"submitter": batch.process.pid, "scheduler": hosts.scheduler_pid}
        pids |= {f"host {name}": host.process.pid for name, host in hosts.hosts.items()}
        warm: dict[str, int] = {}
        most = dict.fromkeys(pids, 0)
        scheduler_s = _tree_cpu_s(hosts.scheduler_pid)
        submitter_s, began_s = 0.0, time.monotonic()
        while batch.process.poll() is None:
            with suppress(psutil.Error):
                submitter_s = sum(psutil.Process(batch.process.pid).cpu_times()[:2])
            time.sleep(SAMPLE_S)
            now = {name: resident_bytes(pid) or 0 for name, pid in pids.items()}
            if not warm and batch.stdout.read_bytes().count(b"\n") >= WARM:
                warm = now
            if warm:
                most = {name: max(most[name], now[name]) for name in pids}
        took_s = time.monotonic() - began_s
        scheduler_s = _tree_cpu_s(hosts.scheduler_pid) - scheduler_s
    detail = f"{MANY / took_s:.0f} jobs a second on this machine"
    grown = [
        Row(
            f"{MANY:,} jobs, more than after {WARM:,}: {name}",
            (most[name] - warm[name]) / (1 << 20),
            " MiB",
            20,
            f"{most[name] >> 20} MiB; {detail}",
        )
        for name in pids
    ]
    _MEASURED.update(each_job_s=scheduler_s / MANY, submitter_s=submitter_s / MANY, took_s=took_s)
    return grown


_MEASURED: dict[str, float] = {}
"""What scheduler and submitter took while many jobs ran, for what follows on paper."""


def _headline() -> list[Row]:
    """Twelve capsules of 200 MiB over two hosts of 512 MiB."""
    jobs = [
        {"capsule": str(CAPSULES / "bounded.wat"), "args": [f"n{n}"], "max_mem": "256MiB"}
        for n in range(12)
    ]
    peaks: dict[str, int] = {}
    with fleet() as hosts:
        for name in ("a", "b"):
            spill = hosts.folder / f"spill-{name}"
            spill.mkdir()
            hosts.join(name, jobs=6, limit=LIMIT, words=["--spill-dir", str(spill)])
        batch = hosts.batch([{**job, "deadline": "10m"} for job in jobs])
        began_s = time.monotonic()
        while batch.process.poll() is None:
            time.sleep(SAMPLE_S)
            for name, host in hosts.hosts.items():
                peaks[name] = max(peaks.get(name, 0), tree_bytes(host.process.pid))
        took_s = time.monotonic() - began_s
        right = sum(result["reason"] == "exited" for result in batch.results())
        used = {result["host"] for result in batch.results()}
    most = max(peaks.values())
    what = f"12 × 200 MiB over two hosts of {LIMIT}"
    return [
        Row(f"{what}: those that failed", 12 - right, "", 0, f"{took_s:.1f} s, {len(used)} hosts"),
        Row(f"{what}: peak of a host", most / (512 << 20), "×", 1, f"{most >> 20} MiB"),
    ]


def _on_paper() -> list[Row]:
    """Two hundred hosts that each run the recorded headline again and again, on paper.

    Each job costs the scheduler what was measured; and each host what its being there costs.
    """
    trace = read_trace(TRACE)
    budget = trace.header.budget
    events = simulate(machine_of(trace, budget), scripts_of(trace), rules("both"))
    jobs = sum(isinstance(event, Finished) for event in events)
    makespan_s = max(event.at_s for event in events)
    offered = PAPER_HOSTS * jobs / makespan_s
    there_s = _being_there_s()
    each_s = max(_MEASURED.get("each_job_s", 0.0) - 2 * there_s * _MEASURED["took_s"] / MANY, 0.0)
    left_s = 1 - PAPER_HOSTS * there_s
    bound = left_s / each_s if each_s else float("inf")
    submitter_s = _MEASURED["submitter_s"]
    share = PAPER_HOSTS * there_s + offered * each_s
    return [
        Row(
            f"{PAPER_HOSTS} hosts on paper: the scheduler",
            share * 100,
            "% of a core",
            50,
            f"{PAPER_HOSTS} × {there_s * 1000:.2f} ms/s + {offered:.0f} jobs/s × "
            f"{each_s * 1e6:.1f} µs; a host ends {jobs} of the trace's jobs in {makespan_s:.1f} s",
        ),
        Row(
            f"{PAPER_HOSTS} hosts on paper: jobs that the scheduler bounds, a µs each",
            1e6 / bound,
            " µs",
            None,
            f"(1 − {PAPER_HOSTS} × {there_s * 1000:.2f} ms/s) / {each_s * 1e6:.1f} µs = "
            f"{bound:,.0f} jobs/s",
        ),
        Row(
            "the same of one submitter, which reads jobs and writes results",
            submitter_s * 1e6,
            " µs",
            None,
            f"1 / {submitter_s * 1e6:.0f} µs = {1 / submitter_s:,.0f} jobs/s",
        ),
    ]


def _being_there_s() -> float:
    """The CPU seconds a second that one more host costs a scheduler which has nothing to do."""

    def over(seconds: float) -> float:
        before = _tree_cpu_s(hosts.scheduler_pid)
        time.sleep(seconds)
        return (_tree_cpu_s(hosts.scheduler_pid) - before) / seconds

    with fleet() as hosts:
        none_s = over(10)
        hosts.join("a", "b", "c", "d", jobs=1)
        return max((over(20) - none_s) / 4, 0.0)
