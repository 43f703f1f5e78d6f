"""Tables of one line a row: what is left out, what grows, what is cut."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from atectl.commands.drawing.columns import Column, LineTable, fit
from atectl.inert import inert_line

COLUMNS = [
    Column[dict]("name", "NAME", lambda row: row["name"], 6, 0, grows=True),
    Column[dict]("size", "SIZE", lambda row: row["size"], 5, 2, is_right=True),
    Column[dict]("note", "NOTE", lambda row: row.get("note", ""), 4, 1, grows=True),
]
ROWS = [{"name": "a", "size": "1"}, {"name": "abcdefghij", "size": "12345"}]


def drawn(
    rows: list[dict],
    width: int,
    columns: list[Column[dict]] = COLUMNS,
    *,
    is_whole: bool = False,
    tells_hidden: bool = False,
) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    table = LineTable(columns, rows, tells_hidden=tells_hidden)
    with console.capture() as capture:
        console.print(table, overflow="fold" if is_whole else None)
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


def test_a_last_line_names_what_is_hidden_or_else_what_is_cut() -> None:
    rows = [*ROWS, {**ROWS[0], "note": "nineteen letters it"}]
    assert "".join(drawn(rows, 18, tells_hidden=True)[-2:]) == "hidden: SIZE (-o wide)"
    assert drawn(rows, 30, tells_hidden=True)[-1] == "shortened: NOTE (-o wide)"
    assert drawn(rows, 50, tells_hidden=True)[-1].endswith("nineteen letters it")


# With nothing left out


def test_a_row_that_is_too_long_goes_on_below_between_two_columns() -> None:
    rows = [{**ROWS[0], "note": "new"}, {**ROWS[1], "note": "much older"}]
    assert drawn(rows, 20, is_whole=True) == [
        "NAME         SIZE",
        "  NOTE",
        "a               1",
        "  new",
        "abcdefghij  12345",
        "  much older",
    ]


def test_a_cell_that_is_wider_than_the_screen_is_broken_between_words() -> None:
    rows = [{"name": "a", "size": "1", "note": "one two three four five"}]
    assert drawn(rows, 14, is_whole=True)[2:] == [
        "a           1",
        "  one two",
        "  three four",
        "  five",
    ]


def test_what_fits_is_drawn_as_ever() -> None:
    assert drawn(ROWS, 40, is_whole=True) == drawn(ROWS, 40)


FOLDING = [COLUMNS[0], COLUMNS[1], COLUMNS[2]._replace(folds=True)]


@pytest.mark.parametrize("is_whole", [False, True])
def test_words_of_a_column_that_folds_go_on_below_it(is_whole: bool) -> None:
    rows = [{"name": "a", "size": "1", "note": "one two three"}, {**ROWS[1], "note": "x"}]
    assert drawn(rows, 26, FOLDING, is_whole=is_whole, tells_hidden=True) == [
        "NAME         SIZE  NOTE",
        "a               1  one two",
        "                   three",
        "abcdefghij  12345  x",
    ]


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


@given(
    st.lists(st.fixed_dictionaries({"name": CELLS, "size": CELLS, "note": CELLS}), max_size=5),
    st.integers(6, 60),
)
def test_nothing_is_lost_and_no_line_is_too_long(rows: list[dict], width: int) -> None:
    lines = drawn(rows, width, is_whole=True)
    assert all(cell_len(line) <= width for line in lines)
    told = "".join("".join(inert_line(each) for each in row.values()) for row in rows)
    shown = "".join("".join(lines).split())
    assert set("".join(told.split())) <= set(shown)
    assert sum(map(len, told.split())) <= len(shown)


@pytest.mark.parametrize("width", [1, 2])
def test_a_terminal_of_hardly_any_columns_is_no_error(width: int) -> None:
    assert all(len(line) <= width for line in drawn(ROWS, width))
