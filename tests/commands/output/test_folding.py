"""Messages on a terminal: where their lines are broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.commands.output.folding import folded


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("  try: short", ["  try: short"]),
        ("the quota of 10 MiB was not enough", ["the quota of 10", "  MiB was not", "  enough"]),
        ("  try: check the address", ["  try: check the", "    address"]),
        ("what `atectl ledger ls` shows", ["what", "  `atectl ledger ls`", "  shows"]),
        ("an-unbroken-word-of-many-letters here", ["an-unbroken-word-of-many-letters", "  here"]),
        ("one `quote that never ends here", ["one", "  `quote that never ends here"]),
        ("first line is long\nsecond", ["first line is", "  long", "second"]),
    ],
)
def test_lines_are_broken_between_words_and_not_within_quoted_commands(
    text: str, lines: list[str]
) -> None:
    assert folded(text, 16, indent=2).split("\n") == lines


def test_parts_stay_whole_where_they_are_told() -> None:
    assert folded("peak 64 KiB · CPU 0.20s", 16, indent=2, between=" · ") == (
        "peak 64 KiB\n  CPU 0.20s"
    )


def test_wide_characters_count_two_columns() -> None:
    assert folded("日本語 日本語 日本語", 16, indent=2) == "日本語 日本語\n  日本語"


@given(st.text(alphabet="ab `\n", max_size=60), st.integers(1, 30), st.integers(0, 4))
def test_no_word_is_lost(text: str, columns: int, indent: int) -> None:
    assert folded(text, columns, indent=indent).split() == text.split()
