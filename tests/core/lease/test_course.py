"""The course of a lease: its clock, why it was told to end, how it ended."""

import time

import pytest

from atectl.lease.course import Course
from atectl.lease.outcome import exited


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds on the monotonic clock, as they are set."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_first_cause_counts(clock: list[float]) -> None:
    course = Course()
    assert course.tell_to_end("deadline", None).reason == "deadline"
    clock[0] += 1
    assert course.tell_to_end("interrupted", None) == ("deadline", None, 100.0)


def test_a_deadline_counts_from_when_it_is_said_to_begin(clock: list[float]) -> None:
    course = Course(began_s=90.0)
    assert not course.has_passed(10.5)
    assert course.has_passed(10.0)
    assert not course.has_passed(None)


def test_what_it_waited_for_its_lock_does_not_count(clock: list[float]) -> None:
    course = Course(began_s=90.0)
    course.wait(8.0)
    assert course.wall_s == 2.0


def test_who_was_told_to_end_is_overdue_after_a_grace(clock: list[float]) -> None:
    course = Course()
    clock[0] += 10
    assert not course.is_overdue
    course.tell_to_end("deadline", None)
    assert not course.is_overdue
    clock[0] += 0.25
    assert course.is_overdue


def test_its_wall_clock_time_stands_still_once_it_has_ended(clock: list[float]) -> None:
    course = Course()
    clock[0] += 3
    course.finish(exited(0))
    clock[0] += 5
    assert course.wall_s == 3.0
    assert course.outcome == exited(0)
    assert course.ended_at >= course.started_at
