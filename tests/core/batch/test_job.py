"""What came of a job: what its lease says, or why it has none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from atectl.accounting import Principal, Quota, Reading
from atectl.batch.cells.outputs import Captured, Output
from atectl.batch.job import JobRun, JobTerms
from atectl.engine.wasi import WasiSettings
from atectl.lease.outcome import Outcome, exited
from atectl.lease.report import Loading
from atectl.lease.terms import Terms

JOB = JobTerms(7, Path("c.wat"), Terms(Principal(), Quota(1 << 20), WasiSettings(())))
LOADING = Loading("ab", False, 1.5, 2.5, 8, 9)
OUTPUT = Output(stderr=Captured(b"why", 3))
READING = Reading(0, 5, 4, 3, 2, 1.5)


def run_with(seat: object = None) -> JobRun:
    run = JobRun(JOB)
    lease: Any = SimpleNamespace(
        seat=seat, outcome=exited(3), read=lambda: READING, cpu_s=0.5, wall_s=2.0, fuel=9,
        use=SimpleNamespace(host_bytes=7),
        held_walls=("memory",),
        output=OUTPUT,
        capsule=SimpleNamespace(was_cached=False, sha256="ab", compile_s=1.5, compile_cpu_s=2.5,
            compile_peak_bytes=8, image_bytes=9),
    )  # fmt: skip
    run.lease = lease
    return run


def test_its_result_is_what_its_lease_came_to() -> None:
    result = run_with().result(None)
    assert result == (
        7,
        exited(3),
        READING,
        0.5,
        2.0,
        9,
        (),
        LOADING,
        1,
        7,
        OUTPUT,
        None,
        1,
        None,
        ("memory",),
    )


def test_what_was_ruled_of_it_is_part_of_its_result() -> None:
    assert run_with(SimpleNamespace(rulings=["a", "b"])).result(None).rulings == ("a", "b")


def test_an_outcome_of_the_host_goes_before_that_of_the_lease() -> None:
    ended = Outcome("failed", 125)
    assert run_with().result(ended).outcome == ended


def test_a_job_that_came_to_no_lease_has_used_nothing() -> None:
    result = JobRun(JOB).result(Outcome("refused", 126))
    assert (result.outcome.exit_status, result.reading.peak_bytes, result.wall_s) == (126, 0, 0.0)


def test_a_job_without_lease_and_outcome_is_a_fault_of_ours() -> None:
    assert JobRun(JOB).result(None).outcome.exit_status == 125
