"""What the live table of a batch is told of jobs that have ended."""

import re
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from atectl.accounting import Budget, Pressure
from atectl.batch.lines import ResultLine
from atectl.batch.overview import BatchOverview, LeaseRow
from atectl.commands.batch.live import TableState, reduce, table
from atectl.commands.batch.live_view import LiveBatch
from atectl.commands.batch.tally import Tally
from atectl.commands.terminal.events import Resized
from tests.support.result_lines import result_line
from tests.support.waiting import wait_until


def result(job: int, reason: str = "exited", status: int = 0) -> ResultLine:
    return result_line(job, reason, status, label=f"part-{job}", peak_bytes=1, wall_s=1.0)


def row(job: int) -> LeaseRow:
    return LeaseRow(job, "p", "a.wat", f"part-{job}", "running", 1, 1, 2, 1.0)


def drawn(*results: ResultLine, rows: tuple[LeaseRow, ...] = ()) -> list[str]:
    """The lines of the table, with no escapes in them."""
    overview = BatchOverview(1.0, rows, Budget(100), Pressure(1, 1, 0), 0, (), ())
    batch: Any = SimpleNamespace(overview=lambda: overview)
    tally = Tally(9)
    for each in results:
        tally.count(each)
    with closing(table(batch, tally)) as live:
        live.resize(120, 40)
        wait_until(live.update)
        return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in live.lines()]


@pytest.mark.parametrize(
    ("reason", "status", "shown"),
    [
        ("exited", 0, "done"),
        ("exited", 3, "exited 3"),
        ("trapped", 134, "trapped"),
        ("deadline", 124, "deadline"),
        ("arbiter", 137, "aborted"),
        ("refused", 126, "refused"),
    ],
)
def test_an_ended_job_is_shown_with_how_it_ended(reason: str, status: int, shown: str) -> None:
    (line,) = [each for each in drawn(result(1, reason, status)) if "part-1" in each]
    assert f" {shown} " in line


def test_a_job_that_ended_after_it_was_looked_at_has_one_row() -> None:
    lines = drawn(result(1), rows=(row(1), row(2)))
    assert len([line for line in lines if "part-1" in line]) == 1
    assert len([line for line in lines if "part-2" in line]) == 1


def looked(elapsed_s: float, pressure_bytes: int) -> LiveBatch:
    """What a look finds, as far as the state depends on it."""
    return LiveBatch(
        leases=(),
        pressure=Pressure(pressure_bytes, 0, 0),
        budget=Budget(100),
        on_disk_bytes=0,
        decisions=(),
        done=0,
        failed=0,
        left=1,
        elapsed_s=elapsed_s,
    )


def test_a_look_is_added_to_the_last_minute() -> None:
    state = reduce(reduce(TableState(), looked(0.5, 70)), looked(2.5, 40))
    assert state.pressure.until(2.5)[-2:] == (70, 40)
    assert state.batch == looked(2.5, 40)


def test_a_new_size_leaves_what_was_seen() -> None:
    state = reduce(reduce(TableState(), looked(0.5, 70)), Resized(80, 12))
    assert (state.height, state.batch) == (12, looked(0.5, 70))
