"""The live table of a batch as it looks at several sizes of the terminal.

The pictures are under golden/; `ATECTL_REDRAW=1 pytest tests/views` draws them anew, and the
difference is then to be read.
"""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from atectl.accounting import Account, Budget, Pressure
from atectl.commands.batch.decisions_view import LiveDecision
from atectl.commands.batch.leases_view import LiveLease
from atectl.commands.batch.live_view import BatchScreen, LiveBatch, show_rate
from atectl.commands.drawing.sparkline import sparkline
from tests.support.golden import assert_looks_like

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


def ended(number: int, state: str = "done", **changes: Any) -> LiveLease:
    return lease(number, state, has_ended=True, resident_bytes=0, **changes)


HISTORY = (None,) * 10 + tuple(range(0, 1000 * MIB, 50 * MIB))
BATCH = LiveBatch(
    leases=(
        ended(1),
        lease(2),
        lease(3, "waiting"),
        lease(4, "parked"),
        lease(5, "spilled", resident_bytes=None),
    ),
    pressure=Pressure(812 * MIB, 32 * MIB, 700 * MIB),
    budget=Budget(GIB),
    on_disk_bytes=348 * MIB,
    decisions=(LiveDecision(1.5, "spilled", 5, "part-5", 96 * MIB),),
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
    return drawn(BatchScreen(batch, HISTORY, height), width)


def numbers(lines: list[str]) -> list[str]:
    """The jobs that have a row, in order."""
    return [line.split()[0] for line in lines if line.split() and line.split()[0].isdigit()]


@pytest.mark.parametrize(("width", "height"), [(59, 13), (79, 22), (119, 38)])
def test_the_screen(width: int, height: int) -> None:
    """Terminals of 60 by 15, 80 by 24 and 120 by 40, less what is kept free of each."""
    states = ["running"] * 3 + ["resuming", "waiting", "parked"] + ["spilled"] * 6
    busy = replace(
        BATCH,
        leases=(
            *(ended(number) for number in (1, 2)),
            *(ended(number + 3, how) for number, how in enumerate(("trapped", "exit 3"))),
            *(lease(number, state) for number, state in enumerate(states, 10)),
        ),
        pressure=Pressure(None, 0, 900 * MIB),
        decisions=(
            LiveDecision(31.0, "parked", 12, "part-12", 8 * MIB, "over soft"),
            LiveDecision(2.5, "back", 13, "part-13", 96 * MIB),
            LiveDecision(1.5, "spilled", 15, "part-15", 96 * MIB),
        ),
    )
    picture = "\n".join(screen(busy, width, height)) + "\n"
    assert_looks_like(f"batch-{width + 1}", picture)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_line_is_never_wider_than_the_screen(width: int) -> None:
    lines = screen(BATCH, width)
    assert len(lines) == 3 + 1 + len(BATCH.leases) + len(BATCH.decisions)
    assert max(map(len, lines)) <= width


def test_a_line_that_is_cut_off_says_so() -> None:
    assert screen(BATCH, 30)[0].endswith("…")


@pytest.mark.parametrize("width", WIDTHS)
def test_job_label_state_and_memory_are_shown_at_every_width(width: int) -> None:
    head, *rows = screen(BATCH, width)[3:9]
    assert {"JOB", "LABEL", "STATE", "LINEAR"} <= set(head.split())
    assert numbers(rows) == ["2", "3", "4", "5", "1"]
    for row, state in zip(rows, ["running", "waiting", "parked", "spilled", "done"], strict=True):
        assert f"part-{row.split()[0]} " in row
        assert state in row
        assert "96 MiB" in row


def test_everything_of_a_lease_is_shown_where_there_is_room() -> None:
    lines = screen(BATCH)
    assert lines[3].split() == [
        "JOB", "LABEL", "PRINCIPAL", "CAPSULE", "STATE", "LINEAR", "RESIDENT", "ELAPSED",
    ]  # fmt: skip
    assert lines[4].split() == [
        "2", "part-2", "team-blue", "bounded.wat", "running",
        "███·····", "96", "MiB", "64", "MiB", "2.50s",
    ]  # fmt: skip


def test_a_resident_size_that_is_not_known_is_a_dash() -> None:
    assert screen(BATCH)[7].split()[-2] == "-"


# What gives way where there is little room


def test_rather_than_a_label_the_capsule_and_a_common_principal_go() -> None:
    label = "nightly-import-of-all"
    lines = screen(replace(BATCH, leases=(lease(1, label=label),)), 60)
    assert label in lines[4]
    assert not {"CAPSULE", "PRINCIPAL"} & set(lines[3].split())


@pytest.mark.parametrize(("other", "shown"), [("team-red", True), ("team-blue", False)])
def test_the_principal_has_a_column_before_the_capsule_where_they_differ(
    other: str, shown: bool
) -> None:
    leases = (lease(1), lease(2, principal=other))
    heads = screen(replace(BATCH, leases=leases), 64)[3].split()
    assert ("PRINCIPAL" in heads, "CAPSULE" in heads) == (shown, not shown)


def test_no_column_is_kept_for_labels_that_nobody_has() -> None:
    assert "LABEL" not in screen(replace(BATCH, leases=(lease(1, label=""),)))[3]


def test_those_that_run_are_first_then_who_is_nearest_to_running() -> None:
    states = ["spilled", "parked", "waiting", "resuming", "running", "spilled"]
    leases = tuple(lease(number, state) for number, state in enumerate(states, 1))
    lines = screen(replace(BATCH, leases=(ended(9), *leases)))
    assert numbers(lines) == ["5", "4", "3", "2", "1", "6", "9"]


def test_those_without_a_row_are_counted() -> None:
    states = ["running"] * 3 + ["waiting"] + ["spilled"] * 5
    leases = tuple(lease(number, state) for number, state in enumerate(states, 1))
    lines = screen(replace(BATCH, leases=leases), height=9)
    assert numbers(lines) == ["1", "2", "3"]
    assert lines[-2] == "  +6 more (1 waiting, 5 spilled)"


def test_at_most_four_ended_leases_are_shown_the_latest_first() -> None:
    leases = (*(ended(number) for number in range(1, 7)), lease(7))
    assert numbers(screen(replace(BATCH, leases=leases))) == ["7", "6", "5", "4", "3"]


def test_where_leases_do_not_fit_ended_ones_go_first() -> None:
    lines = screen(replace(BATCH, leases=(*BATCH.leases, ended(6))), height=9)
    assert numbers(lines) == ["2", "3", "4", "5"]


def test_a_low_screen_has_the_latest_decision_only() -> None:
    decisions = tuple(LiveDecision(9.0 - n, "parked", n) for n in range(5))
    lines = screen(replace(BATCH, decisions=decisions), height=13)
    assert [line.strip() for line in lines if "ago" in line] == ["5s ago  job 4 parked"]


# The head


@pytest.mark.parametrize("width", [80, 120])
def test_the_pressure_is_a_bar_with_a_mark_at_soft(width: int) -> None:
    line = screen(BATCH, width)[0]
    bar = line.removeprefix("pressure ").split()[0]
    assert bar.index("│") == Budget(GIB).soft_bytes * len(bar) // GIB
    assert "812 MiB of 1 GiB" in line


@pytest.mark.parametrize("width", [59, 60, 79, 80])
def test_no_number_of_the_pressure_is_cut(width: int) -> None:
    limit = 1000 * GIB - 7 * GIB
    over = replace(BATCH, pressure=Pressure(None, 0, limit + 5 * GIB), budget=Budget(limit))
    assert screen(over, width)[0].endswith("998 GiB of 993 GiB  over limit  soft 794 GiB")


def test_where_the_numbers_leave_no_room_there_is_no_bar() -> None:
    assert screen(BATCH, 60)[0] == "pressure 812 MiB of 1 GiB  soft 819 MiB"


def test_the_bar_keeps_its_size_when_a_gate_is_passed() -> None:
    over = replace(BATCH, pressure=Pressure(None, 0, 2 * GIB))
    calm, passed = (screen(each, 80)[0].split()[1] for each in (BATCH, over))
    assert len(calm) == len(passed)


def test_the_head_says_when_a_gate_is_passed() -> None:
    assert "over" not in screen(BATCH)[0]
    over_soft = replace(BATCH, pressure=Pressure(None, 0, 900 * MIB))
    assert "over soft" in screen(over_soft)[0]
    over = replace(BATCH, pressure=Pressure(None, 0, 2 * GIB))
    assert "over limit" in screen(over)[0]


def test_what_lies_on_disk_is_beside_the_last_minute() -> None:
    assert screen(BATCH)[1].endswith("▇██  on disk 348 MiB")
    assert screen(BATCH, 30)[1].endswith("▇██  on disk 348 MiB")


def test_the_progress_has_done_failed_left_and_rate() -> None:
    line = screen(replace(BATCH, done=6, failed=2))[2]
    assert line == "jobs     6 done, 2 failed, 7 left, 2/s, 4.00s, about 3.50s to go"


def test_jobs_that_were_ended_with_the_batch_are_counted_apart() -> None:
    assert "0 failed, 3 interrupted, 7 left" in screen(replace(BATCH, interrupted=3))[2]


def test_jobs_that_are_still_coming_in_are_not_counted_as_left() -> None:
    assert "more to come" in screen(replace(BATCH, left=None))[2]


def test_no_more_are_to_come_once_the_batch_is_being_ended() -> None:
    assert "to come" not in screen(replace(BATCH, left=None, is_stopping=True))[2]


@pytest.mark.parametrize(("width", "said"), [(60, "stopping"), (80, "no more are started")])
def test_a_batch_that_is_being_ended_says_so(width: int, said: str) -> None:
    assert screen(replace(BATCH, is_stopping=True), width)[2].endswith(said)


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


def plain(_value: int) -> str:
    return ""


def test_a_sparkline_is_full_at_the_limit_and_lowest_at_nothing() -> None:
    assert sparkline([0, 50, 100, 200], 100, plain, 4).plain == "▁▅██"


def test_a_sparkline_shows_the_newest_at_the_right() -> None:
    assert sparkline([100, 0, 0], 100, plain, 2).plain == "▁▁"
    assert sparkline([100, 0], 100, plain, 4).plain == "  █▁"


def test_a_sparkline_is_blank_where_nothing_was_measured() -> None:
    assert sparkline([100, None, 0], 100, plain, 3).plain == "█ ▁"


# A rate


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (0.0, "0"),
        (0.0003, "<0.01"),
        (0.0701, "0.07"),
        (2.0, "2"),
        (12.34, "12.3"),
        (999.5, "1,000"),
        (1910.0, "1,910"),
    ],
)
def test_a_rate_is_a_plain_number(rate: float, shown: str) -> None:
    assert show_rate(rate) == shown


def account(principal: str, peak_bytes: int) -> Account:
    return Account(principal, peak_bytes)


class TestPeaks:
    TWO = replace(BATCH, accounts=(account("team-blue", 96 * MIB), account("b", 8 * MIB)))

    def test_where_several_principals_share_the_host_the_peak_of_each_is_shown(self) -> None:
        assert screen(self.TWO)[3] == "peaks    team-blue 96 MiB, b 8 MiB"

    def test_one_alone_is_not(self) -> None:
        alone = replace(BATCH, accounts=self.TWO.accounts[:1])
        assert screen(alone) == screen(BATCH)

    def test_they_give_way_where_there_is_little_room(self) -> None:
        assert screen(self.TWO, height=15) == screen(BATCH, height=15)

    def test_those_that_do_not_fit_are_counted(self) -> None:
        many = replace(
            BATCH, accounts=tuple(account(f"tenant-{n}", (20 - n) * MIB) for n in range(20))
        )
        assert screen(many, width=60)[3] == "peaks    tenant-0 20 MiB, tenant-1 19 MiB, +18 more"

    def test_a_long_name_loses_its_middle_and_no_figure_its_end(self) -> None:
        long = account("department-of-weights/measures@example.com", 63 * MIB)
        two = replace(BATCH, accounts=(long, account("web", 8 * MIB)))
        assert screen(two, width=59)[3] == "peaks    department-o…example.com 63 MiB, web 8 MiB"
