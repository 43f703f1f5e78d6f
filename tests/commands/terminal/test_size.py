"""How large a terminal is taken to be."""

import os
import pty
import termios

import pytest

from atectl.commands.terminal.size import drawing_width, terminal_size


@pytest.fixture
def terminal() -> int:
    _, end = pty.openpty()
    return end


def test_a_terminal_without_a_size_is_taken_for_a_usual_one(terminal: int) -> None:
    termios.tcsetwinsize(terminal, (0, 0))
    assert terminal_size(terminal) == os.terminal_size((80, 24))


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
