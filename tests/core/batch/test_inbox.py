"""Jobs that are submitted while others run: their order, and what is not taken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.batch.inbox import Inbox
from atectl.batch.intake import Intake
from atectl.batch.job import JobTerms
from atectl.engine.wasi import WasiSettings
from atectl.lease.terms import Terms

MIB = 1 << 20


def job(number: int, priority: int = 0, memory_bytes: int = MIB) -> JobTerms:
    terms = Terms(Principal(), Quota(memory_bytes), WasiSettings(()))
    return JobTerms(number, Path("c.wat"), terms, priority)


def taken(inbox: Inbox) -> Iterator[int]:
    while (found := inbox.take()) is not None:
        yield found.job


def test_the_highest_priority_comes_first_and_then_the_oldest() -> None:
    inbox = Inbox()
    for number, priority in ((1, 0), (2, 5), (3, 0), (4, 5)):
        assert inbox.submit(job(number, priority))
    assert list(taken(inbox)) == [2, 4, 1, 3]


def test_what_there_can_never_be_room_for_is_not_taken() -> None:
    inbox = Inbox(most_bytes=MIB)
    assert not inbox.submit(job(1, memory_bytes=MIB + 1))
    assert inbox.submit(job(2, memory_bytes=MIB))
    assert list(taken(inbox)) == [2]


def test_only_what_has_not_started_is_taken_back() -> None:
    inbox = Inbox()
    for number in (1, 2, 3):
        inbox.submit(job(number))
    assert next(taken(inbox)) == 1
    assert inbox.take_back([1, 3, 99]) == [3]
    assert len(inbox) == 1
    assert list(taken(inbox)) == [2]


def test_once_closed_it_takes_no_more_and_is_over_with_the_last() -> None:
    inbox = Inbox()
    inbox.submit(job(1))
    inbox.close()
    assert not inbox.submit(job(2))
    assert not inbox.is_over
    assert list(taken(inbox)) == [1]
    assert inbox.is_over


def test_before_it_is_closed_it_is_not_over() -> None:
    assert not Inbox().is_over


@pytest.mark.parametrize("event", ["submit", "close"])
def test_whoever_waits_is_told(event: str) -> None:
    told: list[str] = []
    inbox = Inbox()
    intake = Intake(2, when_more=lambda: told.append("more"))
    intake.open(inbox)
    told.clear()
    if event == "submit":
        inbox.submit(job(1))
        assert intake.waits
    else:
        inbox.close()
        assert intake.is_over
    assert told == ["more"]
