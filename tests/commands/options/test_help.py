"""Help: the same for all commands, whole at any width, with examples that can be typed."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer._click.core import Command, Context
from typer.core import TyperGroup

from atectl.commands.app import app
from atectl.commands.batch.arguments import parse as parse_batch
from atectl.commands.options.examples import EXAMPLES
from atectl.commands.options.help import HelpCommand, HelpGroup
from atectl.commands.options.help_page import HelpPage, help_page
from atectl.commands.options.help_text import help_text, option_says
from atectl.commands.run.arguments import parse as parse_run
from tests.support.program import atectl

PARSED_BY_TABLE = {"run": lambda words: parse_run(words, {}), "batch": parse_batch}


def commands(command: Command, ctx: Context) -> Iterator[tuple[Command, Context]]:
    """A command and all below it, those that help does not list left out."""
    yield command, ctx
    if isinstance(command, TyperGroup):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            if below is not None and not below.hidden:
                settings = below.context_settings
                yield from commands(below, Context(below, parent=ctx, info_name=name, **settings))


def every_command() -> dict[str, tuple[Command, HelpPage]]:
    root = typer.main.get_command(app)
    top = Context(root, info_name="atectl", **root.context_settings)
    return {ctx.command_path: (each, help_page(each, ctx)) for each, ctx in commands(root, top)}


ALL = every_command()
PAGES = {name: page for name, (_, page) in ALL.items()}
LEAVES = [name for name, (each, _) in ALL.items() if not isinstance(each, TyperGroup)]


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_our_help(name: str) -> None:
    assert isinstance(ALL[name][0], (HelpCommand, HelpGroup))


@pytest.mark.parametrize("name", PAGES)
def test_every_command_has_an_example(name: str) -> None:
    assert PAGES[name].examples


@pytest.mark.parametrize("name", LEAVES)
def test_every_example_of_a_command_is_one_of_it_and_parses(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "out"):  # Folders for a guest have to be there.
        Path(folder).mkdir()
    path = name.split()[1:]
    for example in EXAMPLES[name]:
        words = shlex.split(example.line)
        if path not in (["top"], ["ps"]):
            assert words[: len(path) + 1] == name.split()
        parse(words[1:])


def parse(words: list[str]) -> None:
    """Read a command line, and do nothing."""
    if words[0] in PARSED_BY_TABLE:
        PARSED_BY_TABLE[words[0]](words[1:])
        return
    command, ctx = typer.main.get_command(app), None
    while isinstance(command, TyperGroup):
        ctx = Context(command, parent=ctx, info_name=words[0])
        command = command.get_command(ctx, words.pop(0))
        assert command is not None
    command.make_context("example", words, parent=ctx)


def test_an_example_that_is_mistyped_would_be_seen() -> None:
    with pytest.raises(Exception, match="--stail"):
        parse(["locks", "ls", "--stail"])


def test_examples_are_of_commands_that_there_are() -> None:
    assert EXAMPLES.keys() <= PAGES.keys()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_help_fits_its_width_and_cuts_nothing(name: str, width: int) -> None:
    page = PAGES[name]
    shown = help_text(page, width)
    commands_shown = [example.line for example in page.examples]
    for line in shown.splitlines():
        assert len(line) <= min(width, 100) or line.strip() in commands_shown, line
    in_one = " ".join(shown.split())
    for option in page.options:
        assert " ".join(option_says(option).split()) in in_one
        assert all(name in in_one for name in option.names)
    for says in (*page.paragraphs, *(says for _, says in page.commands)):
        assert says in in_one


@pytest.mark.parametrize("name", PAGES)
def test_an_example_fits_80_columns(name: str) -> None:
    assert all(len(example.line) <= 76 for example in PAGES[name].examples)


@pytest.mark.parametrize("name", PAGES)
def test_every_option_and_command_says_what_it_is_for(name: str) -> None:
    page = PAGES[name]
    for each in (*page.options, *page.arguments):
        assert each.says.endswith("."), each
    assert all(says for _, says in page.commands)
    assert page.paragraphs


def test_a_group_without_a_command_shows_its_help_and_is_a_mistake() -> None:
    ended = atectl("locks")
    assert (ended.status, ended.stderr) == (2, "")
    assert ended.stdout == atectl("locks", "--help").stdout


def test_help_is_as_wide_as_the_terminal_and_has_no_escapes_in_a_pipe() -> None:
    shown = atectl("run", "--help", environment={"COLUMNS": "60"}).stdout
    assert max(map(len, shown.splitlines())) <= 76
    assert "\x1b" not in shown


def test_options_that_belong_together_stand_together() -> None:
    groups = [option.group for option in PAGES["atectl run"].options]
    assert list(dict.fromkeys(groups)) == [
        *("Limits", "What the guest gets", "Who is charged", "Output", "Loading", "Actor lock"),
        *("Settings", "Redis server", "Options"),
    ]
    assert groups == sorted(groups, key=groups.index)


@pytest.mark.parametrize("name", ["atectl run", "atectl batch", "atectl host join"])
def test_of_the_commands_with_many_options_each_is_in_a_group(name: str) -> None:
    loose = [option.names for option in PAGES[name].options if option.group == "Options"]
    assert loose == [("-h", "--help")]


def test_what_is_in_no_group_stands_first() -> None:
    assert PAGES["atectl locks ls"].options[0].group == "Options"


def test_a_default_is_not_torn_from_its_word() -> None:
    shown = help_text(PAGES["atectl run"], 80)
    assert not [line for line in shown.splitlines() if line.endswith("[default:")]
