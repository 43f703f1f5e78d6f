"""The live table of a batch, and its results as rows, as they look at three widths."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from atectl.accounting import Budget, Pressure
from atectl.commands.views.batch import BatchScreen, LiveBatch, LiveDecision, LiveLease
from atectl.commands.views.batch_results import fitted_columns
from atectl.commands.views.sparkline import sampled, sparkline

MIB, GIB = 1 << 20, 1 << 30
WIDTHS = [60, 80, 120]
HEIGHT = 22


def lease(number: int, state: str = "running", **changes: Any) -> LiveLease:
    base = LiveLease(
        number=number,
        label=f"part-{number}",
        principal="team-blue",
        capsule="bounded.wat",
        state=state,
        linear_bytes=96 * MIB,
        resident_bytes=64 * MIB,
        quota_bytes=256 * MIB,
        elapsed_s=2.5,
    )
    return replace(base, **changes)


BATCH = LiveBatch(
    leases=(
        lease(1, "done", resident_bytes=0),
        lease(2),
        lease(3, "waiting"),
        lease(4, "parked"),
        lease(5, "spilled", resident_bytes=None),
    ),
    pressure=Pressure(812 * MIB, 32 * MIB, 700 * MIB),
    budget=Budget(GIB),
    history=tuple(range(0, 812 * MIB, 8 * MIB)),
    spilled_bytes=96 * MIB,
    decisions=(LiveDecision(1.5, "spill", 5, 96 * MIB, "over soft: largest"),),
    done=1,
    failed=0,
    left=7,
    elapsed_s=4.0,
)


def drawn(view: RenderableType, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]


def screen(batch: LiveBatch, width: int = 120, height: int = HEIGHT) -> list[str]:
    return drawn(BatchScreen(batch, height), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_line_is_never_wider_than_the_screen(width: int) -> None:
    lines = screen(BATCH, width)
    assert len(lines) == 3 + 1 + len(BATCH.leases) + len(BATCH.decisions)
    assert max(map(len, lines)) <= width


def test_a_line_that_is_cut_off_says_so() -> None:
    assert screen(replace(BATCH, is_stopping=True), 60)[2].endswith("…")


@pytest.mark.parametrize("width", WIDTHS)
def test_job_state_and_memory_are_shown_at_every_width(width: int) -> None:
    head, *rows = screen(BATCH, width)[3:9]
    assert {"JOB", "STATE", "LINEAR"} <= set(head.split())
    states = [each.state for each in BATCH.leases]
    for row, number, state in zip(rows, range(1, 6), states, strict=True):
        assert row.split()[0] == str(number)
        assert state in row
        assert "96 MiB" in row


def test_everything_of_a_lease_is_shown_where_there_is_room() -> None:
    lines = screen(BATCH)
    assert lines[3].split() == [
        "JOB", "LABEL", "PRINCIPAL", "CAPSULE", "STATE", "LINEAR", "RESIDENT", "ELAPSED",
    ]  # fmt: skip
    assert lines[5].split() == [
        "2", "part-2", "team-blue", "bounded.wat", "running",
        "███·····", "96", "MiB", "64", "MiB", "2.50s",
    ]  # fmt: skip


def test_a_resident_size_that_is_not_known_is_a_dash() -> None:
    assert screen(BATCH)[8].split()[-2] == "-"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pressure_is_a_bar_with_a_mark_at_soft(width: int) -> None:
    line = screen(BATCH, width)[0]
    bar = line.removeprefix("pressure ").split()[0]
    assert bar.index("│") == Budget(GIB).soft_bytes * len(bar) // GIB
    assert "812 MiB of 1 GiB" in line


def test_the_head_says_when_a_gate_is_passed() -> None:
    assert "over soft" not in screen(BATCH)[0]
    over_soft = replace(BATCH, pressure=Pressure(None, 0, 900 * MIB))
    assert "over soft" in screen(over_soft)[0]
    over = replace(BATCH, pressure=Pressure(None, 0, 2 * GIB))
    assert "over the limit" in screen(over)[0]


def test_the_progress_has_done_failed_left_and_rate() -> None:
    line = screen(replace(BATCH, done=6, failed=2))[2]
    assert line == "jobs     6 done, 2 failed, 7 left, 2/s, 4.00s"


def test_jobs_that_are_still_coming_in_are_not_counted_as_left() -> None:
    assert "more to come" in screen(replace(BATCH, left=None))[2]


def test_a_batch_that_is_being_ended_says_so() -> None:
    assert "no more are started" in screen(replace(BATCH, is_stopping=True))[2]


def test_the_latest_decisions_are_below() -> None:
    decisions = tuple(LiveDecision(9.0 - n, "park", n, 0, "over soft") for n in range(5))
    lines = screen(replace(BATCH, decisions=decisions))
    assert [line.split()[4] for line in lines[-3:]] == ["2", "3", "4"]
    assert screen(BATCH)[-1].strip() == "1.50s ago  spill job 5 96 MiB  over soft: largest"


@pytest.mark.parametrize("state", ["done", "failed", "refused", "aborted"])
def test_where_leases_do_not_fit_ended_ones_go_first(state: str) -> None:
    newest = lease(6, state, resident_bytes=0)
    lines = screen(replace(BATCH, leases=(*BATCH.leases[1:], newest)), height=9)
    assert len(lines) == 9
    assert not [line for line in lines if "part-6" in line]
    assert [line for line in lines if "part-2" in line]


@pytest.mark.parametrize("height", range(10))
def test_it_never_has_more_lines_than_there_are(height: int) -> None:
    assert len([line for line in screen(BATCH, height=height) if line]) <= height


def test_a_name_cannot_bring_controls_or_markup() -> None:
    evil = lease(9, label="\x1b[2J[red]x", capsule="[bold]\x07.wat")
    text = "\n".join(screen(replace(BATCH, leases=(evil,))))
    assert r"\x1b[2J[red]x" in text
    assert r"[bold]\x07.wat" in text


def test_without_unicode_nothing_but_ascii_is_drawn() -> None:
    assert "\n".join(screen(replace(BATCH, ascii_only=True))).isascii()


# The sparkline


def test_a_sparkline_is_full_at_the_limit_and_lowest_at_nothing() -> None:
    assert sparkline([0, 50, 100, 200], 100, 80, 10).plain == "▁▅██"


def test_a_sparkline_shows_the_newest() -> None:
    assert sparkline([100, 0, 0], 100, 80, 2).plain == "▁▁"


def test_sampling_keeps_every_peak() -> None:
    values = [1] * 100
    values[37] = 9
    assert max(sampled(values, 10)) == 9
    assert len(sampled(values, 10)) == 10


def test_few_values_are_kept_as_they_are() -> None:
    assert sampled([3, 1], 10) == [3, 1]


# Results as rows

RESULT: dict[str, Any] = {
    "job": 12,
    "label": "nightly",
    "principal": "team-blue",
    "capsule": "fixtures/capsules/bounded.wat",
    "reason": "exited",
    "exit_status": 0,
    "peak_bytes": 200 * MIB,
    "wall_s": 12.25,
    "cpu_s": 3.5,
    "decisions": [{"action": "park"}, {"action": "park"}, {"action": "spill"}],
    "error": None,
}


@pytest.mark.parametrize("width", WIDTHS)
def test_job_outcome_and_peak_of_a_result_are_shown_at_every_width(width: int) -> None:
    fitted = fitted_columns(width)
    row = fitted.line(RESULT).plain
    assert len(row) <= width
    assert row.split()[0] == "12"
    assert "exited 0" in row
    assert "200 MiB" in row


def test_a_row_counts_the_decisions_and_names_the_error() -> None:
    error = {"code": "E302", "message": "the guest was still running", "remedy": ""}
    row = fitted_columns(200).line(RESULT | {"error": error}).plain
    assert "park 2, spill 1" in row
    assert row.endswith("E302: the guest was still running")


def test_header_and_rows_stand_in_the_same_columns() -> None:
    fitted = fitted_columns(120)
    header, row = fitted.header().plain, fitted.line(RESULT).plain
    assert header.index("OUTCOME") == row.index("exited")
    assert header.index("CAPSULE") == row.index("bounded.wat")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_last_column_has_the_rest_of_the_width(width: int) -> None:
    error = {"code": "E302", "message": "x" * 300, "remedy": ""}
    result = RESULT | {"error": error, "wall_s": 0.0}
    fitted = fitted_columns(200)
    assert len(fitted.line(result).plain) == 200
    assert sum(each + 2 for _, each in fitted_columns(width).columns) - 2 == width
