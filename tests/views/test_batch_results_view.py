"""The results of a batch as rows, as they look at several widths."""

import pytest

from atectl.arbitration.view import Action
from atectl.commands.batch.results_view import fitted_columns, row_lines
from atectl.commands.drawing.tones import ALARM
from atectl.records.errors import ErrorFacts
from tests.support.result_lines import decision, result_line

MIB = 1 << 20
WIDTHS = [60, 80, 120]

RESULT = result_line(
    12,
    label="nightly",
    principal="team-blue",
    capsule="fixtures/capsules/bounded.wat",
    peak_bytes=200 * MIB,
    wall_s=12.25,
    cpu_s=3.5,
    decisions=(
        decision(Action.PARK, "over soft"),
        decision(Action.GRANT, "below soft"),
        decision(Action.PARK, "over soft"),
        decision(Action.SPILL, "failed: no space left"),
        decision(Action.SPILL, "spilled"),
        decision(Action.RESUME, "below resume"),
    ),
)
ERROR = ErrorFacts("E302", "the guest was still running", "")
FAILED = RESULT._replace(ending=RESULT.ending._replace(reason="deadline"), error=ERROR)


@pytest.mark.parametrize("width", WIDTHS)
def test_job_outcome_and_peak_of_a_result_are_shown_at_every_width(width: int) -> None:
    fitted = fitted_columns(width)
    row = fitted.line(RESULT).plain
    assert len(row) <= width
    assert row.split()[0] == "12"
    assert "exited 0" in row
    assert "200 MiB" in row


def test_a_row_counts_the_decisions_and_names_the_error() -> None:
    row = fitted_columns(200).line(RESULT._replace(error=ERROR)).plain
    assert "park 2, spill 1" in row
    assert row.endswith("E302: the guest was still running")


@pytest.mark.parametrize(
    ("reason", "is_alarm"),
    [("exited", False), ("deadline", True), ("interrupted", False), ("terminated", False)],
)
def test_only_what_failed_by_itself_is_an_alarm(reason: str, is_alarm: bool) -> None:
    ended = RESULT._replace(ending=RESULT.ending._replace(reason=reason))
    styles = [span.style for span in fitted_columns(80).line(ended).spans]
    assert (ALARM in styles) == is_alarm


def test_header_and_rows_stand_in_the_same_columns() -> None:
    fitted = fitted_columns(120)
    header, row = fitted.header().plain, fitted.line(RESULT).plain
    assert header.index("OUTCOME") == row.index("exited")
    assert header.index("CAPSULE") == row.index("bounded.wat")


@pytest.mark.parametrize("width", WIDTHS)
def test_why_a_job_failed_stands_below_its_row_where_it_has_no_column(width: int) -> None:
    _, why = row_lines(fitted_columns(width), FAILED)
    assert why.plain == "        E302: the guest was still running"


def test_why_a_job_failed_stands_in_its_row_where_it_has_a_column() -> None:
    (row,) = row_lines(fitted_columns(200), FAILED)
    assert row.plain.endswith("E302: the guest was still running")


@pytest.mark.parametrize("width", WIDTHS)
def test_why_a_job_failed_fits_one_line_and_is_inert(width: int) -> None:
    error = ErrorFacts("E201", "\x1b[2J" + "x" * 300, "")
    _, why = row_lines(fitted_columns(width), RESULT._replace(error=error))
    assert len(why.plain) == width
    assert r"\x1b[2J" in why.plain


@pytest.mark.parametrize("width", WIDTHS)
def test_a_job_that_did_not_fail_has_one_line(width: int) -> None:
    assert len(row_lines(fitted_columns(width), RESULT)) == 1


@pytest.mark.parametrize("width", [*WIDTHS, 200])
def test_the_columns_fill_the_width_and_no_figure_is_moved(width: int) -> None:
    columns = fitted_columns(width).columns
    assert sum(size + 2 for _, size in columns) - 2 == width
    assert [size for each, size in columns if each.is_right and size != each.width] == []


def test_the_label_and_what_came_of_it_are_there_at_80_columns() -> None:
    titles = fitted_columns(80).header().plain.split()
    assert titles == ["JOB", "LABEL", "CAPSULE", "OUTCOME", "PEAK", "WALL"]


def test_decisions_are_there_at_120_columns() -> None:
    assert "park 2, spill 1" in fitted_columns(120).line(RESULT).plain
