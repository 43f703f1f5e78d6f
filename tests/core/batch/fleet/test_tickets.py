"""The order in which jobs are sent, and which wait apart."""

from pathlib import Path

from atectl.accounting import Principal, Quota
from atectl.batch.fleet.tickets import MOST_LOSSES, Pending, Ticket
from atectl.batch.fleet.wire import CapsuleName
from atectl.batch.job import JobTerms
from atectl.engine.wasi import WasiSettings
from atectl.lease.terms import Terms


def ticket(number: int, priority: int = 0, losses: int = 0) -> Ticket:
    terms = Terms(Principal(), Quota(1), WasiSettings(()))
    job = JobTerms(number, Path("a"), terms, priority)
    made = Ticket(job, CapsuleName("0" * 64, "a"), None, frozenset(), 0.0)
    made.losses = losses
    return made


def numbers(tickets: list[Ticket]) -> list[int]:
    return [each.number for each in tickets]


def test_the_highest_priority_is_sent_first_and_then_what_was_read_first() -> None:
    pending = Pending()
    for each in (ticket(3), ticket(1), ticket(2, priority=1)):
        pending.add(each)
    assert numbers(pending.take(9, lambda _: True)) == [2, 1, 3]


def test_what_a_host_does_not_accept_keeps_its_place() -> None:
    pending = Pending()
    for number in (1, 2, 3):
        pending.add(ticket(number))
    assert numbers(pending.take(1, lambda each: each.number != 1)) == [2]
    assert numbers(pending.take(9, lambda _: True)) == [1, 3]


def test_a_job_whose_next_loss_would_be_the_last_waits_apart() -> None:
    pending = Pending()
    pending.add(ticket(1, losses=MOST_LOSSES - 2))
    pending.add(ticket(2, losses=MOST_LOSSES - 1))
    assert (pending.usual, len(pending)) == (1, 2)
    assert numbers(pending.take(9, lambda _: True)) == [1]
    suspect = pending.take_suspect(lambda _: True)
    assert suspect is not None
    assert suspect.number == 2


def test_those_that_are_meant_are_taken_out_wherever_they_wait() -> None:
    pending = Pending()
    for each in (ticket(1), ticket(2), ticket(3, losses=MOST_LOSSES - 1)):
        pending.add(each)
    assert numbers(pending.remove_if(lambda each: each.number != 1)) == [2, 3]
    assert numbers(pending.take(9, lambda _: True)) == [1]
