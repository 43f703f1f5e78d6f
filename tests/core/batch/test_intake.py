"""When a slot may begin its next job, and when there is none to wait for any more."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.batch.intake import _MOST_UNREAD, Intake
from atectl.batch.job import JobTerms
from atectl.engine.wasi import WasiSettings
from atectl.lease.terms import Terms

TERMS = Terms(Principal(), Quota(1 << 20), WasiSettings(()))


class Noticing(threading.Event):
    """A closing event that says when somebody begins to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_for = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.is_waited_for.set()
        return super().wait(timeout)


@pytest.fixture
def closing() -> Noticing:
    return Noticing()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def intake(closing: Noticing, told: list[str]) -> Intake:
    return Intake(slots=2, closing=closing, on_last=lambda: told.append("all taken"))


def jobs(count: int) -> Iterator[JobTerms]:
    return (JobTerms(number, Path("c.wat"), TERMS) for number in range(1, count + 1))


def take_and_end(intake: Intake) -> int | None:
    job = intake.take()
    if job is None:
        return None
    intake.end(job.job)
    return job.job


def test_jobs_come_in_their_order_and_then_none(intake: Intake, told: list[str]) -> None:
    intake.open(jobs(2))
    assert [take_and_end(intake) for _ in range(4)] == [1, 2, None, None]
    assert told == ["all taken"]


def test_it_is_over_when_every_result_was_read(intake: Intake) -> None:
    intake.open(jobs(1))
    assert not intake.is_over
    assert [take_and_end(intake) for _ in range(2)] == [1, None]
    assert not intake.is_over
    intake.count_read()
    assert intake.is_over


def test_it_is_idle_when_no_job_runs(intake: Intake) -> None:
    intake.open(jobs(1))
    assert intake.is_idle
    assert intake.take() is not None
    assert not intake.is_idle
    intake.end(1)
    assert intake.is_idle


def test_after_a_stop_nothing_more_is_taken_and_it_is_over_with_what_was_begun(
    intake: Intake,
) -> None:
    intake.open(jobs(9))
    assert take_and_end(intake) == 1
    intake.stop()
    assert intake.take() is None
    assert not intake.is_over
    intake.count_read()
    assert intake.is_over


def test_a_job_that_came_only_after_the_stop_is_not_begun(intake: Intake) -> None:
    def stopping() -> Iterator[JobTerms]:
        intake.stop()
        yield from jobs(1)

    intake.open(stopping())
    assert intake.take() is None
    assert intake.is_over
    assert intake.is_idle


def test_what_iterating_raises_is_kept_and_ends_the_jobs(intake: Intake, told: list[str]) -> None:
    def failing() -> Iterator[JobTerms]:
        yield from jobs(1)
        raise OSError("the pipe broke")

    intake.open(failing())
    assert [take_and_end(intake) for _ in range(2)] == [1, None]
    assert isinstance(intake.failure, OSError)
    assert told == ["all taken"]


def test_a_slot_waits_while_as_many_have_just_begun_as_there_are_cores(
    intake: Intake, closing: Noticing
) -> None:
    cores = len(os.sched_getaffinity(0))
    intake.open(jobs(cores + 1))
    for _ in range(cores):
        assert intake.take() is not None
    assert not closing.is_waited_for.is_set()
    assert intake.take() is not None
    assert closing.is_waited_for.is_set()


def test_a_slot_does_not_wait_for_one_that_has_ended(intake: Intake, closing: Noticing) -> None:
    intake.open(jobs(2))
    assert [take_and_end(intake), take_and_end(intake)] == [1, 2]
    assert not closing.is_waited_for.is_set()


def test_slots_wait_for_a_reader_who_is_too_far_behind(intake: Intake, closing: Noticing) -> None:
    most = 2 + _MOST_UNREAD
    intake.open(jobs(most + 1))
    assert [take_and_end(intake) for _ in range(most)] == list(range(1, most + 1))
    assert not closing.is_waited_for.is_set()
    taken: list[int | None] = []
    slot = threading.Thread(target=lambda: taken.append(take_and_end(intake)))
    slot.start()
    assert closing.is_waited_for.wait(30)
    assert taken == []
    intake.count_read()
    slot.join(30)
    assert taken == [most + 1]
