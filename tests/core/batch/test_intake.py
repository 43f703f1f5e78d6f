"""Which job starts next and when, and when there is none to wait for any more."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.batch.intake import _MOST_UNREAD, Intake
from atectl.batch.job import JobTerms
from atectl.batch.job_reader import MOST_AHEAD, JobReader
from atectl.engine.wasi import WasiSettings
from atectl.lease.terms import Terms
from tests.support.waiting import wait_until

TERMS = Terms(Principal(), Quota(1 << 20), WasiSettings(()))
CORES = len(os.sched_getaffinity(0))
SLOTS = CORES + 2


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def intake(told: list[str]) -> Iterator[Intake]:
    intake = Intake(SLOTS, when_more=lambda: told.append("more"))
    yield intake
    intake.close()


def jobs(count: int) -> Iterator[JobTerms]:
    return (JobTerms(number, Path("c.wat"), TERMS) for number in range(1, count + 1))


def is_all_read(intake: Intake) -> bool:
    assert isinstance(intake._source, JobReader)
    return intake._source._are_all_read


def start(intake: Intake) -> int | None:
    """Start the next job, waiting for it to be read; None if none starts."""
    wait_until(lambda: intake.waits or is_all_read(intake) or intake._is_stopping)
    job = intake.next()
    return None if job is None else job.job


def start_and_end(intake: Intake) -> int | None:
    number = start(intake)
    if number is not None:
        intake.end(number)
        intake.count_read()
    return number


def test_jobs_come_in_their_order_and_then_none(intake: Intake) -> None:
    intake.open(JobReader(jobs(30)))
    assert [start_and_end(intake) for _ in range(31)] == [*range(1, 31), None]


def test_whoever_waits_is_told_of_the_first_job_and_of_the_end(
    intake: Intake, told: list[str]
) -> None:
    intake.open(JobReader(jobs(1)))
    wait_until(lambda: is_all_read(intake))
    wait_until(lambda: told == ["more", "more"])


def test_only_a_few_jobs_are_read_before_they_can_start(intake: Intake) -> None:
    taken: list[int] = []
    has_taken = threading.Event()

    def counted() -> Iterator[JobTerms]:
        for job in jobs(1000):
            taken.append(job.job)
            has_taken.set()
            yield job

    intake.open(JobReader(counted()))
    wait_until(lambda: len(taken) == MOST_AHEAD)
    for _ in range(MOST_AHEAD):
        start_and_end(intake)
        assert len(taken) <= 2 * MOST_AHEAD


def test_it_is_over_when_every_job_has_ended(intake: Intake) -> None:
    intake.open(JobReader(jobs(1)))
    assert not intake.is_over
    assert start(intake) == 1
    wait_until(lambda: is_all_read(intake))
    assert not intake.is_over
    intake.end(1)
    assert intake.is_over


def test_it_is_idle_when_no_job_runs(intake: Intake) -> None:
    intake.open(JobReader(jobs(1)))
    assert intake.is_idle
    assert start(intake) == 1
    assert not intake.is_idle
    intake.end(1)
    assert intake.is_idle


def test_after_a_stop_nothing_more_starts_and_it_is_over_with_what_was_begun(
    intake: Intake,
) -> None:
    intake.open(JobReader(jobs(9)))
    assert start(intake) == 1
    intake.stop()
    assert intake.next() is None
    assert not intake.waits
    assert not intake.is_over
    intake.end(1)
    assert intake.is_over


def test_what_iterating_raises_is_kept_and_ends_the_jobs(intake: Intake) -> None:
    def failing() -> Iterator[JobTerms]:
        yield from jobs(1)
        raise OSError("the pipe broke")

    intake.open(JobReader(failing()))
    assert start_and_end(intake) == 1
    wait_until(lambda: intake.is_over)
    assert isinstance(intake.failure, OSError)


def test_no_more_start_than_there_are_slots(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atectl.batch.intake._FRESH_S", 0.0)
    intake.open(JobReader(jobs(SLOTS + 1)))
    assert [start(intake) for _ in range(SLOTS)] == list(range(1, SLOTS + 1))
    assert intake.next() is None
    assert intake.not_before_s() == float("inf")
    intake.end(1)
    assert start(intake) == SLOTS + 1


def test_none_starts_while_as_many_have_just_started_as_there_are_cores(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atectl.batch.intake._FRESH_S", 60.0)
    intake.open(JobReader(jobs(CORES + 1)))
    for _ in range(CORES):
        assert start(intake) is not None
    wait_until(lambda: intake.waits)
    assert intake.next() is None
    assert 0 < intake.not_before_s() <= 60
    intake.end(1)
    assert start(intake) == CORES + 1


def test_none_starts_while_its_reader_is_too_far_behind(intake: Intake) -> None:
    most = SLOTS + _MOST_UNREAD
    intake.open(JobReader(jobs(most + 1)))
    for number in range(1, most + 1):
        assert start(intake) == number
        intake.end(number)
    wait_until(lambda: intake.waits)
    assert intake.next() is None
    assert intake.count_read()
    assert start(intake) == most + 1
    assert intake.count_read()
    assert not intake.count_read()
