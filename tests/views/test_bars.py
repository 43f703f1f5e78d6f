"""Bars and percentages are honest about empty, full, and in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.commands.drawing.bars import usage_bar, usage_style
from atectl.commands.drawing.tones import ALARM, WARNING

SIZES = st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(
    ("used", "drawn"),
    [
        (0, "········"),
        (1, "▏·······"),
        (500, "████····"),
        (565, "████▌···"),
        (999, "███████▉"),
        (1000, "████████"),
        (2000, "████████"),
    ],
)
def test_a_bar_is_fine_to_an_eighth_of_a_column(used: int, drawn: str) -> None:
    assert usage_bar(used, 1000, 8).plain == drawn


def test_a_bar_in_ascii() -> None:
    assert usage_bar(500, 1000, 8, ascii_only=True).plain == "####...."


@given(SIZES, SIZES, st.integers(2, 60), st.booleans())
def test_a_bar_has_its_width_and_is_full_and_empty_only_if_true(
    used: int, limit: int, width: int, ascii_only: bool
) -> None:
    bar = usage_bar(used, limit, width, ascii_only=ascii_only).plain
    full, empty = ("#", ".") if ascii_only else ("█", "·")
    assert len(bar) == width
    assert (bar == full * width) == (0 < limit <= used)
    assert (bar == empty * width) == (used == 0 or limit == 0)
    assert bar.isascii() or not ascii_only


@given(SIZES, SIZES, st.integers(1, 2**62), st.integers(1, 40))
def test_a_bar_never_shrinks_as_more_is_used(one: int, other: int, limit: int, width: int) -> None:
    less, more = (usage_bar(used, limit, width).plain for used in sorted((one, other)))
    assert less.count("█") <= more.count("█")


@pytest.mark.parametrize(
    ("used", "style"), [(799, ""), (800, WARNING), (949, WARNING), (950, ALARM)]
)
def test_colour_warns_from_80_and_from_95_percent(used: int, style: str) -> None:
    assert usage_style(used, 1000) == style


def test_what_has_no_limit_is_not_coloured() -> None:
    assert usage_style(5, 0) == ""
