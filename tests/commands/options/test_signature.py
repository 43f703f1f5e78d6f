"""Groups of options in a command's signature, as Typer and its users see them."""

from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner, Result

from atectl.commands.options.help import CommandGroup
from atectl.commands.options.signature import with_option_groups
from atectl.commands.options.table import Option


class Colour(StrEnum):
    red = "red"
    blue = "blue"


class Paint(NamedTuple):
    colour: Annotated[
        Colour | None, Option("--paint-colour", "", "Which colour.", choices=tuple(Colour))
    ] = None
    coats: Annotated[int, Option("--coats", "N", "How often.", short="-c", lowest=1)] = 2


class Ladder(NamedTuple):
    length: Annotated[
        float | None, Option("--ladder", "LENGTH", "How long.", reads=lambda text: len(text) / 2)
    ] = None


class Wall(NamedTuple):
    height: Annotated[str | None, Option("--height", "LENGTH", "How high.", usually="by eye")] = (
        None
    )


taken: list[tuple[Any, ...]] = []

app = CommandGroup()


@app.command()
@with_option_groups
def decorate(
    room: str, first: bool = False, *, wall: Wall, last: bool = False, paint: Paint
) -> None:
    """Decorate a room."""
    taken.append((room, first, wall, last, paint))


def run(*words: str) -> Result:
    taken.clear()
    return CliRunner().invoke(app, words, env={"COLUMNS": "100", "NO_COLOR": "1"})


def test_a_command_is_given_each_group_as_one_value() -> None:
    words = ("--height", "2m", "--paint-colour", "blue", "-c", "3", "kitchen", "--last")
    assert run(*words).exit_code == 0
    assert taken == [("kitchen", False, Wall("2m"), True, Paint(Colour.blue, 3))]


def test_a_value_is_read_as_its_declaration_says() -> None:
    given: list[Ladder] = []
    climbing = typer.Typer()

    @climbing.command()
    @with_option_groups
    def climb(*, ladder: Ladder) -> None:
        given.append(ladder)

    assert CliRunner().invoke(climbing, ["--ladder", "tall"]).exit_code == 0
    assert CliRunner().invoke(climbing, []).exit_code == 0
    assert given == [Ladder(2.0), Ladder(None)]


def test_what_is_not_given_has_the_default_of_its_field() -> None:
    assert run("kitchen").exit_code == 0
    assert taken == [("kitchen", False, Wall(), False, Paint(None, 2))]


def test_help_lists_the_options_of_a_group_where_the_group_stands() -> None:
    shown = run("--help").stdout
    names = ("--first", "--height", "--last", "--paint-colour", "--coats", "--help")
    assert sorted(names, key=shown.index) == list(names)


def test_help_has_the_text_and_default_that_were_declared() -> None:
    shown = " ".join(run("--help").stdout.split())
    assert "Decorate a room." in shown
    assert "--paint-colour red|blue Which colour." in shown
    assert "-c, --coats N How often. [default: 2]" in shown
    assert "--height LENGTH How high. [default: by eye]" in shown


@pytest.mark.parametrize("words", [("--paint-colour", "green"), ("--coats", "0")])
def test_a_value_that_cannot_be_is_refused(words: tuple[str, ...]) -> None:
    assert run("kitchen", *words).exit_code == 2
    assert taken == []
