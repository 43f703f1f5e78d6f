"""Tables of one line a row: what is left out, what grows, what is cut."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from atectl.commands.drawing.columns import Column, LineTable, fit

COLUMNS = [
    Column[dict]("name", "NAME", lambda row: row["name"], 6, 0, grows=True),
    Column[dict]("size", "SIZE", lambda row: row["size"], 5, 2, is_right=True),
    Column[dict]("note", "NOTE", lambda row: row.get("note", ""), 4, 1, grows=True),
]
ROWS = [{"name": "a", "size": "1"}, {"name": "abcdefghij", "size": "12345"}]


def drawn(rows: list[dict], width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(LineTable(COLUMNS, rows))
    return capture.get().splitlines()


def test_columns_keep_their_order_and_alignment() -> None:
    assert drawn([{**ROWS[0], "note": "new"}, ROWS[1]], 40) == [
        "NAME         SIZE  NOTE",
        "a               1  new",
        "abcdefghij  12345",
    ]


def test_a_column_in_which_nothing_is_written_is_left_out() -> None:
    assert drawn(ROWS, 40)[0] == "NAME         SIZE"
    assert drawn([], 40) == ["NAME     SIZE  NOTE"]


def test_the_least_important_column_is_left_out_first() -> None:
    kept = [[column.name for column, _ in fit(COLUMNS, ROWS, width).columns] for width in (19, 18)]
    assert kept == [["name", "size", "note"], ["name", "note"]]


def test_the_most_important_column_is_always_there() -> None:
    assert [column.name for column, _ in fit(COLUMNS, ROWS, 3).columns] == ["name"]
    assert all(len(line) <= 3 for line in drawn(ROWS, 3))


def test_what_is_too_long_is_cut_with_an_ellipsis() -> None:
    assert drawn([*ROWS, {**ROWS[0], "note": "new"}], 19)[2].startswith("abcde…  ")


def test_wide_characters_count_two_columns() -> None:
    rows = [{"name": "日本語日本語", "size": "1"}, *ROWS]
    assert drawn(rows, 40)[1:] == [
        "日本語日本語      1",
        "a                 1",
        "abcdefghij    12345",
    ]


def test_control_characters_are_made_visible_and_counted_as_shown() -> None:
    rows = [{"name": "\x1b[31mred", "size": "1"}]
    assert drawn(rows, 40)[1] == "\\x1b[31mred      1"


def test_markup_is_text() -> None:
    assert drawn([{"name": "[bold]b", "size": "1"}], 40)[1].startswith("[bold]b")


def test_a_text_cell_keeps_its_style() -> None:
    table = fit(COLUMNS, [], 40)
    line = table.line({"name": "a", "size": Text("7", style="red")})
    assert [line.plain[span.start : span.end] for span in line.spans] == ["7"]


def test_a_text_cell_that_is_too_long_is_cut_too() -> None:
    line = fit(COLUMNS, [], 40).line({"name": "a", "size": Text("1234567", style="red")})
    assert line.plain.split() == ["a", "1234…"]


CELLS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(
    st.lists(st.fixed_dictionaries({"name": CELLS, "size": CELLS, "note": CELLS}), max_size=5),
    st.integers(6, 60),
)
def test_every_row_is_one_line_that_fits(rows: list[dict], width: int) -> None:
    table = fit(COLUMNS, rows, width)
    for line in (table.header(), *map(table.line, rows)):
        assert line.cell_len <= width
        assert "\n" not in line.plain


@pytest.mark.parametrize("width", [1, 2])
def test_a_terminal_of_hardly_any_columns_is_no_error(width: int) -> None:
    assert all(len(line) <= width for line in drawn(ROWS, width))
