"""The files of fixed shell text, and how they are filled."""

import shutil
import subprocess
from pathlib import Path

import pytest

from atectl.commands.completions import shell_text
from atectl.commands.completions.shell_text import FOLDER, fill

SHELL_OF = {
    "atectl.bash": "bash",
    "_atectl": "zsh",
    "_atectl.group": "zsh",
    "atectl.fish": "fish",
}


@pytest.mark.parametrize(("template", "shell"), SHELL_OF.items())
def test_a_template_is_a_program_of_its_shell(template: str, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    read = subprocess.run([program, "-n", FOLDER / template], capture_output=True, text=True)
    assert (read.returncode, read.stderr) == (0, "")


def test_every_template_is_read() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(SHELL_OF)


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(shell_text, "FOLDER", tmp_path)
    (tmp_path / "some.sh").write_text("before\n  #@ first\nbetween # @ no place\n#@ second\n")
    return "some.sh"


def test_places_are_filled_with_whole_lines(template: str) -> None:
    filled = fill(template, first="  a $b\n  #@ c\n", second="")
    assert filled == "before\n  a $b\n  #@ c\nbetween # @ no place\n"


def test_a_place_that_is_not_filled_is_an_error(template: str) -> None:
    with pytest.raises(KeyError, match="second"):
        fill(template, first="")


def test_a_place_that_is_not_there_is_an_error(template: str) -> None:
    with pytest.raises(KeyError, match="third"):
        fill(template, first="", second="", third="")
