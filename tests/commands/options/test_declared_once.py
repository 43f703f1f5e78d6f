"""Options that several commands have: declared in one place, and the same everywhere."""

import ast
from collections import Counter
from typing import Any, NamedTuple

import pytest
import typer

from atectl.commands.app import app
from atectl.commands.options.host import HostOptions
from atectl.commands.options.output import OUTPUT, ROWS
from atectl.commands.options.places import LEDGER, RedisOptions
from atectl.commands.options.table import options_of
from atectl.commands.options.tree import read_tree
from tests.conftest import ROOT

REDIS = {option.name for option in options_of(RedisOptions).values()}
HOST = {option.name for option in options_of(HostOptions).values()}


class Shown(NamedTuple):
    """What help shows of an option."""

    names: tuple[str, ...]
    metavar: str | None
    help: str
    default: Any


def options_by_command() -> dict[str, dict[str, Shown]]:
    """Of each command, its options by their longest names."""
    root = typer.main.get_command(app)
    found = {}
    for line in read_tree().walk():
        command: Any = root
        for word in line.path:
            command = command.get_command(None, word)
        found[" ".join(line.path)] = {
            max(each.opts, key=len): Shown(
                tuple(sorted(each.opts)),
                each.metavar,
                each.help,
                each.default,
            )
            for each in command.params
            if each.param_type_name == "option"
        }
    return found


BY_COMMAND = options_by_command()
WITH_REDIS = sorted(command for command, options in BY_COMMAND.items() if "--redis" in options)
WITH_LEDGER = sorted(command for command, options in BY_COMMAND.items() if "--ledger" in options)


def test_these_commands_need_redis() -> None:
    assert [
        *(
            "locks audit",
            "locks demo",
            "locks hold",
            "locks ls",
            "locks release",
            "locks show",
            "run",
        ),
    ] == WITH_REDIS


@pytest.mark.parametrize("command", WITH_REDIS)
def test_a_command_that_needs_redis_has_all_its_options_with_the_same_help(command: str) -> None:
    options = BY_COMMAND[command]
    assert options.keys() >= REDIS
    assert {name: options[name] for name in REDIS} == {
        name: BY_COMMAND["locks ls"][name] for name in REDIS
    }


def test_a_budget_is_checked_with_the_host_options_of_a_batch() -> None:
    checked, batch = BY_COMMAND["budget check"], BY_COMMAND["batch"]
    assert checked.keys() >= HOST
    assert {name: checked[name] for name in HOST} == {name: batch[name] for name in HOST}


@pytest.mark.parametrize("command", WITH_LEDGER)
def test_the_ledger_is_named_by_the_same_option_everywhere(command: str) -> None:
    assert BY_COMMAND[command]["--ledger"] == BY_COMMAND["ledger ls"]["--ledger"]


def test_commands_of_the_ledger_locks_and_batches_name_a_ledger() -> None:
    assert {"run", "batch", "ledger ls", "locks ls", "budget plan"} <= set(WITH_LEDGER)


DECLARED = Counter(
    word.value
    for path in (ROOT / "commands").rglob("*.py")
    for call in ast.walk(ast.parse(path.read_text()))
    if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Option", "typer.Option")
    for word in call.args
    if isinstance(word, ast.Constant)
)
"""How often each option is declared, by its names."""

TWO_MEANINGS = {"--jobs": 2, "--output": 2}
"""What runs at once, and what loads; the forms of most output, and those of a listing."""


@pytest.mark.parametrize("name", sorted({*REDIS, *HOST, LEDGER.name, OUTPUT.name, ROWS.name}))
def test_its_declaration_stands_once(name: str) -> None:
    assert DECLARED[name] == TWO_MEANINGS.get(name, 1)
