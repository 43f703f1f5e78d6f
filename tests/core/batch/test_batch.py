"""A batch: every job has one result, under one budget, as slots get free."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from atectl.accounting import Account, Budget, Principal, Quota
from atectl.arbitration.deciding import decide
from atectl.arbitration.place import Place
from atectl.arbitration.policies import rules
from atectl.arbitration.view import Action
from atectl.batch.batch import Batch
from atectl.batch.cells.outputs import NO_OUTPUT, Captured, Output
from atectl.batch.inbox import Inbox
from atectl.batch.job import JobResult, JobTerms, Wanted
from atectl.batch.settings import BatchSettings
from atectl.budget.errors import UnsatisfiableBudget
from atectl.capsule.artifact_file import ArtifactFile
from atectl.capsule.compilation import Compilation
from atectl.capsule.compiler import Compiler
from atectl.capsule.shelf import CapsuleShelf
from atectl.engine.wasi import Folder, Streams, WasiSettings
from atectl.errors import CapsuleNotFound, StreamUnusable
from atectl.lease.terms import Terms
from atectl.ledger_store.opening import open_for_reading
from atectl.system import memory as host_memory
from atectl.system.memory import resident_bytes
from atectl.trace.events import Decided, Event, Ruled
from atectl.trace.recording import Recorder
from tests.conftest import CAPSULES
from tests.support.bombs import slow_loops
from tests.support.growing import grows_and_naps
from tests.support.host_calls import fill_folder, holds_listings
from tests.support.runtimes import bare
from tests.support.waiting import wait_until

MIB = 1 << 20
CORES = len(os.sched_getaffinity(0))
WANTED = Wanted("tenant")
LONG_S = 100.0
"""A deadline that no job of a test comes to, and less than pytest waits for a test."""


def settings(folder: Path, **changed: object) -> BatchSettings:
    usual = BatchSettings(jobs=2, budget=Budget(4096 * MIB), rules=rules("both"), spill_dir=folder)
    return usual._replace(**changed)  # type: ignore[arg-type]


def job(number: int, capsule: Path, *, stdout: Path | None = None, **changed: object) -> JobTerms:
    quota = Quota(64 * MIB, LONG_S)
    streams = None if stdout is None else Streams(stdout=str(stdout))
    wasi = WasiSettings((capsule.name,), streams=streams)
    terms = Terms(Principal("tenant"), quota, wasi)._replace(
        **{name: changed.pop(name) for name in ("quota", "label") if name in changed}  # type: ignore[arg-type]
    )
    return JobTerms(number, capsule, terms)._replace(**changed)  # type: ignore[arg-type]


def hellos(count: int) -> Iterator[JobTerms]:
    return (job(number, CAPSULES / "hello.wat") for number in range(1, count + 1))


def results(batch: Batch, jobs: Iterator[JobTerms] | list[JobTerms]) -> dict[int, JobResult]:
    return {result.job: result for result in batch.run(jobs)}


@contextmanager
def running(batch: Batch, jobs: Iterable[JobTerms]) -> Iterator[list[JobResult]]:
    """The results of jobs that run meanwhile, all there at the end; what still runs is ended."""
    told: list[JobResult] = []
    run = batch.run(jobs)
    thread = threading.Thread(target=lambda: told.extend(run))
    thread.start()
    try:
        yield told
    finally:
        batch.end_all("interrupted")
        thread.join()


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Batch]:
    with Batch(settings(tmp_path), bare()) as batch:
        yield batch


def test_every_job_has_one_result(batch: Batch) -> None:
    told = [result.job for result in batch.run(hellos(50))]
    assert sorted(told) == list(range(1, 51))


def test_a_job_whose_code_finds_no_descriptor_is_refused_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duplicate, fails = ArtifactFile.duplicate, iter([True])

    def duplicated(file: ArtifactFile) -> int:
        if next(fails, False):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return duplicate(file)

    monkeypatch.setattr(ArtifactFile, "duplicate", duplicated)
    with Batch(settings(tmp_path, jobs=1), bare()) as batch:
        first, second = results(batch, hellos(2)).values()
    assert (first.outcome.reason, str(first.outcome.error)) == (
        "failed", "hello.wat could not be loaded: too many open files",
    )  # fmt: skip
    assert second.outcome.exit_status == 0


def test_no_jobs_are_no_results(batch: Batch) -> None:
    assert list(batch.run([])) == []


def test_of_short_jobs_no_more_run_beside_each_other_than_there_are_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atectl.batch.intake._FRESH_S", 1.0)  # short is what takes less
    with Batch(settings(tmp_path, jobs=4 * CORES), bare()) as batch:
        batch.prepare({CAPSULES / "hello.wat": WANTED})
        beside = [len(batch._coordinator.runs) for _ in batch.run(hellos(200))]
    assert len(beside) == 200
    assert sum(each <= CORES for each in beside) > 150


def test_no_job_begins_while_results_that_hold_much_are_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atectl.batch.results.MOST_UNREAD_BYTES", 1)
    with Batch(settings(tmp_path, capture_bytes=100), bare()) as batch:
        told = batch.run(hellos(50))
        next(told)
        wait_until(lambda: batch._results.is_full and not batch._coordinator.runs)
        assert not batch._coordinator._intake.is_over
        assert len(list(told)) == 49


@contextmanager
def serving(batch: Batch, inbox: Inbox) -> Iterator[list[JobResult]]:
    """The results of jobs that are submitted meanwhile."""
    told: list[JobResult] = []
    served = batch.serve(inbox)
    thread = threading.Thread(target=lambda: told.extend(served))
    thread.start()
    try:
        yield told
    finally:
        inbox.close()
        thread.join()


def test_jobs_that_are_submitted_meanwhile_run_until_no_more_are_to_come(batch: Batch) -> None:
    inbox = Inbox()
    with serving(batch, inbox) as told:
        for number in (1, 2):
            assert inbox.submit(job(number, CAPSULES / "hello.wat"))
            wait_until(lambda: len(told) == number)  # noqa: B023 - it is waited for here
    assert [each.job for each in told] == [1, 2]


def test_one_job_is_ended_and_the_others_go_on(batch: Batch) -> None:
    inbox = Inbox()
    with serving(batch, inbox) as told:
        for number in (1, 2):
            inbox.submit(job(number, CAPSULES / "spin.wat"))
        wait_until(lambda: len(batch.overview().rows) == 2)
        batch.end_one(2, "terminated")
        wait_until(lambda: told)
        assert [row.job for row in batch.overview().rows] == [1]
        batch.end_one(1, "interrupted")
    assert [(each.job, each.outcome.reason) for each in told] == [
        (2, "terminated"),
        (1, "interrupted"),
    ]


def test_a_job_that_still_waits_for_its_capsule_can_be_ended(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    load = CapsuleShelf.get

    def slowly(*arguments: Any, **named: Any) -> Any:
        assert may_load.wait(LONG_S)
        return load(*arguments, **named)

    monkeypatch.setattr(CapsuleShelf, "get", slowly)
    inbox = Inbox()
    with serving(batch, inbox) as told:
        inbox.submit(job(1, CAPSULES / "spin.wat"))
        wait_until(lambda: batch._coordinator.runs)
        batch.end_one(1, "terminated")
        wait_until(lambda: batch._coordinator.runs[0].ending)
        may_load.set()
    assert [each.outcome.reason for each in told] == ["terminated"]


def test_ending_a_job_that_is_not_there_does_nothing(batch: Batch) -> None:
    inbox = Inbox()
    with serving(batch, inbox) as told:
        batch.end_one(7, "terminated")
        inbox.submit(job(1, CAPSULES / "hello.wat"))
    assert [each.outcome.reason for each in told] == ["exited"]


def test_long_jobs_are_run_beside_each_other(batch: Batch) -> None:
    with running(batch, [job(number, CAPSULES / "spin.wat") for number in (1, 2)]) as told:
        wait_until(lambda: len(batch.overview().rows) == 2)
    assert len(told) == 2


def test_as_many_jobs_run_at_once_as_there_are_slots(tmp_path: Path) -> None:
    spins = [job(number, CAPSULES / "spin.wat") for number in range(1, 41)]
    with Batch(settings(tmp_path, jobs=30), bare()) as batch:
        batch.prepare({CAPSULES / "spin.wat": WANTED})
        with running(batch, spins):
            wait_until(lambda: len(batch.overview().rows) == 30)
            assert len(batch._coordinator.runs) == 30


def test_results_come_in_the_order_of_completion(batch: Batch) -> None:
    told = []
    for result in batch.run([job(1, CAPSULES / "spin.wat"), job(2, CAPSULES / "hello.wat")]):
        told.append(result.job)
        batch.end_all("interrupted")
    assert told == [2, 1]


def test_jobs_are_taken_in_only_as_slots_get_free(batch: Batch) -> None:
    taken, told = [], []
    ahead: list[int] = []

    def jobs() -> Iterator[JobTerms]:
        for each in hellos(200):
            taken.append(each.job)
            ahead.append(len(taken) - len(told))
            yield each

    for result in batch.run(jobs()):
        told.append(result)
        if len(told) <= 5:  # a slow reader, for a while
            wait_until(lambda: len(taken) - len(told) >= 60)
    assert len(told) == 200
    assert max(ahead) < 80


def test_what_is_wrong_with_the_jobs_is_raised_once_all_before_has_been_told(
    batch: Batch,
) -> None:
    def jobs() -> Iterator[JobTerms]:
        yield from hellos(20)
        raise OSError("the pipe broke")

    told: list[int] = []
    with pytest.raises(OSError, match="the pipe broke"):
        told.extend(result.job for result in batch.run(jobs()))
    assert sorted(told) == list(range(1, 21))


def test_a_fault_of_the_host_in_one_lease_is_that_jobs_alone(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = Place.leave

    def leave_badly(place: Place, kept_bytes: int = 0) -> None:
        leave(place, kept_bytes)
        if place.seat.number == 3:
            raise OSError("a disk is gone")

    monkeypatch.setattr(Place, "leave", leave_badly)
    told = results(batch, hellos(6))
    assert sorted(told) == [1, 2, 3, 4, 5, 6]
    assert "a disk is gone" in str(told[3].outcome.error)
    assert [told[n].outcome.exit_status for n in (1, 2, 4, 5, 6)] == [0] * 5


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A capsule that takes many seconds to compile."""
    path = tmp_path / "slow.wat"
    path.write_text(slow_loops(6000, 50))
    return path


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once something is compiled."""
    begun = threading.Event()
    begin = Compiler.begin

    def tell_and_begin(compiler: Compiler, *told: Any, **settings: Any) -> Compilation:
        begun.set()
        return begin(compiler, *told, **settings)

    monkeypatch.setattr(Compiler, "begin", tell_and_begin)
    return begun


def test_ending_a_batch_cuts_short_what_is_being_compiled(
    batch: Batch, slow: Path, compiling: threading.Event
) -> None:
    with running(batch, [job(1, slow)]) as told:
        compiling.wait()
        batch.end_all("interrupted")
    assert [result.outcome.reason for result in told] == ["interrupted"]


def test_a_batch_that_is_to_take_in_no_more_ends_what_does_not_run_yet(
    batch: Batch, slow: Path, compiling: threading.Event
) -> None:
    with running(batch, [job(1, slow)]) as told:
        compiling.wait()
        batch.stop()
        wait_until(lambda: told)
    assert [result.outcome[:2] for result in told] == [("terminated", 143)]


def test_a_jobs_deadline_counts_while_its_capsule_is_compiled(batch: Batch, slow: Path) -> None:
    jobs = [job(1, slow, quota=Quota(MIB, deadline_s=0.5))]
    began = time.monotonic()
    told = results(batch, jobs)
    assert time.monotonic() - began < 10
    assert told[1].outcome[:2] == ("deadline", 124)
    assert "slow.wat was still being compiled" in str(told[1].outcome.error)


def test_a_capsule_is_compiled_once(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    begin = Compiler.begin

    def count(compiler: Compiler, name: str, *rest: Any, **settings: Any) -> Compilation:
        begun.append(name)
        return begin(compiler, name, *rest, **settings)

    monkeypatch.setattr(Compiler, "begin", count)
    assert len(results(batch, hellos(20))) == 20
    assert begun == ["hello.wat"]


def test_a_capsule_that_cannot_be_loaded_fails_its_own_job(batch: Batch, tmp_path: Path) -> None:
    missing = tmp_path / "missing.wasm"
    batch.prepare(dict.fromkeys([missing, CAPSULES / "hello.wat"], WANTED))
    told = results(batch, [job(1, missing), job(2, CAPSULES / "hello.wat")])
    assert isinstance(told[1].outcome.error, CapsuleNotFound)
    assert (told[1].outcome.reason, told[1].outcome.exit_status) == ("refused", 127)
    assert told[2].outcome.exit_status == 0


def test_a_jobs_streams_are_files(batch: Batch, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    results(batch, [job(1, CAPSULES / "hello.wat", stdout=out)])
    assert out.read_text()


def test_a_stream_that_cannot_be_opened_fails_its_job(batch: Batch, tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "out.txt"
    told = results(batch, [job(1, CAPSULES / "hello.wat", stdout=nowhere)])
    assert isinstance(told[1].outcome.error, StreamUnusable)


def test_what_a_job_writes_without_a_file_is_discarded(
    batch: Batch, capfd: pytest.CaptureFixture[str]
) -> None:
    results(batch, hellos(3))
    assert capfd.readouterr() == ("", "")


def test_the_end_of_its_stderr_tells_why_a_job_failed(batch: Batch) -> None:
    told = results(batch, [job(1, CAPSULES / "complains.wat"), job(2, CAPSULES / "hello.wat")])
    assert told[1].outcome.exit_status == 3
    assert told[1].output == Output(None, Captured(b"reading input\nerror: no such input\n", 35))
    assert told[2].output == NO_OUTPUT


def test_both_outputs_are_captured_if_that_is_asked_for(tmp_path: Path) -> None:
    hello = b"hello from a capsule\n"
    with Batch(settings(tmp_path, capture_bytes=1000), bare()) as batch:
        told = results(batch, hellos(20))
    assert {each.output for each in told.values()} == {Output(Captured(hello, len(hello)), None)}


def test_jobs_beside_each_other_in_one_cell_are_captured_apart(tmp_path: Path) -> None:
    capsules = [CAPSULES / "complains.wat", CAPSULES / "hello.wat"]
    several = settings(tmp_path, capture_bytes=1000, isolation="none", cells=1, jobs=4)
    with Batch(several, bare()) as batch:
        told = results(batch, [job(n, capsules[n % 2]) for n in range(40)])
    for number, result in told.items():
        begins = b"hello" if number % 2 else b"half"
        assert result.output.stdout is not None
        assert result.output.stdout.data.startswith(begins)
        assert (result.output.stderr is None) == bool(number % 2)


def test_what_goes_to_a_file_is_not_captured(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with Batch(settings(tmp_path, capture_bytes=1000), bare()) as batch:
        told = results(batch, [job(1, CAPSULES / "complains.wat", stdout=out)])
    assert out.read_text() == "half a result\n"
    assert told[1].output.stdout is None
    assert told[1].output.stderr is not None


@pytest.mark.parametrize("capture_bytes", [None, 100])
def test_a_guest_that_writes_more_than_a_pipe_holds_is_not_held_up(
    tmp_path: Path, capture_bytes: int | None
) -> None:
    capsule = tmp_path / "talks.wat"
    capsule.write_text(_TALKS)
    with Batch(settings(tmp_path, capture_bytes=capture_bytes), bare()) as batch:
        told = results(batch, [job(1, capsule), job(2, capsule)])
    for result in told.values():
        assert (result.outcome.reason, result.outcome.exit_status) == ("exited", 1)
        assert result.output.stderr == Captured(b"." * (capture_bytes or 4096), 8 * MIB)


_TALKS = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $left i32)
    (memory.fill (i32.const 1024) (i32.const 46) (i32.const 32768))
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 32768))
    (local.set $left (i32.const 256))
    (loop $next
      (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left)))
    (call $exit (i32.const 1))))"""


def test_a_deadline_ends_its_job_alone(batch: Batch) -> None:
    spin = job(1, CAPSULES / "spin.wat", quota=Quota(MIB, deadline_s=0.2))
    told = results(batch, [spin, *(job(n, CAPSULES / "hello.wat") for n in range(2, 10))])
    assert told.pop(1).outcome.reason == "deadline"
    assert {result.outcome.exit_status for result in told.values()} == {0}


def test_a_job_that_fails_is_run_again_as_often_as_is_asked_for(tmp_path: Path) -> None:
    capsules = ["trap.wat", "complains.wat", "hello.wat"]
    jobs = [job(number, CAPSULES / each) for number, each in enumerate(capsules)]
    jobs.append(job(3, tmp_path / "missing.wat"))
    with Batch(settings(tmp_path, retries=2), bare()) as batch:
        told = results(batch, jobs)
    assert {number: result.attempts for number, result in told.items()} == {0: 3, 1: 3, 2: 1, 3: 1}
    assert told[0].outcome.reason == "trapped"


def test_a_job_that_failed_once_and_then_succeeds_is_done(tmp_path: Path) -> None:
    capsule = tmp_path / "second-time.wat"
    capsule.write_text(_SECOND_TIME)
    (tmp_path / "kept").mkdir()
    folders = (Folder(str(tmp_path / "kept"), "/kept", read_only=False),)
    again = job(1, capsule)
    again = again._replace(
        terms=again.terms._replace(wasi=again.terms.wasi._replace(folders=folders))
    )
    with Batch(settings(tmp_path, retries=3), bare()) as batch:
        told = results(batch, [again])
    assert (told[1].outcome[:2], told[1].attempts) == (("exited", 0), 2)


def test_a_job_may_say_itself_how_often_it_is_run_again(tmp_path: Path) -> None:
    jobs = [job(number, CAPSULES / "trap.wat", retries=number) for number in (0, 1)]
    with Batch(settings(tmp_path, retries=3), bare()) as batch:
        told = results(batch, jobs)
    assert {number: result.attempts for number, result in told.items()} == {0: 1, 1: 2}


# Makes a folder, and fails if it was not there yet.
_SECOND_TIME = """(module
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $make (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "made")
  (func (export "_start")
    (call $exit (i32.eqz (call $make (i32.const 3) (i32.const 0) (i32.const 4))))))"""


def test_a_guest_asleep_in_a_host_call_does_not_keep_its_slot(tmp_path: Path) -> None:
    with Batch(settings(tmp_path, jobs=1), bare()) as batch:
        asleep = job(1, CAPSULES / "sleep.wat", quota=Quota(MIB, deadline_s=0.1))
        told = results(batch, [asleep, job(2, CAPSULES / "hello.wat")])
    assert told[1].outcome.reason == "deadline"
    assert told[2].outcome.exit_status == 0


def test_stopping_lets_what_runs_finish_and_begins_nothing_more(batch: Batch) -> None:
    told = []
    for result in batch.run(hellos(100)):
        told.append(result)
        batch.stop()
    assert 1 <= len(told) < 80
    assert {result.outcome.exit_status for result in told} == {0}


def test_after_a_failure_a_batch_that_fails_fast_begins_no_other_job(tmp_path: Path) -> None:
    jobs = [job(1, CAPSULES / "trap.wat"), *(job(n, CAPSULES / "hello.wat") for n in (2, 3))]
    with Batch(settings(tmp_path, jobs=1, fails_fast=True), bare()) as batch:
        assert list(results(batch, jobs)) == [1]


def test_ending_all_ends_what_runs(batch: Batch) -> None:
    with running(batch, [job(number, CAPSULES / "spin.wat") for number in range(1, 9)]) as told:
        wait_until(lambda: len(batch.overview().rows) == 2)
        batch.end_all("interrupted")
    assert {result.job for result in told} == {1, 2}
    assert {result.outcome.exit_status for result in told} == {130}


def test_a_batch_that_waits_for_its_next_job_can_be_stopped(batch: Batch) -> None:
    never = threading.Event()

    def jobs() -> Iterator[JobTerms]:
        yield job(1, CAPSULES / "hello.wat")
        never.wait()

    run = batch.run(jobs())
    assert next(run).job == 1
    batch.stop()
    assert list(run) == []
    never.set()


def test_what_taking_jobs_in_raises_is_raised_to_the_caller(batch: Batch) -> None:
    def jobs() -> Iterator[JobTerms]:
        yield from hellos(1)
        raise OSError("stdin is gone")

    with pytest.raises(OSError, match="stdin is gone"):
        list(batch.run(jobs()))


def test_a_limit_below_the_baseline_is_refused_before_anything_runs(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with (
        Batch(settings(tmp_path, budget=Budget(MIB)), bare()) as batch,
        pytest.raises(UnsatisfiableBudget),
    ):
        list(batch.run([job(1, CAPSULES / "hello.wat", stdout=out)]))
    assert not out.exists()


def test_a_job_whose_deadline_passes_while_it_is_held_is_told_how_long_it_was(
    tmp_path: Path,
) -> None:
    (tmp_path / "fills.wat").write_text(
        '(module (memory 1500) (func (export "_start") (loop (br 0))))'
    )
    limit = (resident_bytes() or 0) + 140 * MIB  # of which cells and who forks them take some
    budget = Budget(limit, soft=round(1 - 60 * MIB / limit, 2), resume=0.5)
    fills = job(1, tmp_path / "fills.wat", quota=Quota(110 * MIB, LONG_S))
    with Batch(settings(tmp_path, budget=budget, rules=rules("park")), bare()) as batch:
        batch.prepare(dict.fromkeys([fills.capsule, CAPSULES / "hello.wat"], WANTED))

        def jobs() -> Iterator[JobTerms]:
            yield fills
            wait_until(lambda: any(row.current_bytes for row in batch.overview().rows))
            yield job(2, CAPSULES / "hello.wat", quota=Quota(MIB, 0.4))

        told = next(batch.run(jobs()))
    assert (told.job, told.outcome.reason) == (2, "deadline")
    assert told.outcome.error is not None
    assert "of which the host held it for " in str(told.outcome.error)
    assert "raise the host's limit" in told.outcome.error.remedy


def test_compiled_code_that_no_cache_keeps_is_part_of_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_memory, "resident_bytes", lambda: 100 * MIB)
    monkeypatch.setattr(Compiler, "private_bytes", lambda _: 0)
    with Batch(settings(tmp_path), bare()) as batch:
        batch.prepare({CAPSULES / "hello.wat": WANTED})
        results(batch, hellos(1))
        kept_bytes = batch._capsules.get(CAPSULES / "hello.wat", "tenant").memory_bytes
        assert kept_bytes > 0
        assert batch.baseline_bytes == 100 * MIB + kept_bytes


def test_what_the_host_holds_for_a_guest_is_pressure_and_others_are_held_for_it(
    tmp_path: Path,
) -> None:
    granted = Folder(str(fill_folder(tmp_path / "many", 5_000)), "/", read_only=True)
    holds = job(2, holds_listings(tmp_path, 100), quota=Quota(MIB, LONG_S))
    wasi = holds.terms.wasi._replace(folders=(granted,))
    holds = holds._replace(terms=holds.terms._replace(wasi=wasi))
    hello = CAPSULES / "hello.wat"
    limit = (resident_bytes() or 0) + 2000 * MIB
    budget = Budget(limit, soft=round(1 - 1950 * MIB / limit, 3), resume=0.01)
    with Batch(settings(tmp_path, budget=budget, rules=rules("park")), bare()) as batch:
        batch.prepare(dict.fromkeys([holds.capsule, hello], WANTED))
        told: list[JobResult] = []

        def jobs() -> Iterator[JobTerms]:
            yield job(1, hello)
            wait_until(lambda: told)
            yield holds
            wait_until(lambda: budget.is_over_soft(batch.overview().pressure))
            assert batch.overview().pressure.charged_bytes < 5 * MIB
            yield job(3, hello, quota=Quota(MIB, 0.4))

        for result in batch.run(jobs()):
            told.append(result)
            if result.job == 3:
                batch.end_all("interrupted")
    ended = {each.job: each.outcome for each in told}
    assert (ended[1].exit_status, ended[2].reason) == (0, "interrupted")
    assert "of which the host held it for " in str(ended[3].error)


def test_demand_beyond_the_limit_is_met_by_parking_and_spilling(tmp_path: Path) -> None:
    # What this process already holds is its baseline; soft leaves 160 MiB above it.
    limit = (resident_bytes() or 0) + 200 * MIB
    budget = Budget(limit, soft=round(1 - 40 * MIB / limit, 2), resume=0.5)
    with Batch(settings(tmp_path, jobs=12, budget=budget), bare()) as batch:
        batch.prepare({CAPSULES / "bounded.wat": WANTED})
        told = results(batch, [bounded(number, tmp_path) for number in range(1, 13)])
        assert batch.overview().on_disk_bytes == 0
        assert batch.spill_failure is None
    assert [told[number].outcome.exit_status for number in sorted(told)] == [0] * 12
    written = {path.read_text() for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 12, "and no spilled memory"
    assert len(written) == 1
    rulings = [ruling for result in told.values() for ruling in result.rulings]
    spills = [ruling for ruling in rulings if ruling.action is Action.SPILL]
    assert spills
    assert all(0 < (each.freed_bytes or 0) <= each.bytes for each in spills)
    assert max(ruling.pressure_bytes for ruling in rulings) <= limit


FILLS = grows_and_naps(60, MIB, 0.005)
"""Grows by 1 MiB sixty times."""


def fills_at_once(folder: Path, requeue: int) -> dict[int, JobResult]:
    """What becomes of four such jobs under a limit that has room for one, without spilling."""
    capsule = folder / "fills.wat"
    capsule.write_text(FILLS)
    limit = (resident_bytes() or 0) + 130 * MIB  # of which cells and who forks them take some
    chosen = settings(folder, jobs=4, budget=Budget(limit), rules=rules("park"), requeue=requeue)
    with Batch(chosen, bare()) as batch:
        batch.prepare({capsule: WANTED})
        jobs = [job(n, capsule, quota=Quota(128 * MIB, LONG_S)) for n in range(1, 5)]
        return results(batch, jobs)


def test_a_job_that_is_ended_for_want_of_memory_is_run_again_until_it_fits(tmp_path: Path) -> None:
    told = fills_at_once(tmp_path, requeue=2)
    assert {result.outcome.reason for result in told.values()} == {"exited"}
    assert {result.attempts for result in told.values()} <= {1, 2, 3}


def test_where_none_is_run_again_each_is_run_once(tmp_path: Path) -> None:
    told = fills_at_once(tmp_path, requeue=0)
    assert {result.attempts for result in told.values()} == {1}


GROWS_AND_SPINS = """(module (memory 1)
  (func (export "_start") (drop (memory.grow (i32.const 19))) (loop (br 0))))"""
TAKES_ALL = """(module (memory 1)
  (func (export "_start")
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
    (loop (br 0))))"""


def test_credit_that_is_not_used_is_called_back_under_pressure(tmp_path: Path) -> None:
    """What was lent to a lease beside its growth counts as its own until then."""
    spins, takes = tmp_path / "spins.wat", tmp_path / "takes.wat"
    spins.write_text(GROWS_AND_SPINS)
    takes.write_text(TAKES_ALL)
    limit = (resident_bytes() or 0) + 200 * MIB
    inbox = Inbox()
    with Batch(settings(tmp_path, budget=Budget(limit)), bare()) as batch, serving(batch, inbox):

        def held_bytes() -> int:
            leases = {run.job.job: run.lease for run in batch._coordinator.runs}
            return lease.held_bytes if (lease := leases.get(1)) else 0

        inbox.submit(job(1, spins))
        wait_until(lambda: held_bytes() > 20 * 65_536)
        inbox.submit(job(2, takes, quota=Quota(400 * MIB, LONG_S)))
        wait_until(lambda: not batch._arbiter.is_calm)
        wait_until(lambda: held_bytes() == 20 * 65_536)
        batch.end_all("interrupted")


class WatchedInbox(Inbox):
    """Notes of each job that it gives whether `look` was true then."""

    def __init__(self) -> None:
        super().__init__()
        self.look: Callable[[], bool] = bool
        self.seen: list[bool] = []

    def take(self) -> JobTerms | None:
        job = super().take()
        if job is not None:
            self.seen.append(self.look())
        return job


def test_no_job_begins_while_one_that_began_before_waits_for_memory(tmp_path: Path) -> None:
    capsule = tmp_path / "fills.wat"
    capsule.write_text(grows_and_naps(20, MIB, 0.005))
    inbox = WatchedInbox()
    events: list[Event] = []
    budget = Budget((resident_bytes() or 0) + 250 * MIB)
    chosen = settings(tmp_path, jobs=40, budget=budget, observer=Recorder(events.append))
    with Batch(chosen, bare()) as batch:
        batch.prepare({capsule: WANTED})
        inbox.look = lambda: batch._arbiter.holds_anybody_back
        with serving(batch, inbox) as told:
            for number in range(1, 41):
                inbox.submit(job(number, capsule))
    assert [result.outcome.reason for result in told] == ["exited"] * 40
    assert any(isinstance(event, Ruled) and event.action is Action.PARK for event in events)
    assert inbox.seen == [False] * 40


def test_what_would_not_fit_even_alone_is_not_run_again(tmp_path: Path) -> None:
    huge = tmp_path / "huge.wat"
    huge.write_text('(module (memory 16000) (func (export "_start")))')
    limit = (resident_bytes() or 0) + 200 * MIB
    chosen = settings(tmp_path, budget=Budget(limit), rules=rules("park"), requeue=2)
    with Batch(chosen, bare()) as batch:
        told = results(batch, [job(1, huge, quota=Quota(2048 * MIB, LONG_S))])
    assert (told[1].outcome.reason, told[1].attempts) == ("arbiter", 1)


def test_a_lease_that_has_just_come_back_from_disk_is_shown_as_resuming(tmp_path: Path) -> None:
    limit = (resident_bytes() or 0) + 100 * MIB
    budget = Budget(limit, soft=round(1 - 40 * MIB / limit, 2), resume=0.5)
    states: set[str] = set()
    with Batch(settings(tmp_path, jobs=12, budget=budget), bare()) as batch:
        batch.prepare({CAPSULES / "bounded.wat": WANTED})

        def has_seen_both() -> bool:
            states.update(row.state for row in batch.overview().rows)
            return {"spilled", "resuming"} <= states

        with running(batch, [bounded(number, tmp_path) for number in range(1, 13)]):
            wait_until(has_seen_both)


def bounded(number: int, folder: Path) -> JobTerms:
    """A job that grows by 8 MiB five times, verifies all it holds, and prints a checksum."""
    usual = job(number, CAPSULES / "bounded.wat", stdout=folder / f"{number}.txt")
    wasi = usual.terms.wasi._replace(arguments=("bounded.wat", "seed", "5"))
    return usual._replace(terms=usual.terms._replace(wasi=wasi))


def test_the_overview_shows_the_leases_that_run(batch: Batch) -> None:
    with running(batch, [job(7, CAPSULES / "spin.wat", label="turns")]):
        wait_until(lambda: batch.overview().rows)
        (row,) = batch.overview().rows
    assert (row.job, row.label, row.principal, row.state) == (7, "turns", "tenant", "running")
    assert batch.overview().rows == ()


def test_what_was_decided_can_be_decided_again_from_the_trace(tmp_path: Path) -> None:
    events: list[Event] = []
    limit = (resident_bytes() or 0) + 160 * MIB
    budget = Budget(limit, soft=round(1 - 40 * MIB / limit, 2), resume=0.5)
    chosen = settings(tmp_path, jobs=8, budget=budget, observer=Recorder(events.append))
    with Batch(chosen, bare()) as batch:
        results(batch, [bounded(number, tmp_path) for number in range(1, 9)])
    decided = [event for event in events if isinstance(event, Decided)]
    assert len(decided) > 8
    for event in decided:
        assert tuple(decide(event.host(budget), chosen.rules)) == event.decisions
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)


def test_a_lease_that_waits_to_grow_is_shown_as_waiting(tmp_path: Path) -> None:
    spins = tmp_path / "spins.wat"
    spins.write_text('(module (memory 640) (func (export "_start") (loop $on (br $on))))')
    limit = (resident_bytes() or 0) + 100 * MIB
    budget = Budget(limit, soft=round(1 - 40 * MIB / limit, 3), resume=0.5)
    with Batch(settings(tmp_path, budget=budget), bare()) as batch:

        def states() -> dict[int, str]:
            return {row.job: row.state for row in batch.overview().rows}

        def jobs() -> Iterator[JobTerms]:
            yield job(1, spins)
            wait_until(lambda: any(row.current_bytes for row in batch.overview().rows))
            yield bounded(2, tmp_path)

        batch.prepare(dict.fromkeys([spins, CAPSULES / "bounded.wat"], WANTED))
        with running(batch, jobs()) as told:
            wait_until(lambda: states() == {1: "running", 2: "waiting"})
    assert sorted(result.outcome.reason for result in told) == ["interrupted"] * 2


def test_the_ledger_knows_every_job(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.db")
    with Batch(settings(tmp_path), bare(place)) as batch:
        assert len(results(batch, hellos(30))) == 30
    store = open_for_reading(place)
    account = store.account("tenant")
    store.close()
    assert account is not None
    assert (account.leases, account.running_leases) == (30, 0)


def mixed() -> list[JobTerms]:
    """Jobs of three principals: some return, some trap, some are refused growth."""
    names = ("hello", "trap", "never-stops-growing")
    jobs = [job(n, CAPSULES / f"{names[n % 3]}.wat") for n in range(1, 31)]
    principals = [Principal(f"p{each.job % 4 % 3}") for each in jobs]
    return [
        each._replace(terms=each.terms._replace(principal=principal))
        for each, principal in zip(jobs, principals, strict=True)
    ]


def exact(accounts: Iterable[Account]) -> dict[str, tuple[int, ...]]:
    """What does not depend on how long anything took."""
    return {
        principal: (peak, usage.high_water_bytes, usage.leases, usage.refused_growths, usage.traps)
        for principal, peak, usage, _ in accounts
    }


def test_with_a_stored_ledger_and_without_one_the_accounts_are_the_same(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.db")
    found = []
    for ledger in ("none", place):
        with Batch(settings(tmp_path), bare(ledger)) as batch:
            results(batch, iter(mixed()))
        found.append(exact(batch.overview().accounts))
    assert found[0] == found[1]
    assert sum(leases for _, _, leases, _, _ in found[0].values()) == 30


def test_after_its_end_the_stored_accounts_are_those_of_the_batch(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.db")
    with Batch(settings(tmp_path), bare(place)) as batch:
        results(batch, iter(mixed()))
    accounts = batch.overview().accounts
    with closing(open_for_reading(place)) as store:
        stored = {each.principal: each for each in store.accounts()}
    assert set(stored) == {"p0", "p1", "p2"}
    for account in accounts:
        kept = stored[account.principal]
        assert kept.peak_bytes == account.peak_bytes
        # Added up in another order, seconds may differ in their last digits.
        used = {name: getattr(kept, name) for name in account.usage._fields}
        assert used == pytest.approx(account.usage._asdict())


def test_the_overview_counts_running_leases_in_their_accounts(batch: Batch) -> None:
    with running(batch, [job(1, CAPSULES / "spin.wat")]):
        wait_until(lambda: any(each.usage.cpu_s > 0.05 for each in batch.overview().accounts))
        [account] = batch.overview().accounts
    assert (account.principal, account.usage.leases) == ("tenant", 1)


def test_closing_is_idempotent_and_ends_what_runs(tmp_path: Path) -> None:
    batch = Batch(settings(tmp_path), bare())
    run = batch.run([job(1, CAPSULES / "spin.wat"), job(2, CAPSULES / "hello.wat")])
    assert next(run).job == 2
    assert batch.close() is None
    assert batch.close() is None
