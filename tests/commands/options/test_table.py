"""Options read from a command line by their table."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import pytest

from atectl.commands.options.table import Given, Option, OptionTable, options_of
from atectl.errors import UsageError

TABLE = OptionTable(
    "try",
    (
        Option("--size", "SIZE", "A value.", "1MiB"),
        Option("--jobs", "N", "A whole number.", short="-j", lowest=1, highest=9),
        Option("--pool", "N", "One without a most.", lowest=0),
        Option("--form", "", "A choice.", short="-o", choices=("table", "json")),
        Option("--raw", "", "A flag."),
        Option("--keep", "", "A flag with an opposite.", "--keep", opposite="--drop"),
        Option("--live", "", "One that is neither by default.", opposite="--no-live"),
    ),
    remedy="read the help",
)


def given(*words: str) -> Given:
    """What these words give, each of which belongs to an option."""
    found = Given(TABLE)
    place = 0
    while place < len(words):
        place = TABLE.take(list(words), place, found)
    return found


@pytest.mark.parametrize(
    "words", [("--jobs", "4"), ("--jobs=4",), ("-j", "4"), ("-j4",)], ids=" ".join
)
def test_a_value_stands_behind_its_option_or_in_the_same_word(words: tuple[str, ...]) -> None:
    assert given(*words).read("--jobs", int) == 4


def test_a_value_may_hold_an_equals_sign() -> None:
    assert given("--size=a=b").last("--size") == "a=b"


def test_a_value_may_be_empty() -> None:
    assert given("--size=").last("--size") == ""
    assert given("--size", "").last("--size") == ""


def test_a_value_may_look_like_an_option() -> None:
    assert given("--size", "--raw").last("--size") == "--raw"


def test_of_an_option_given_twice_the_last_counts() -> None:
    assert given("--jobs", "lots", "-j", "2").read("--jobs", int) == 2
    assert given("--size", "a", "--size=b").every("--size") == ["a", "b"]


def test_what_is_not_given_has_its_default_or_is_none() -> None:
    assert given().last("--size") == "1MiB"
    assert given().last("--jobs") is None
    assert given().read("--jobs", int) is None


@pytest.mark.parametrize(
    ("words", "is_on"),
    [
        ((), True),
        (("--drop",), False),
        (("--keep", "--drop"), False),
        (("--drop", "--keep"), True),
    ],
)
def test_of_a_flag_and_its_opposite_the_last_counts(words: tuple[str, ...], is_on: bool) -> None:
    assert given(*words).is_on("--keep") is is_on


def test_a_flag_with_an_opposite_may_be_left_to_the_command() -> None:
    assert given().is_on("--live") is None
    assert given("--live").is_on("--live") is True
    assert given("--no-live").is_on("--live") is False


def test_a_word_that_is_no_option_is_left_where_it_is() -> None:
    for word in ("file", "-", "--", "--sizes", "-x", "-x4"):
        assert TABLE.take([word, "--raw"], 0, Given(TABLE)) == 0


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        (lambda: given("--raw=yes"), "--raw takes no value"),
        (lambda: given("--drop=yes"), "--drop takes no value"),
        (lambda: given("--size"), "--size needs a value: --size SIZE"),
        (lambda: given("-o"), "-o needs a value: -o table|json"),
        (lambda: given("-ojsn").last("--form"), "did you mean json?"),
        (lambda: given("-o", "JSON").last("--form"), "--form 'JSON' is none of table, json"),
        (lambda: given("-j0").last("--jobs"), "--jobs '0' is no whole number from 1 to 9"),
        (lambda: given("-j", "10").last("--jobs"), "--jobs '10' is no whole number from 1 to 9"),
        (lambda: given("-j=4").last("--jobs"), "--jobs '=4' is no whole number"),
        (lambda: given("--jobs", "1.5").last("--jobs"), "--jobs '1.5' is no whole number"),
        (lambda: given("--pool", "-1").last("--pool"), "--pool '-1' is no whole number from 0 on"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_can(
    fails: Callable[[], object], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        fails()
    assert message in str(raised.value)
    assert raised.value.remedy == "read the help"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--sizes=4", "there is no option --sizes; did you mean --size?"),
        ("--dorp", "did you mean --drop?"),
        ("--halp", "did you mean --help?"),
        ("-7", "there is no option -7"),
        ("--help=all", "--help takes no value"),
    ],
)
def test_an_unknown_option_is_answered_with_the_nearest(word: str, message: str) -> None:
    assert message in str(TABLE.unknown([word], 0))


# Groups


class Place(NamedTuple):
    host: Annotated[str | None, Option("--host", "NAME", "Where.")] = None
    port: Annotated[str, Option("--port", "N", "Which door.", lowest=1, reads=int)] = "6379"


def place(*words: str) -> Place:
    table = OptionTable("try", tuple(options_of(Place).values()), remedy="read the help")
    found = Given(table)
    position = 0
    while position < len(words):
        position = table.take(list(words), position, found)
    return found.group(Place)


def test_a_group_declares_its_options_in_order_each_with_the_default_of_its_field() -> None:
    assert options_of(Place) == {
        "host": Option("--host", "NAME", "Where."),
        "port": Option("--port", "N", "Which door.", "6379", lowest=1, reads=int),
    }


def test_what_is_given_for_a_group_is_read_as_its_options_say() -> None:
    assert place("--port=80", "--host", "a") == Place("a", 80)  # type: ignore[arg-type]


def test_what_is_not_given_for_a_group_has_its_default() -> None:
    assert place() == Place(None, 6379)  # type: ignore[arg-type]


def test_a_value_of_a_group_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="--port '0' is no whole number"):
        place("--port", "0")
