"""What a guest does to its process, or happens to that, hurts only leases of its principal."""

import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from atectl.capsule.cache import ArtifactCache
from atectl.config import cache_dir
from tests.conftest import CAPSULES
from tests.faults.killed_cells import VICTIMS, compile_capsule, kill_one
from tests.support.foreign_code import keep_foreign
from tests.support.growing import grows_and_naps
from tests.support.handles import KEEPS_STREAMS
from tests.support.host_calls import fill_folder, holds_listings
from tests.support.processes import children_of, descendants_of, is_alive
from tests.support.program import ATECTL
from tests.support.waiting import wait_until
from tests.support.watched_process import Watched, run_watched

MIB = 1 << 20
SLEEPS_AND_HOLDS = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 992)
  (func (export "_start")
    (memory.fill (i32.const 65536) (i32.const 7) (i32.const 64946176))
    (i64.store (i32.const 24) (i64.const 600000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"""
"""Fills 62 MiB, and sleeps ten minutes in one call to the host."""


GROWS_AND_TOUCHES = """(module
  (memory (export "memory") 0)
  (func (export "_start") (local $at i32) (local $end i32)
    (loop $grow
      (drop (memory.grow (i32.const 128)))
      (memory.fill (local.get $end) (i32.const 7) (i32.const 8388608))
      (local.set $end (i32.add (local.get $end) (i32.const 8388608)))
      (br_if $grow (i32.lt_u (local.get $end) (i32.const 83886080))))
    (loop $again
      (local.set $at (i32.const 0))
      (loop $next
        (drop (i32.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
      (br $again))))"""
"""Grows to 80 MiB, 8 MiB at a time, and reads a bit of each page for ever."""


class Stream:
    """A batch that takes jobs as they are written to it."""

    def __init__(self, *options: str | Path) -> None:
        words = [ATECTL, "batch", "-", "--ledger", "none", *map(str, options)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def submit(self, capsule: Path | str, **terms: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps({'capsule': str(capsule), **terms})}\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, Any]:
        stdout: IO[str] | None = self.process.stdout
        assert stdout is not None
        return json.loads(stdout.readline())  # type: ignore[no-any-return]

    def cells(self) -> list[int]:
        """The processes that run guests, but for those that have ended and were not waited for."""
        below = descendants_of(self.process.pid)
        return [each for each in below if name_of(each) == "atectl-cell" and is_alive(each)]

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)


@contextmanager
def batch_of(*options: str | Path) -> Iterator[Stream]:
    stream = Stream(*options)
    try:
        yield stream
    finally:
        left = descendants_of(stream.process.pid)
        stream.process.kill()
        stream.process.wait()
        for end in (stream.process.stdin, stream.process.stdout, stream.process.stderr):
            with suppress(OSError, ValueError):
                if end is not None:
                    end.close()
        wait_until(lambda: not any(map(is_alive, left)))


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def ran(jobs: list[dict[str, Any]], *options: str) -> tuple[Watched, dict[str, list[str]]]:
    """A whole batch, and the reasons for which the jobs of each principal ended."""
    lines = "".join(f"{json.dumps(job)}\n" for job in jobs)
    command = [ATECTL, "batch", "-", "--ledger", "none", *options]
    ended = run_watched(command, stdin=lines)
    reasons: dict[str, list[str]] = {}
    for line in ended.stdout.splitlines():
        result = json.loads(line)
        reasons.setdefault(result["principal"], []).append(result["reason"])
    return ended, reasons


# Who shares a process


def test_two_jobs_never_share_a_process_where_each_is_isolated() -> None:
    with batch_of("--isolate", "job", "--jobs", "3", "--cells", "3") as stream:
        for _ in range(3):
            stream.submit(CAPSULES / "spin.wat", principal="blue")
        wait_until(lambda: len(stream.cells()) == 3)


def test_where_each_job_is_isolated_a_process_is_ready_for_the_next_one() -> None:
    with batch_of("--isolate", "job", "--jobs", "1", "--cells", "2") as stream:
        for _ in range(2):
            stream.submit(CAPSULES / "hello.wat")
            assert stream.result()["reason"] == "exited"
        stream.submit(CAPSULES / "spin.wat")
        wait_until(lambda: [is_in_use(each) for each in stream.cells()].count(True) == 1)
        wait_until(lambda: len(stream.cells()) == 2)
        used, ready = sorted(stream.cells(), key=is_in_use, reverse=True)
        os.kill(used, signal.SIGKILL)
        assert stream.result()["reason"] == "cell-lost"
        stream.submit(CAPSULES / "spin.wat")
        wait_until(lambda: is_in_use(ready))


def test_no_process_is_ready_for_the_next_job_beyond_those_that_there_may_be() -> None:
    with batch_of("--isolate", "job", "--jobs", "1", "--cells", "1") as stream:
        for _ in range(20):
            stream.submit(CAPSULES / "hello.wat")
        stream.submit(CAPSULES / "spin.wat")
        assert {stream.result()["reason"] for _ in range(20)} == {"exited"}
        wait_until(lambda: any(map(is_in_use, stream.cells())))
        assert len(stream.cells()) == 1


def is_in_use(cell: int) -> bool:
    """Whether a cell has begun with a lease, for which it has a thread beside its first."""
    try:
        return len(list(Path(f"/proc/{cell}/task").iterdir())) > 1
    except OSError:
        return False


def test_two_principals_never_share_a_process_by_default() -> None:
    with batch_of("--jobs", "3", "--cells", "3") as stream:
        for principal in ("blue", "green", "red"):
            stream.submit(CAPSULES / "spin.wat", principal=principal)
        wait_until(lambda: len(stream.cells()) == 3)


def test_all_share_one_process_where_nothing_is_isolated() -> None:
    with batch_of("--isolate", "none", "--jobs", "3") as stream:
        for principal in ("blue", "green", "red"):
            stream.submit(CAPSULES / "hello.wat", principal=principal)
        assert {stream.result()["reason"] for _ in range(3)} == {"exited"}
        assert len(stream.cells()) == 1


def test_the_host_itself_has_no_engine() -> None:
    with batch_of() as stream:
        stream.submit(CAPSULES / "spin.wat")
        wait_until(lambda: len(stream.cells()) == 1)
        assert has_engine(stream.cells()[0])
        assert not has_engine(stream.process.pid)


def has_engine(pid: int) -> bool:
    return "libwasmtime" in Path(f"/proc/{pid}/maps").read_text()


def test_code_that_a_cell_rejects_is_compiled_anew(tmp_path: Path) -> None:
    capsule = tmp_path / "one.wat"
    capsule.write_text('(module (func (export "_start")))')
    with ArtifactCache.open(cache_dir()) as cache:
        keep_foreign(cache, capsule)
    ended, _ = ran([{"capsule": str(capsule)}] * 8, "--jobs", "8")
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["reason"] for each in told] == ["exited"] * 8
    assert [each["attempts"] for each in told] == [1] * 8
    assert sum(not each["cached"] for each in told) == 1


def test_no_more_cells_are_alive_than_is_said_and_who_gets_none_waits() -> None:
    with batch_of("--jobs", "4", "--cells", "2") as stream:
        for principal in ("blue", "green", "red", "white"):
            stream.submit(CAPSULES / "spin.wat", principal=principal, deadline="1s")
        for _ in range(4):
            assert len(stream.cells()) <= 2
            assert stream.result()["reason"] == "deadline"


# What a guest drives


def test_guests_that_are_given_up_hold_nothing_and_hurt_nobody(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper.wat"
    sleeper.write_text(SLEEPS_AND_HOLDS)
    bad = {"capsule": str(sleeper), "principal": "bad", "deadline": "1s"}
    victim = {"capsule": str(CAPSULES / "bounded.wat"), "args": ["x", "8"], "max_mem": "128MiB"}
    jobs = [bad] * 12 + [{**victim, "principal": f"good{n}"} for n in range(4)]
    ended, reasons = ran(jobs, "--limit", "512MiB", "--jobs", "6")
    # On a busy machine the arbiter may be first; it ends none but them.
    assert set(reasons.pop("bad")) <= {"deadline", "arbiter"}
    assert list(reasons.values()) == [["exited"]] * 4
    assert ended.peak_tree_bytes < 512 * MIB


@contextmanager
def on_one_core() -> Iterator[None]:
    """What is started meanwhile has one core, so that leases of one principal share a cell."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def test_a_guest_that_was_given_up_keeps_no_memory_that_others_wait_for(tmp_path: Path) -> None:
    """Another of its principal runs in the same cell, which is ended all the same."""
    sleeper = tmp_path / "sleeper.wat"
    sleeper.write_text(SLEEPS_AND_HOLDS)
    with on_one_core(), batch_of("--jobs", "3", "--limit", "170MiB") as batch:
        batch.submit(sleeper, principal="bad", deadline="1s")
        batch.submit(CAPSULES / "spin.wat", principal="bad", deadline="80s")
        bounded = CAPSULES / "bounded.wat"
        batch.submit(bounded, args=["x", "8"], max_mem="128MiB", principal="good")
        assert batch.result()["reason"] == "deadline"
        told = batch.result()
        assert (told["principal"], told["reason"]) == ("good", "exited")


def test_what_the_host_holds_for_a_guest_ends_that_guest_alone(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "many", 20_000)
    holder = {
        "capsule": str(holds_listings(tmp_path, 500)),
        "principal": "bad",
        "dirs": [f"{folder}::/:ro"],
    }
    good = {"capsule": str(CAPSULES / "hello.wat"), "principal": "good"}
    ended, reasons = ran([holder, *[good] * 50], "--limit", "1GiB", "--jobs", "2")
    assert reasons == {"bad": ["quota"], "good": ["exited"] * 50}
    (told,) = [each for each in map(json.loads, ended.stdout.splitlines()) if each["error"]]
    assert told["error"]["code"] == "E309"
    assert told["host_bytes"] > 150 * MIB
    assert ended.peak_tree_bytes < 700 * MIB


SLEEPS_WITH_MEMORIES = SLEEPS_AND_HOLDS.replace(
    '(memory (export "memory") 992)', '(memory (export "memory") 1)' + "(memory 0)" * 15
).replace("(memory.fill (i32.const 65536) (i32.const 7) (i32.const 64946176))", "")
"""Has as many memories as it may, reserves 4 GiB for each, and sleeps."""

RECURSES_AND_SLEEPS = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $deeper (param i32)
    (if (local.get 0)
      (then
        (call $deeper (i32.sub (local.get 0) (i32.const 1)))
        (drop (i32.load (i32.const 0))))
      (else
        (i64.store (i32.const 24) (i64.const 1000000000))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))))
  (func (export "_start") (call $deeper (i32.const 9000))))"""
"""Fills most of its call stack, and sleeps for a second at the end of that."""

OPENS_ALL = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "f")
  (func (export "_start")
    (loop $more
      (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64)))
      (br $more))))"""
"""Opens a file again and again until its deadline."""


def victims(count: int = 40) -> list[dict[str, Any]]:
    hello = {"capsule": str(CAPSULES / "hello.wat")}
    return [{**hello, "principal": f"good{number % 4}"} for number in range(count)]


def assert_victims_are_done(reasons: dict[str, list[str]]) -> None:
    assert {each for who, all_ in reasons.items() if who != "bad" for each in all_} == {"exited"}


def test_sleepers_that_reserve_much_leave_address_space_to_others(tmp_path: Path) -> None:
    capsule = tmp_path / "reserves.wat"
    capsule.write_text(SLEEPS_WITH_MEMORIES)
    bad = {"capsule": str(capsule), "principal": "bad", "deadline": "1s"}
    _, reasons = ran([*[bad] * 25, *victims()], "--jobs", "27", "--limit", "4GiB")
    assert reasons["bad"] == ["deadline"] * 25
    assert_victims_are_done(reasons)


def test_a_guest_that_opens_all_descriptors_takes_none_of_others(tmp_path: Path) -> None:
    capsule, folder = tmp_path / "opens.wat", tmp_path / "granted"
    folder.mkdir()
    (folder / "f").touch()
    capsule.write_text(OPENS_ALL)
    bad = {
        "capsule": str(capsule),
        "principal": "bad",
        "dirs": [str(folder)],
        "deadline": "3s",
    }
    _, reasons = ran([bad, *victims()], "--jobs", "3")
    assert reasons["bad"] == ["deadline"]
    assert_victims_are_done(reasons)


def test_handles_without_end_in_a_cell_end_it_alone(tmp_path: Path) -> None:
    capsule, folder = tmp_path / "keeps.wat", tmp_path / "granted"
    folder.mkdir()
    (folder / "f").write_bytes(bytes(200_000))
    capsule.write_text(KEEPS_STREAMS)
    bad = {
        "capsule": str(capsule),
        "principal": "bad",
        "dirs": [str(folder)],
        "max_mem": "1MiB",
    }
    ended, reasons = ran([bad, *victims()], "--jobs", "2", "--limit", "1GiB")
    assert reasons["bad"] == ["quota"]
    assert_victims_are_done(reasons)
    assert ended.peak_tree_bytes < 700 * MIB


@pytest.mark.slow
@pytest.mark.xdist_group("memory of whole processes")
def test_the_stacks_of_a_thousand_guests_keep_the_limit(tmp_path: Path) -> None:
    capsule = tmp_path / "recurses.wat"
    capsule.write_text(RECURSES_AND_SLEEPS)
    bad = {"capsule": str(capsule), "principal": "bad", "max_mem": "128KiB"}
    options = ("--jobs", "1000", "--limit", "300MiB")
    ended, reasons = ran([*[bad] * 1000, *victims()], *options)
    assert set(reasons["bad"]) <= {"exited", "deadline", "arbiter"}
    assert_victims_are_done(reasons)
    assert ended.peak_tree_bytes < 300 * MIB


# What happens to a process


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(signal.SIGKILL, "E327", 137), (signal.SIGSYS, "E311", 134), (signal.SIGABRT, "E311", 134)],
)
def test_a_cell_that_dies_ends_its_own_leases_and_says_how(
    number: signal.Signals, code: str, status: int
) -> None:
    with batch_of("--jobs", "2") as stream:
        stream.submit(CAPSULES / "spin.wat", principal="bad")
        wait_until(stream.cells)
        (cell,) = stream.cells()
        stream.submit(CAPSULES / "hello.wat", principal="good")
        assert stream.result()["reason"] == "exited"
        os.kill(cell, number)
        lost = stream.result()
        assert (lost["reason"], lost["exit_status"]) == ("cell-lost", status)
        assert lost["error"]["code"] == code
        assert number.name in lost["error"]["message"]
        stream.submit(CAPSULES / "hello.wat", principal="bad")
        assert stream.result()["reason"] == "exited"
        assert stream.end() == 1


def spill_file_of(cell: int, folder: Path, least_bytes: int = 32 * MIB) -> Path | None:
    """A file in that folder with so much of the memory of a cell's guest, if there is one."""
    with suppress(OSError):
        for each in Path(f"/proc/{cell}/fd").iterdir():
            with suppress(OSError):
                is_there = str(each.readlink()).startswith(f"{folder}/")
                if is_there and each.stat().st_blocks * 512 >= least_bytes:
                    return each
    return None


def test_a_spill_file_that_cannot_be_read_any_more_ends_its_own_cell_alone(tmp_path: Path) -> None:
    """The kernel answers a guest that touches such a page as it does if the disk fails."""
    capsule, folder = tmp_path / "touches.wat", tmp_path / "spill"
    capsule.write_text(GROWS_AND_TOUCHES)
    folder.mkdir()
    limits = ("--limit", "240MiB", "--spill-dir", folder)
    options = ("--jobs", "3", "--requeue", "0", *limits)
    with batch_of(*options) as stream:
        for number in range(3):
            stream.submit(capsule, max_mem="128MiB", principal=f"p{number}")
        spilled: list[int] = []

        def has_spilled() -> bool:
            spilled[:] = [cell for cell in stream.cells() if spill_file_of(cell, folder)]
            return bool(spilled)

        wait_until(has_spilled)
        for cell in stream.cells():
            if cell != spilled[0]:
                os.kill(cell, signal.SIGKILL)

        def dies_of_truncation() -> bool:
            # It may still have been written to the last time.
            file = spill_file_of(spilled[0], folder, 1)
            if file is not None:
                with suppress(OSError):
                    os.truncate(file, 0)
            return not is_alive(spilled[0])

        wait_until(dies_of_truncation)
        told = {each["error"]["message"]: each for each in (stream.result() for _ in range(3))}
        statuses = sorted(each["exit_status"] for each in told.values())
        assert {each["reason"] for each in told.values()} == {"cell-lost"}
        assert statuses in ([134, 137], [134, 137, 137])
        assert "SIGBUS" in next(text for text, each in told.items() if each["exit_status"] == 134)
        stream.submit(CAPSULES / "hello.wat", principal="p0")
        assert stream.result()["reason"] == "exited"


def test_a_cell_that_is_stopped_is_ended_at_its_deadline() -> None:
    with batch_of("--jobs", "2") as stream:
        stream.submit(CAPSULES / "spin.wat", principal="bad", deadline="3s")
        wait_until(stream.cells)
        (cell,) = stream.cells()
        os.kill(cell, signal.SIGSTOP)
        stream.submit(CAPSULES / "hello.wat", principal="good")
        assert stream.result()["reason"] == "exited"
        assert stream.result()["reason"] == "deadline"
        wait_until(lambda: not is_alive(cell))


def test_the_death_of_the_process_that_forks_cells_loses_no_result() -> None:
    with batch_of("--jobs", "2") as stream:
        stream.submit(CAPSULES / "spin.wat", principal="blue", deadline="2s")
        wait_until(stream.cells)
        (zygote,) = children_of(stream.process.pid)
        os.kill(zygote, signal.SIGKILL)
        wait_until(lambda: not is_alive(zygote))
        assert stream.result()["reason"] == "deadline"
        stream.submit(CAPSULES / "hello.wat", principal="green")
        assert stream.result()["reason"] == "exited"
        assert stream.end() == 1


def test_after_the_death_of_the_process_that_forks_them_cells_have_the_same_bounds() -> None:
    with batch_of("--jobs", "2", "--max-memories", "1") as stream:
        stream.submit(CAPSULES / "hello.wat")
        assert stream.result()["reason"] == "exited"
        (zygote,) = children_of(stream.process.pid)
        os.kill(zygote, signal.SIGKILL)
        wait_until(lambda: not is_alive(zygote))
        stream.submit(CAPSULES / "two-memories.wat", principal="green")
        assert stream.result()["error"]["code"] == "E310"


@pytest.mark.parametrize("backpressure", ["park", "both"])
def test_jobs_that_fit_only_without_the_cells_of_others_all_run(
    tmp_path: Path, backpressure: str
) -> None:
    capsule, trace = tmp_path / "grows.wat", tmp_path / "trace.jsonl"
    capsule.write_text(grows_and_naps(30, 1 << 20, 0.01))

    def jobs(count: int) -> list[dict[str, Any]]:
        return [{"capsule": str(capsule), "principal": f"tenant-{n}"} for n in range(count)]

    ran(jobs(1), "--trace", str(trace))
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    baseline = max(event["baseline_bytes"] for event in events if "baseline_bytes" in event)
    limit = f"{(baseline >> 20) + 31 + 8}MiB"  # and two more cells, of 4 MiB each
    words = ("--limit", limit, "--backpressure", backpressure, "--spill-dir", str(tmp_path))
    _, reasons = ran(jobs(6), "--jobs", "6", *words)
    assert reasons == {f"tenant-{n}": ["exited"] for n in range(6)}


def test_the_lines_of_leases_take_no_descriptors_from_guests() -> None:
    hello = {"capsule": str(CAPSULES / "hello.wat")}
    options = ("--isolate", "none", "--jobs", "100", "--max-fds", "16")
    _, reasons = ran([hello] * 200, *options)
    assert reasons == {"default": ["exited"] * 200}


def test_who_finds_no_descriptors_for_a_line_waits() -> None:
    sleeper = {"capsule": str(CAPSULES / "sleep.wat"), "deadline": "500ms"}
    batch = f"{ATECTL} batch - --ledger none --isolate none --jobs 100 --max-fds 16"
    jobs = f"{json.dumps(sleeper)}\n" * 100
    ended = run_watched(["bash", "-c", f"ulimit -n 400; exec {batch}"], stdin=jobs)
    assert ended.stdout.count('"reason":"deadline"') == 100, ended.stdout


def test_the_stacks_of_leases_are_no_growth_of_their_cell() -> None:
    """The kernel counts the stack of each thread in full, though hardly any of it is used."""
    sleeper = {"capsule": str(CAPSULES / "sleep.wat"), "max_mem": "128KiB", "deadline": "3s"}
    _, reasons = ran([sleeper] * 300, "--isolate", "none", "--jobs", "300", "--limit", "8GiB")
    assert reasons == {"default": ["deadline"] * 300}


def test_the_code_of_many_capsules_takes_no_descriptors_from_guests(tmp_path: Path) -> None:
    text = (CAPSULES / "hello.wat").read_text()
    for number in range(200):
        (tmp_path / f"{number}.wat").write_text(f"{text}\n;; {number}\n")
    jobs = [{"capsule": str(tmp_path / f"{number}.wat")} for number in range(200)]
    _, reasons = ran(jobs, "--max-fds", "16", "--jobs", "1")
    assert reasons == {"default": ["exited"] * 200}


@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
def test_what_is_killed_at_random_loses_nothing_of_others_and_leaves_nothing(
    victim: str, tmp_path: Path
) -> None:
    compile_capsule()
    chosen = random.Random(7)
    for _ in range(4):
        kill_one(victim, chosen, tmp_path)


@pytest.mark.parametrize("wait_for", [0, 1, 3])
def test_a_batch_that_is_killed_leaves_no_process(wait_for: int) -> None:
    with batch_of("--jobs", "4") as stream:
        for number in range(4):
            stream.submit(CAPSULES / "spin.wat", principal=f"p{number}")
        wait_until(lambda: len(stream.cells()) >= wait_for)
        left = descendants_of(stream.process.pid)
        stream.process.kill()
        stream.process.wait()
        wait_until(lambda: not any(map(is_alive, left)))
