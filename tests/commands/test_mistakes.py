"""What is typed by mistake or from habit, and what answers it: the table `mistakes.txt`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atectl.commands.main import dispatch
from atectl.commands.options.habits import ADVICE, OF_GROUPS, OPTIONS, SETTINGS
from atectl.commands.options.tree import CommandLine, read_tree
from tests.support.lock_examples import load_examples
from tests.support.mistakes import Mistake, is_as_told, lay_out, mistakes, type_it
from tests.support.redis_servers import Server

NAMES = {name for line in read_tree().walk() for each in line.options for name in each.names}
COMMAND_LINES = [line for line in read_tree().walk() if not line.subcommands]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that the mistakes share."""
    with Server() as server:
        yield server


@pytest.mark.xdist_group("mistakes")
@pytest.mark.parametrize("mistake", mistakes(), ids=lambda mistake: mistake.typed)
def test_a_mistake_is_answered_as_the_table_says(
    mistake: Mistake, server: Server, tmp_path: Path
) -> None:
    lay_out(tmp_path)
    with server.client() as client:
        load_examples(client)
    environment = {"SERVER": f"{server.url}/0", "ADDRESS": server.address}
    shown, status = type_it(mistake.typed, tmp_path, environment)
    assert is_as_told(shown, mistake.shown), shown
    assert status == mistake.status


@pytest.mark.parametrize("line", COMMAND_LINES, ids=lambda line: " ".join(line.path))
def test_every_command_answers_an_unknown_option_alike(
    line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    path = line.path
    assert dispatch([*path, "--no-such-thing"]) == 2
    first, remedy = capsys.readouterr().err.splitlines()
    assert first == "error[E101]: there is no option --no-such-thing"
    assert remedy.startswith(f"  try: `atectl {' '.join(path)} --help` ")


def test_every_habit_leads_to_an_option_that_some_command_has() -> None:
    meant = {each.partition(" ")[0] for names in OPTIONS.values() for each in names}
    meant |= {each.partition(" ")[0] for names in SETTINGS.values() for each in names}
    assert meant <= NAMES


def test_advice_is_for_commands_that_there_are_and_options_that_they_lack() -> None:
    own = {" ".join(line.path): line for line in read_tree().walk()}
    for command, option in ADVICE:
        names = [name for each in own[command].options for name in each.names]
        assert option not in names


def test_a_command_of_another_name_is_none_of_ours() -> None:
    own = {" ".join(("atectl", *line.path)) for line in read_tree().walk()}
    habits = {f"{group} {word}" for group, words in OF_GROUPS.items() for word in words}
    assert not habits & own
