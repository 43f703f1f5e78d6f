"""How far a batch is: what its results are counted as."""

from typing import Any

from atectl.commands.batch.tally import Tally


def result(reason: str = "exited", exit_status: int = 0, *freed: int | None) -> dict[str, Any]:
    decisions = [{"freed_bytes": each} for each in freed]
    return {"reason": reason, "exit_status": exit_status, "decisions": decisions}


def test_jobs_that_were_ended_with_the_batch_did_not_fail() -> None:
    tally = Tally(6)
    for reason, status in [("exited", 0), ("exited", 3), ("interrupted", 130), ("terminated", 143)]:
        tally.count(result(reason, status))
    assert (tally.done, tally.failed, tally.interrupted, tally.left) == (1, 1, 2, 2)


def test_a_spill_that_freed_nothing_is_none() -> None:
    tally = Tally(1)
    tally.count(result("exited", 0, 8, 0, None, 4))
    assert (tally.spills, tally.spilled_bytes) == (2, 12)
