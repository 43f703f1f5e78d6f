"""`atectl explain`: a page for every error code, made from the classes."""

import io
import json

import pytest
from rich.console import Console, RenderableType

from atectl.commands.explain.app import complete_code, find_error
from atectl.commands.explain.view import error_page, error_table
from atectl.commands.main import dispatch
from atectl.commands.run.arguments import TABLE
from atectl.errors import AtectlError, BadSize, UnknownCode, error_classes
from atectl.lease.bounds import all_bounds
from atectl.records.errors import ErrorList, page_of

ERRORS = list(error_classes())
WIDTHS = (60, 80, 120)


def drawn(view: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def in_words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_gives_meaning_example_remedy_and_exit_status(
    error: type[AtectlError], width: int
) -> None:
    page = drawn(error_page(page_of(error)), width)
    words = " ".join(in_words(page))
    assert page.startswith(f"{error.code}: ")
    assert max(map(len, page.splitlines())) <= width
    for label, fact in (
        ("", error.meaning()),
        ("for example ", error.example),
        ("what to do ", error.default_remedy),
        ("exit status ", str(error.exit_status)),
    ):
        assert " ".join(in_words(label + fact)) in words


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_has_every_code_in_order_within_the_width(width: int) -> None:
    lines = drawn(error_table(ErrorList(tuple(map(page_of, ERRORS)))), width).splitlines()
    assert max(map(len, lines)) <= width
    codes = [line.split()[0] for line in lines[1:] if line.startswith("E")]
    assert codes == sorted(error.code for error in ERRORS)


def test_square_brackets_in_an_example_are_shown_as_they_are() -> None:
    class Bracketed(BadSize):
        """A [bold]meaning[/bold]."""

        example = "atectl run [red]x[/red]"

    page = drawn(error_page(page_of(Bracketed)), 80)
    assert "A [bold]meaning[/bold]." in page
    assert "atectl run [red]x[/red]" in page


def test_a_code_is_taken_in_either_case() -> None:
    assert find_error("e102") is find_error("E102") is BadSize


def test_an_unknown_code_names_the_nearest() -> None:
    with pytest.raises(UnknownCode, match="'e3033'; did you mean E303"):
        find_error("e3033")


def test_an_unknown_code_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", "nonsense"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error[E110]: no error has the code 'nonsense'\n  try: ")


def test_json_lists_every_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", "-o", "json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert listing["schema_version"] == 1
    assert [entry["code"] for entry in listing["errors"]] == [error.code for error in ERRORS]


def test_json_of_one_code_has_the_facts_of_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", "e102", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["errors"] == [
        {
            "code": "E102",
            "meaning": "A size could not be read.",
            "example": "atectl run --max-mem 0.3B capsule.wasm",
            "remedy": BadSize.default_remedy,
            "exit_status": 2,
        }
    ]


def test_the_table_is_shown_where_no_code_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain"]) == 0
    assert capsys.readouterr().out.startswith("CODE  EXIT  MEANING")


def test_codes_complete_in_either_case() -> None:
    expected = [error.code for error in ERRORS if error.code.startswith("E11")]
    assert len(expected) > 1
    assert complete_code("e11") == complete_code("E11") == expected
    assert complete_code("x") == []


def test_what_is_bounded_is_told_with_its_default_and_its_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["explain", "bounds", "-o", "json"]) == 0
    bounds = json.loads(capsys.readouterr().out)["bounds"]
    found = {each["what"]: (each["bound"], each["set_by"]) for each in bounds}
    assert found["memory to compile it"] == (
        "1GiB, or what the host's limit leaves",
        "--compile-mem",
    )
    assert [what for what, (bound, _) in found.items() if bound is None] == [
        "what a guest writes to folders that it is given",
    ]


def test_every_option_that_sets_a_bound_is_one_of_run() -> None:
    named = {each.set_by for each in all_bounds().bounds if each.set_by}
    assert named <= {option.name for option in TABLE.options}


def test_what_is_not_bounded_says_so_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", "BOUNDS"]) == 0
    assert capsys.readouterr().out.count("not bounded") == 1


def test_the_topic_completes_once_it_is_begun() -> None:
    assert complete_code("bo") == ["bounds"]


def test_a_code_may_lack_its_letter() -> None:
    assert find_error("301") is find_error("E301")
