"""Lines of JSON that somebody else wrote."""

import pytest

from atectl.records.lines import json_of
from atectl.records.reading import Fault


@pytest.mark.parametrize(
    "line",
    [
        '{"a": 1, "a": 2}',
        '{"a": 1, "b": 3, "a": 1}',
        '{"env": {"A": "1", "A": "2"}}',
        '{"list": [{"a": 1, "\\u0061": 2}]}',
    ],
)
def test_a_key_that_is_there_twice_is_refused(line: str) -> None:
    with pytest.raises(Fault, match="is there twice"):
        json_of(line)


def test_a_key_that_is_twice_among_very_many_is_found_without_comparing_all_with_all() -> None:
    line = ",".join(f'"{number}": 1' for number in [*range(250_000), 249_999])
    with pytest.raises(Fault, match="'249999' is there twice"):
        json_of(f"{{{line}}}")


def test_the_same_key_in_two_objects_is_there_once_in_each() -> None:
    assert json_of('{"a": {"a": 1}, "b": {"a": 2}}') == {"a": {"a": 1}, "b": {"a": 2}}


def test_a_number_of_thousands_of_digits_is_told_as_one() -> None:
    with pytest.raises(Fault, match="a number of thousands of digits"):
        json_of(f'{{"x": {"9" * 100_000}}}')
