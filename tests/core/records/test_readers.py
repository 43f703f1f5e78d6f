"""What each reader takes, what it comes to, and what it says of the rest."""

import math
from typing import Any

import pytest

from atectl.arbitration.standing import Phase
from atectl.errors import AtectlError
from atectl.records.readers import (
    bytes_read,
    duration,
    filled,
    flag,
    fraction,
    listed,
    member,
    number,
    one_of,
    optional,
    short,
    size,
    text,
    whole,
)
from atectl.records.reading import Fault, Reader

HUGE = 1 << 20_000
"""Has more digits than Python converts to text; TOML has such numbers as 0xfff…"""

COLOUR = one_of(("red", "green"))


@pytest.mark.parametrize(
    ("reader", "value", "found"),
    [
        (text, "", ""),
        (filled, "a b", "a b"),
        (short(3), "äöü", "äöü"),
        (COLOUR, "red", "red"),
        (member(Phase), "parked", Phase.PARKED),
        (flag, False, False),
        (whole(-1, 3), 3, 3),
        (number(0, 5), 5, 5.0),
        (bytes_read, 0, 0),
        (size, "64M", 64 << 20),
        (size, 65_536, 65_536),
        (size, 65_536.0, 65_536),
        (duration, "1m30s", 90.0),
        (duration, 0.5, 0.5),
        (duration, 90, 90.0),
        (fraction, 0.8, 0.8),
        (fraction, 1, 1.0),
        (fraction, " 82.5 % ", 0.825),
        (optional(bytes_read), None, None),
        (optional(bytes_read), 7, 7),
        (optional(duration, none="none"), "none", None),
        (listed(text, "texts"), ["a", ""], ("a", "")),
    ],
)
def test_a_value_comes_to_what_it_stands_for(reader: Reader, value: Any, found: Any) -> None:
    read = reader.read(value)
    assert (read, type(read)) == (found, type(found))


@pytest.mark.parametrize(
    ("reader", "value", "says"),
    [
        (text, 7, "7 is no text in quotes"),
        (text, "a\0b", '"a\\u0000b" holds a NUL character'),
        (text, "\ud800", '"\\ud800" is not UTF-8'),
        (text, HUGE, "a number of thousands of digits is no text"),
        (filled, "", "it is empty"),
        (short(3), "four", "it has 4 characters; at most 3 are taken"),
        (COLOUR, "gren", '"gren" is none of red, green; did you mean green?'),
        (COLOUR, ["red"], '["red"] is none of red, green'),
        (member(Phase), "paused", '"paused" is none of running, parked, spilled'),
        (member(Phase), {}, "{} is none of running, parked, spilled"),
        (flag, 1, "1 is neither true nor false"),
        (whole(1, 9), 0, "0 is no whole number from 1 to 9"),
        (whole(1, 9), 2.0, "2.0 is no whole number"),
        (whole(1, 9), True, "true is no whole number"),
        (whole(1, 9), HUGE, "a number of thousands of digits is no whole number"),
        (number(0, 5), 5.1, "5.1 is no number from 0 to 5"),
        (number(0, 5), math.nan, "NaN is no number"),
        (number(0, 5), "1", '"1" is no number'),
        (number(0, 5), True, "true is no number"),
        (bytes_read, -1, "-1 is no whole number from 0"),
        (bytes_read, 1 << 63, "9223372036854775808 is no whole number"),
        (size, "much", "'much' is not a size"),
        (size, "x" * 100, "'" + "x" * 38 + "… is not a size"),
        (size, 1.5, "1.5 is not a size"),
        (size, math.inf, "Infinity is not a size"),
        (size, True, "true is not a size"),
        (size, [], "[] is not a size"),
        (size, 0, "'0' is zero"),
        (size, HUGE, "a number of thousands of digits is larger than any size"),
        (size, 10**400, "1000000000000"),
        (duration, "soon", "'soon' is not a duration"),
        (duration, 0, "'0' is zero"),
        (duration, math.nan, "'nan' is not a duration"),
        (duration, True, "true is not a duration"),
        (duration, HUGE, "a number of thousands of digits is larger than any"),
        (duration, None, "null is not a duration"),
        (fraction, 0, "0 is no fraction"),
        (fraction, 1.01, "1.01 is no fraction"),
        (fraction, "0.8", '"0.8" is no fraction'),
        (fraction, "101%", '"101%" is no fraction'),
        (fraction, math.nan, "NaN is no fraction"),
        (fraction, True, "true is no fraction"),
        (listed(text, "texts"), "one two", '"one two" is no list of texts'),
        (listed(text, "texts"), ["a", 1], " 2: 1 is no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_in_plain_words(
    reader: Reader, value: Any, says: str
) -> None:
    with pytest.raises((Fault, AtectlError)) as caught:
        reader.read(value)
    assert says in str(caught.value)
