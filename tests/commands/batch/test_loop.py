"""How far a batch is: what its results are counted as."""

from atectl.arbitration.view import Action
from atectl.commands.batch.tally import Tally
from tests.support.result_lines import decision, result_line


def test_jobs_that_were_ended_with_the_batch_did_not_fail() -> None:
    tally = Tally(6)
    for reason, status in [("exited", 0), ("exited", 3), ("interrupted", 130), ("terminated", 143)]:
        tally.count(result_line(1, reason, status))
    assert (tally.done, tally.failed, tally.interrupted, tally.left) == (1, 1, 2, 2)


def test_a_spill_that_freed_nothing_is_none() -> None:
    tally = Tally(1)
    spills = [decision(Action.SPILL, freed_bytes=freed) for freed in (8, 0, None, 4)]
    tally.count(result_line(decisions=tuple(spills)))
    assert (tally.spills, tally.spilled_bytes) == (2, 12)
