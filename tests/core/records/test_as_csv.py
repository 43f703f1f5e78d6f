"""Lists of records become CSV that programs read, inert in a terminal or a spreadsheet."""

import csv
from typing import Annotated, NamedTuple

import pytest

from atectl.records.as_csv import csv_lines
from atectl.records.types import without
from atectl.units import Moment


class Item(NamedTuple):
    """An item."""

    name: str
    size_bytes: int | None = None
    is_kept: bool = True
    at: Annotated[float | None, "a moment"] = None
    secret: str = "x"


class Items(NamedTuple):
    """Items."""

    items: tuple[Annotated[Item, without("secret")], ...]


class Times(NamedTuple):
    """Times."""

    times: tuple["Time", ...]


class Time(NamedTuple):
    """A time."""

    at: Moment


def rows(*items: Item) -> list[list[str]]:
    return list(csv.reader(csv_lines(Items(items))))


def test_the_header_has_the_names_of_json_without_what_is_left_out() -> None:
    assert rows() == [["name", "size_bytes", "is_kept", "at"]]


def test_what_is_unknown_is_empty_and_a_truth_is_a_word() -> None:
    assert rows(Item("a", 5), Item("b", None, False))[1:] == [
        ["a", "5", "true", ""], ["b", "", "false", ""],
    ]  # fmt: skip


def test_times_are_those_of_json() -> None:
    assert list(csv_lines(Times((Time(0.0),)))) == ["at\n", "1970-01-01T00:00:00.000Z\n"]


@pytest.mark.parametrize("name", ["a,b", 'say "x"', "café"])
def test_text_is_read_back_as_it_was(name: str) -> None:
    assert rows(Item(name))[1][0] == name


@pytest.mark.parametrize("name", ["=1+1", "+1", "@SUM(A1)", "-1+cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_calculate_is_text(name: str) -> None:
    assert rows(Item(name))[1][0] == f"'{name}"


def test_the_name_of_a_principal_stays_as_it_is() -> None:
    assert rows(Item("-team-a"))[1][0] == "-team-a"


def test_control_characters_are_visible() -> None:
    assert rows(Item("a\n\x1b[31m"))[1][0] == "a\\n\\x1b[31m"
