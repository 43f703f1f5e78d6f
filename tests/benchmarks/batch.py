"""Batches beside the wasmtime command, under limits beside without, and in flat memory."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measuring import ProcessFigures, Row, in_turn
from tests.benchmarks.processes import (
    CAPSULES,
    DEADLINE,
    cpu_ratio,
    cpython,
    wasmtime_binary,
)
from tests.support.growing import grows_and_naps
from tests.support.watched_process import Watched, run_watched

PYTHONS, HELLOS, FURTHER_HELLOS = 40, 200, 1_000
FEW_JOBS, MANY_JOBS = 1_000, 10_000
RUNS = 5
CALM_RUNS = 11  # two hundredths are to be told apart
FEW_AT_ONCE, MANY_AT_ONCE, MOST_AT_ONCE = 100, 1_000, 4_000
PRINCIPALS = 40
GROWING = 10
HEADLINE = Path(__file__).resolve().parents[2] / "fixtures" / "budgets" / "headline.toml"

# Sleeps for as long as it takes to begin a thousand of them.
_NAP = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 6000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"""


def beside_wasmtime(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """`batch --jobs 2` and `xargs -P2 wasmtime run` with its cache, on the same capsules.

    A hello takes so little that the start of `atectl` outweighs two hundred of them: what each
    further one takes stands beside.
    """
    program = [cpython(), "-c", "print(1+1)"]
    python_jobs = _write_jobs(folder / "pythons.jsonl", program, PYTHONS)
    commands = [
        _batch(atectl, python_jobs, "--jobs", "2"),
        _xargs(program, PYTHONS),
        _xargs(program, PYTHONS, *DEADLINE),
    ]
    pythons, python_others, python_checked = in_turn(commands, environment, RUNS)
    hello = [str(CAPSULES / "hello.wat")]
    hellos, hello_others = in_turn_with_xargs(atectl, environment, folder, hello, HELLOS)
    more = _write_jobs(folder / "more.jsonl", hello, HELLOS + FURTHER_HELLOS)
    [longer] = in_turn([_batch(atectl, more, "--jobs", "2")], environment, RUNS)
    further_s = (longer.wall_s - hellos.wall_s) / FURTHER_HELLOS
    other_s = hello_others.wall_s / HELLOS
    return [
        _ratio(f"{PYTHONS} × CPython `print(1+1)`: wall", pythons, python_others, 0.33),
        _ratio("the same, where those have a deadline too: wall", pythons, python_checked, None),
        _ratio(f"{HELLOS} × hello.wat: wall", hellos, hello_others, None),
        cpu_ratio(f"{HELLOS} × hello.wat", hellos, hello_others, 0.12),
        Row(
            "each further hello.wat: wall",
            further_s / other_s,
            "×",
            0.12,
            f"{further_s * 1000:.2f} ms / {other_s * 1000:.2f} ms",
        ),
    ]


def in_turn_with_xargs(
    atectl: str,
    environment: Mapping[str, str],
    folder: Path,
    words: list[str],
    count: int,
    *flags: str,
) -> list[ProcessFigures]:
    """A batch of so many jobs, and as many wasmtime commands, two at a time."""
    jobs = _write_jobs(folder / "side.jsonl", words, count)
    commands = [_batch(atectl, jobs, "--jobs", "2", *flags), _xargs(words, count)]
    return in_turn(commands, environment, RUNS)


def _xargs(words: list[str], count: int, *flags: str) -> list[str]:
    """So many wasmtime commands, two at a time."""
    command = shlex.join([wasmtime_binary(), "run", "-C", "cache=y", *flags, *words])
    return ["/bin/sh", "-c", f"seq {count} | xargs -P2 -I{{}} {command}"]


def _ratio(what: str, ours: ProcessFigures, theirs: ProcessFigures, bound: float | None) -> Row:
    detail = f"{ours.wall_s * 1000:.0f} ms / {theirs.wall_s * 1000:.0f} ms"
    return Row(what, ours.wall_s / theirs.wall_s, "×", bound, detail)


def headline(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """Twelve capsules of 200 MiB under a limit, beside the same jobs without one."""
    free = _headline(atectl, environment, "none", "8GiB")
    rows = []
    for limit in ("1GiB", "512MiB"):
        held = _headline(atectl, environment, "both", limit)
        limit_bytes = {"1GiB": 1 << 30, "512MiB": 512 << 20}[limit]
        rows += [
            Row(
                f"12 × 200 MiB under {limit}: wall",
                held.wall_s / free.wall_s,
                "×",
                1.1,
                f"{held.wall_s:.1f} s / {free.wall_s:.1f} s",
            ),
            Row(
                f"12 × 200 MiB under {limit}: peak of all processes",
                held.peak_tree_bytes / limit_bytes,
                "×",
                1.0,
                f"{held.peak_tree_bytes >> 20} MiB; "
                f"without a limit {free.peak_tree_bytes >> 20} MiB",
            ),
        ]
    return rows


def never_tripped(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """What an arbiter costs that has nothing to do: the same growing guests with and without."""
    words = [str(CAPSULES / "bounded.wat"), "seed", "12"]
    jobs = _write_jobs(folder / "calm.jsonl", words, 4)
    held, free = in_turn(
        [
            _batch(atectl, jobs, "--limit", "8GiB", "--backpressure", "both"),
            _batch(atectl, jobs, "--limit", "8GiB", "--backpressure", "none"),
        ],
        environment,
        CALM_RUNS,
    )
    return [_ratio("an arbiter that never trips: wall", held, free, 1.02)]


def growths(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """What a growth by one page takes in a batch, beside one in a run."""
    growing, small = CAPSULES / "growth8000.wat", CAPSULES / "hello.wat"
    commands = []
    for capsule in (growing, small):
        jobs = folder / f"{capsule.stem}.jsonl"
        line = json.dumps({"capsule": str(capsule), "max_mem": "512MiB"})
        jobs.write_text(f"{line}\n" * GROWING)
        run = shlex.join([atectl, "run", str(capsule), "--max-mem", "512MiB", "--ledger", "none"])
        loop = f"for _ in $(seq {GROWING}); do {run}; done"
        commands += [_batch(atectl, jobs, "--jobs", "1"), ["/bin/sh", "-c", loop]]
    in_batch, in_run, batch_alone, run_alone = in_turn(commands, environment, RUNS)
    count = 8_000 * GROWING
    batch_us = (in_batch.cpu_s - batch_alone.cpu_s) / count * 1e6
    run_us = (in_run.cpu_s - run_alone.cpu_s) / count * 1e6
    detail = f"{batch_us:.1f} µs / {run_us:.1f} µs"
    return [
        Row("a growth by one page, in a batch / in a run: CPU", batch_us / run_us, "×", 1.2, detail)
    ]


def many_jobs(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """Ten thousand hello capsules through a pipe, beside a thousand."""
    hello = [str(CAPSULES / "hello.wat")]
    few = _write_jobs(folder / "few.jsonl", hello, FEW_JOBS)
    many = _write_jobs(folder / "many.jsonl", hello, MANY_JOBS)
    less, more = in_turn([_batch(atectl, few), _batch(atectl, many)], environment, 3)
    return [
        Row(
            f"{MANY_JOBS:,} jobs / {FEW_JOBS:,}: peak resident",
            more.resident_bytes / less.resident_bytes,
            "×",
            1.1,
            f"{more.resident_bytes / 2**20:.1f} MiB / {less.resident_bytes / 2**20:.1f} MiB",
        ),
        Row(
            f"{MANY_JOBS:,} jobs: each",
            more.wall_s / MANY_JOBS * 1000,
            " ms",
            0.15,
            f"{more.wall_s:.1f} s together",
        ),
    ]


def many_at_once(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """The same jobs, whose memory is many times the limit, with more of them begun at once."""
    capsule = folder / "steps.wat"
    capsule.write_text(grows_and_naps(12, 512 << 10, 0.01))
    one_cell = ("--isolate", "none", "--limit", "512MiB", "--jobs")

    def beside_few(jobs: Path, *flags: str) -> list[ProcessFigures]:
        few = _batch(atectl, jobs, *one_cell, str(FEW_AT_ONCE))
        return in_turn([few, _batch(atectl, jobs, *flags)], environment, 3)

    words = [str(capsule)]
    jobs = _write_jobs(folder / "steps.jsonl", words, MANY_AT_ONCE)
    shared = _write_jobs(folder / "shared.jsonl", words, MANY_AT_ONCE, PRINCIPALS)
    all_jobs = _write_jobs(folder / "all.jsonl", words, MOST_AT_ONCE)
    rows = []
    for what, bound, (few, many) in (
        (
            f"{MANY_AT_ONCE:,} leases at once / {FEW_AT_ONCE}",
            1.5,
            beside_few(jobs, *one_cell, str(MANY_AT_ONCE)),
        ),
        (
            f"the same of {PRINCIPALS} principals in cells",
            2,
            beside_few(shared, "--limit", "512MiB", "--jobs", str(MANY_AT_ONCE)),
        ),
        (
            f"{MOST_AT_ONCE:,} leases at once / {FEW_AT_ONCE}",
            2.5,
            beside_few(all_jobs, *one_cell, str(MOST_AT_ONCE)),
        ),
    ):
        rows += [_ratio(f"{what}: wall", many, few, bound), cpu_ratio(what, many, few, bound)]
    return rows


def memory_of_leases(atectl: str, environment: Mapping[str, str], folder: Path) -> list[Row]:
    """What each lease takes beside its guest's memory, while a thousand sleep in one cell."""
    capsule = folder / "nap.wat"
    capsule.write_text(_NAP)
    peaks = []
    for count in (FEW_AT_ONCE, MANY_AT_ONCE):
        jobs = _write_jobs(folder / "naps.jsonl", [str(capsule)], count)
        flags = ("--isolate", "none", "--limit", "512GiB", "--jobs", str(count))
        ended = run_watched(_batch(atectl, jobs, *flags), environment=environment)
        if ended.status:
            raise RuntimeError(f"a batch of {count} ended with status {ended.status}")
        peaks.append(ended.peak_tree_bytes)
    a_lease = (peaks[1] - peaks[0]) / (MANY_AT_ONCE - FEW_AT_ONCE) / 1024
    detail = f"{peaks[1] >> 20} MiB with {MANY_AT_ONCE:,}, {peaks[0] >> 20} MiB with {FEW_AT_ONCE}"
    return [Row("a lease beside its guest's memory", a_lease, " KiB", 128, detail)]


def _headline(
    atectl: str, environment: Mapping[str, str], backpressure: str, limit: str
) -> Watched:
    flags = ["--backpressure", backpressure, "--limit", limit, "--ledger", "none"]
    command = [atectl, "batch", str(HEADLINE), *flags]
    ended = run_watched(command, environment=environment, timeout_s=600)
    if ended.status:
        raise RuntimeError(f"{command} ended with status {ended.status}")
    return ended


def _batch(atectl: str, jobs: Path, *flags: str) -> list[str]:
    command = shlex.join([atectl, "batch", "-", "--ledger", "none", *flags])
    return ["/bin/sh", "-c", f"exec {command} < {shlex.quote(str(jobs))}"]


def _write_jobs(path: Path, words: list[str], count: int, principals: int = 1) -> Path:
    """The same job `count` times, of so many principals in turn: a capsule and its arguments."""
    job = {"capsule": words[0], "args": words[1:], "max_mem": "128MiB"}
    lines = [json.dumps({**job, "principal": f"p{number}"}) for number in range(principals)]
    path.write_text("".join(f"{lines[number % principals]}\n" for number in range(count)))
    return path
