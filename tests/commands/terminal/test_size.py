"""How large a terminal is taken to be."""

import os
import pty
import termios

import pytest

from atectl.commands.terminal.size import LARGEST_SCREEN, drawing_width, screen_size, terminal_size


@pytest.fixture
def terminal() -> int:
    _, end = pty.openpty()
    return end


def test_a_terminal_without_a_size_is_taken_for_a_usual_one(terminal: int) -> None:
    termios.tcsetwinsize(terminal, (0, 0))
    assert terminal_size(terminal) == os.terminal_size((80, 24))


def test_a_screen_fills_no_more_than_any_screen_has(terminal: int) -> None:
    termios.tcsetwinsize(terminal, (65_535, 65_535))
    assert screen_size(terminal) == LARGEST_SCREEN
    termios.tcsetwinsize(terminal, (50, 65_535))
    assert screen_size(terminal) == os.terminal_size((1000, 50))


@pytest.mark.parametrize(
    ("said", "columns"),
    [("", 100), ("60", 60), ("200", 100), ("0", 100), ("x", 100), ("-5", 100), ("99999", 100)],
)
def test_columns_may_make_it_narrower_and_not_wider(
    terminal: int, monkeypatch: pytest.MonkeyPatch, said: str, columns: int
) -> None:
    termios.tcsetwinsize(terminal, (30, 100))
    monkeypatch.setenv("COLUMNS", said)
    assert drawing_width(terminal) == columns
