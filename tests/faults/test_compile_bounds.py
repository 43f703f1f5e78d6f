"""What precedes the first instruction of a guest is bounded, and hurts nobody but who caused it."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest
from wasmtime import wat2wasm

from tests.conftest import CAPSULES
from tests.support.bombs import doubling_component, merge_bomb, passive_functions, slow_loops
from tests.support.processes import children_of, descendants_of, is_alive
from tests.support.program import ATECTL, atectl
from tests.support.waiting import wait_until
from tests.support.watched_process import Watched, run_watched

MIB = 1 << 20
HOST_BYTES = 120 * MIB
"""More than the process of a run or batch that compiles nothing itself ever holds."""

HELLO = CAPSULES / "hello.wat"
EXIT_STATUS = '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) '
EXIT_STATUS += '(memory (export "memory") 1) (func (export "_start") (call $exit (i32.const {}))))'


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def run(*words: str | Path) -> Watched:
    return run_watched([ATECTL, "run", "--ledger", "none", *words])


def batch(jobs: Iterable[dict[str, Any]], *options: str) -> tuple[Watched, list[dict[str, Any]]]:
    """A batch of these jobs, and its results by the jobs' numbers."""
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    ended = run_watched([ATECTL, "batch", "-", "--ledger", "none", *options], stdin=lines)
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    return ended, sorted(results, key=lambda result: result["job"])


def ended_as(result: dict[str, Any]) -> tuple[str, int, str | None]:
    return result["reason"], result["exit_status"], (result["error"] or {}).get("code")


# One run


def test_a_text_that_is_dear_to_compile_keeps_to_the_deadline_of_the_run(tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb.wat", merge_bomb(900, 700))
    ended = run("--max-mem", "1MiB", "--deadline", "0.5s", bomb)
    assert ended.status == 124
    assert "error[E302]: bomb.wat was still being compiled at its deadline" in ended.stderr
    assert ended.peak_resident_bytes < HOST_BYTES
    assert ended.wall_s < 10


def test_a_text_that_is_dear_to_compile_keeps_to_the_memory_for_that(tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb.wat", merge_bomb(400, 400))
    first, second = (run("--compile-mem", "64MiB", bomb) for _ in range(2))
    for ended in (first, second):
        assert ended.status == 126
        assert "error[E210]: bomb.wat takes more than 64MiB of memory to compile" in ended.stderr
        assert ended.peak_resident_bytes < HOST_BYTES
    with_more = run("--compile-mem", "1GiB", "--deadline", "3s", bomb)
    assert "E210" not in with_more.stderr


@pytest.mark.parametrize("levels", [22, 41])
def test_a_component_that_doubles_at_each_level_is_never_laid_out(
    tmp_path: Path, levels: int
) -> None:
    ended = run(write(tmp_path / "doubling.wat", doubling_component(levels)))
    assert ended.status == 126
    assert "error[E212]" in ended.stderr
    assert ended.peak_resident_bytes < HOST_BYTES


def test_a_file_of_a_gibibyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.wasm"
    path.write_bytes(b"\0asm\1\0\0\0")
    os.truncate(path, 1 << 30)
    ended = run(path)
    assert ended.status == 126
    assert "error[E209]" in ended.stderr
    assert ended.peak_resident_bytes < HOST_BYTES


def test_a_file_of_zeros_up_to_the_largest_size_leaves_the_host_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "large.wasm"
    path.write_bytes(b"\0asm\1\0\0\0")
    os.truncate(path, 256 << 20)
    ended = run(path)
    assert ended.status == 126
    assert "error[E205]" in ended.stderr
    assert ended.peak_resident_bytes < HOST_BYTES


@pytest.mark.parametrize("command", ["run", "batch"])
def test_what_has_no_entry_point_is_not_compiled_to_find_that_out(
    tmp_path: Path, command: str
) -> None:
    text = merge_bomb(900, 700).replace('"_start"', '"other"')
    library = write(tmp_path / "library.wat", text)
    if command == "run":
        ended = run("--compile-mem", "64MiB", library)
        assert ended.status == 126
        assert "error[E208]: library.wat has no _start to run; it exports other" in ended.stderr
    else:
        jobs = [{"capsule": str(library)}, {"capsule": str(library), "invoke": "other"}]
        ended, results = batch(jobs, "--compile-mem", "64MiB", "--jobs", "1")
        assert [ended_as(each)[2] for each in results] == ["E208", "E210"]


@contextmanager
def compiling(command: str, *words: str | Path, stdin: str = "") -> Iterator[tuple[Any, int]]:
    """A command that compiles for long, and the process that does it."""
    process = subprocess.Popen(
        [ATECTL, command, "--ledger", "none", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.flush()
        yield process, compiler_below(process.pid)
    finally:
        process.kill()
        process.communicate()


def compiler_below(pid: int) -> int:
    """The process below this one that compiles."""

    def found() -> list[int]:
        below = [pid]
        for each in below:
            below += children_of(each)
        return [each for each in below if name_of(each) == "atectl-compile"]

    wait_until(found)
    return found()[0]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_run_that_is_ended_while_it_compiles_ends_at_once_with_its_compiler(
    tmp_path: Path, number: signal.Signals
) -> None:
    slow = write(tmp_path / "slow.wat", slow_loops(6000, 50))
    with compiling("run", slow) as (process, compiler):
        process.send_signal(number)
        process.wait(10)
    assert process.returncode in (-number, 128 + number)
    wait_until(lambda: not is_alive(compiler))


# A batch


def test_bombs_of_one_principal_take_nothing_from_the_jobs_of_another(tmp_path: Path) -> None:
    """Each of its own content, so that each is compiled."""
    bombs = [
        write(tmp_path / f"bomb{n}.wat", merge_bomb(400, 400 + n)) for n in range(6)
    ]  # fmt: skip
    jobs = [{"capsule": str(each), "principal": "bad"} for each in bombs]
    good = {"capsule": str(HELLO), "principal": "good"}
    ended, results = batch(
        [each for bomb in jobs for each in (bomb, *[good] * 20)],
        *("--limit", "512MiB", "--compile-mem", "64MiB", "--jobs", "4"),
    )
    assert ended.peak_resident_bytes < HOST_BYTES
    told = {
        name: {ended_as(each) for each in results if each["principal"] == name}
        for name in ("good", "bad")
    }
    assert told == {"good": {("exited", 0, None)}, "bad": {("refused", 126, "E210")}}
    assert len(results) == 6 * 21


def test_a_batchs_limit_bounds_what_compiling_takes(tmp_path: Path) -> None:
    large = write(tmp_path / "large.wat", passive_functions(120_000))
    ended, [result] = batch([{"capsule": str(large)}], "--limit", "160MiB")
    assert ended_as(result) == ("refused", 126, "E210")
    assert ended.peak_tree_bytes < 160 * MIB


@pytest.mark.slow
def test_bombs_under_a_small_limit_hurt_no_job_of_another_principal(tmp_path: Path) -> None:
    """Compiled together, they would take some gigabytes."""
    bombs = [write(tmp_path / f"bomb{n}.wat", merge_bomb(900, 700 + n)) for n in range(3)]
    good = {"capsule": str(CAPSULES / "grow-by-steps.wat"), "principal": "good"}
    mixed = [{"capsule": str(bomb), "principal": "bad"} for bomb in bombs] + [good] * 500
    ended, results = batch(mixed, "--limit", "256MiB", "--jobs", "8")
    # Each takes too much, or had to give way when somebody else was held.
    verdicts = {("refused", 126, "E210"), ("arbiter", 137, "E319")}
    assert {ended_as(each) for each in results[:3]} <= verdicts
    assert [ended_as(each) for each in results[3:]] == [("exited", 0, None)] * 500
    did = {decision["action"] for each in results[3:] for decision in each["decisions"]}
    assert did <= {"park", "grant", "resume"}  # they wait, and nobody is spilled or aborted
    assert ended.peak_tree_bytes < 256 * MIB


def test_capsules_that_are_compiled_at_once_keep_to_the_limit_together(tmp_path: Path) -> None:
    """Each takes some 100 MiB, and all of them come to be compiled."""
    larges = [write(tmp_path / f"{n}.wat", passive_functions(40_000 + n)) for n in range(4)]
    ended, results = batch(
        [{"capsule": str(each), "principal": str(n)} for n, each in enumerate(larges)],
        *("--limit", "256MiB", "--jobs", "4"),
    )
    assert [ended_as(each) for each in results] == [("exited", 0, None)] * 4
    assert ended.peak_tree_bytes < 256 * MIB


def test_a_jobs_deadline_holds_while_its_capsule_is_compiled(tmp_path: Path) -> None:
    slow = write(tmp_path / "slow.wat", slow_loops(6000, 50))
    ended, [result] = batch([{"capsule": str(slow), "deadline": "1s"}])
    assert ended_as(result) == ("deadline", 124, "E302")
    assert ended.wall_s < 15


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_the_first_signal_ends_a_batch_that_compiles(
    tmp_path: Path, number: signal.Signals, status: int, reason: str
) -> None:
    slow = write(tmp_path / "slow.wat", slow_loops(6000, 50))
    job = json.dumps({"capsule": str(slow)}) + "\n"
    with compiling("batch", "-", stdin=job) as (process, compiler):
        began = time.monotonic()
        process.send_signal(number)
        stdout, _ = process.communicate(timeout=20)
        assert time.monotonic() - began < 4  # less than the grace of a guest that runs
    assert process.returncode == status
    assert ended_as(json.loads(stdout)) == (reason, status, None)
    wait_until(lambda: not is_alive(compiler))


def test_a_compiler_that_the_system_kills_fails_its_job_and_no_other(tmp_path: Path) -> None:
    slow = write(tmp_path / "slow.wat", slow_loops(6000, 50))
    jobs = "".join(json.dumps({"capsule": str(each)}) + "\n" for each in (slow, HELLO))
    with compiling("batch", "-", "--jobs", "1", stdin=jobs) as (process, compiler):
        os.kill(compiler, signal.SIGKILL)
        stdout, _ = process.communicate(timeout=60)
    results = [json.loads(line) for line in stdout.splitlines()]
    assert [ended_as(each) for each in results] == [
        ("failed", 125, "E703"),
        ("exited", 0, None),
    ]


# What is there now


class Stream:
    """A batch that takes its jobs while it runs, and whose results are read one by one."""

    def __init__(self, *options: str, before: Iterable[str] = ()) -> None:
        """
        Args:
            before: the words in front of the command, such as a shell that sets limits.
        """
        self._process = subprocess.Popen(
            [*before, ATECTL, "batch", "-", "--ledger", "none", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    @property
    def pid(self) -> int:
        return self._process.pid

    def submit(self, path: Path, **more: Any) -> None:
        stdin: IO[str] | None = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps({"capsule": str(path), **more}) + "\n")

    def result(self) -> dict[str, Any]:
        """The next result, as soon as there is one."""
        stdout: IO[str] | None = self._process.stdout
        assert stdout is not None
        result: dict[str, Any] = json.loads(stdout.readline())
        return result

    def run(self, path: Path, **more: Any) -> tuple[str, int, str | None]:
        self.submit(path, **more)
        return ended_as(self.result())


@pytest.fixture(params=[(), ("--no-cache",)], ids=["cached", "uncached"])
def stream(request: pytest.FixtureRequest) -> Iterator[Stream]:
    with Stream(*request.param) as stream:
        yield stream


def test_a_capsule_that_is_replaced_between_two_jobs_runs_as_it_is_then(
    stream: Stream, tmp_path: Path
) -> None:
    path = tmp_path / "some.wat"
    for status in (1, 2, 3, 2):
        text = EXIT_STATUS.format(status)
        write(tmp_path / "new", text).replace(path)
        stream.submit(path)
        result = stream.result()
        assert ended_as(result) == ("exited", status, None)
        assert result["sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_a_capsule_that_changes_in_its_place_runs_as_it_is_then(
    stream: Stream, tmp_path: Path
) -> None:
    path = tmp_path / "some.wat"
    for status in (1, 2, 3):
        write(path, EXIT_STATUS.format(status))
        assert stream.run(path) == ("exited", status, None)


def test_whatever_happens_to_a_file_the_next_job_finds_it_as_it_is(
    stream: Stream, tmp_path: Path
) -> None:
    path, whole = tmp_path / "some.wasm", bytes(wat2wasm(EXIT_STATUS.format(7)))
    assert stream.run(path) == ("refused", 127, "E201")
    path.write_bytes(whole[:30])
    assert stream.run(path) == ("refused", 126, "E204")
    path.write_bytes(whole)
    assert stream.run(path) == ("exited", 7, None)
    os.truncate(path, 40)
    assert stream.run(path) == ("refused", 126, "E204")
    path.unlink()
    assert stream.run(path) == ("refused", 127, "E201")
    path.mkdir()
    assert stream.run(path) == ("refused", 126, "E202")
    path.rmdir()
    path.write_bytes(whole)
    assert stream.run(path) == ("exited", 7, None)


# Too many open files

# Opens /f until that is refused, and then waits until there is something in it.
HOG = """(module
  (import "wasi_snapshot_preview1" "path_open" (func $open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 512) "f")
  (func (export "_start") (local $errno i32)
    (loop $again
      (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 1)
        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 256)))
      (br_if $again (i32.eqz (local.get $errno))))
    (i64.store (i32.const 24) (i64.const 10000000))
    (loop $again
      (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
      (drop (call $stat (i32.const 4) (i32.const 192)))
      (br_if $again (i64.eqz (i64.load (i32.const 224)))))
    (call $exit (local.get $errno))))"""


def most_descriptors(pid: int) -> int:
    """How many descriptors one process of a batch has, the one with most."""
    counts = []
    for each in [pid, *descendants_of(pid)]:
        with suppress(OSError):
            counts.append(sum(1 for _ in Path(f"/proc/{each}/fd").iterdir()))
    return max(counts)


def test_a_guest_that_has_all_files_that_it_may_keeps_nothing_from_being_loaded(
    tmp_path: Path,
) -> None:
    many = tmp_path / "f"
    many.touch()
    hog = write(tmp_path / "hog.wat", HOG)
    limited = ("sh", "-c", 'ulimit -n 256; exec "$@"', "sh")
    with Stream("--jobs", "2", before=limited) as stream:
        stream.submit(hog, dirs=[f"{tmp_path}::/"], principal="bad")
        wait_until(lambda: most_descriptors(stream.pid) >= 256 - 256 // 8)
        for status in range(1, 6):
            capsule = write(tmp_path / f"{status}.wat", EXIT_STATUS.format(status))
            assert stream.run(capsule, principal="good") == ("exited", status, None)
        many.write_text("go on")
        io_error = 29  # what the engine makes of too many open files
        assert ended_as(stream.result()) == ("exited", io_error, None)


def test_a_process_without_descriptors_blames_the_host(tmp_path: Path) -> None:
    limited = f'ulimit -n 5; exec "{ATECTL}" run --no-cache --ledger none "{HELLO}"'
    ended = subprocess.run(["sh", "-c", limited], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 125
    assert "error[E704]: hello.wat could not be loaded: too many open files" in ended.stderr
    assert atectl("run", HELLO).status == 0


def test_the_baseline_of_a_budget_is_never_that_of_a_compilation(tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb.wat", merge_bomb(400, 400))
    write(tmp_path / "budget.toml", f'[host]\nlimit = "1GiB"\n[[capsule]]\npath = "{bomb}"\n')
    checked = atectl("budget", "check", tmp_path / "budget.toml", "-o", "json")
    assert json.loads(checked.stdout)["baseline_bytes"] < 80 * MIB
