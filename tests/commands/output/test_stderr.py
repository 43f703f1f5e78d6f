"""Errors on a terminal: how their first words stand out."""

import os
from pathlib import Path

import pytest

from atectl.commands.drawing.tones import ALARM
from tests.support.cells import Cell
from tests.support.program import ATECTL
from tests.support.pty_screen import PtyScreen

PLAIN, BOLD = Cell("e"), Cell("e", is_bold=True)
LOUD = Cell("e", "ffffff", "d70000", is_bold=True)


def first_letter(tmp_path: Path, **environment: str) -> Cell:
    """The first letter of an error on a terminal of that kind."""
    kept = {name: value for name, value in os.environ.items() if name != "COLORTERM"}
    command = [ATECTL, "run", str(tmp_path / "missing.wasm")]
    with PtyScreen(command, {**kept, **environment}) as screen:
        assert screen.end() == 127
        return screen.cells[0][0]


@pytest.mark.parametrize(
    ("environment", "cell"),
    [
        ({"TERM": "xterm-256color"}, LOUD),
        ({"TERM": "foot", "COLORTERM": "truecolor"}, LOUD),
        ({"TERM": "xterm"}, BOLD),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, PLAIN),
        ({"TERM": "dumb"}, PLAIN),
    ],
)
def test_an_error_stands_out_as_far_as_the_terminal_can_show_it(
    tmp_path: Path, environment: dict[str, str], cell: Cell
) -> None:
    assert first_letter(tmp_path, **environment) == cell


def test_an_error_has_the_colours_of_an_alarm() -> None:
    # What is an error of a live screen and an error on stderr look the same.
    assert ALARM == "bold color(231) on color(160)"
