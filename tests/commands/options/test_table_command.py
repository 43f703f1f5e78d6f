"""Commands that read their own words, as Typer shows them."""

import json

import pytest

from atectl.arbitration.policies import POLICY_NAMES
from atectl.commands.batch.arguments import TABLE as BATCH
from atectl.commands.options.table import OptionTable
from atectl.commands.options.tree import CommandLine, OptionNames, read_tree
from atectl.commands.run.arguments import TABLE as RUN
from tests.conftest import CAPSULES
from tests.support.program import atectl

HELLO = str(CAPSULES / "hello.wat")


def command(*path: str) -> CommandLine:
    return next(each for each in read_tree().walk() if each.path == path)


def option(line: CommandLine, name: str) -> OptionNames:
    return next(each for each in line.options if name in each.names)


@pytest.mark.parametrize(("name", "table"), [("run", RUN), ("batch", BATCH)])
def test_help_and_completions_know_every_option_of_the_table(name: str, table: OptionTable) -> None:
    line = command(name)
    known = {each for options in line.options for each in options.names}
    wanted = {
        each
        for options in table.options
        for each in (options.name, options.short, options.opposite)
        if each
    }
    assert known == wanted | {"--help", "-h"}


def test_choices_of_the_table_complete_its_values() -> None:
    value = option(command("batch"), "--policy").value
    assert value is not None
    assert value.choices == POLICY_NAMES


def test_help_says_the_range_and_the_default_of_a_value() -> None:
    shown = " ".join(atectl("batch", "--help", environment={"COLUMNS": "200"}).stdout.split())
    assert "From 1 to 4096." in shown
    assert "[default: 5s]" in shown
    assert "[default: --keep-going]" in shown


def test_help_is_the_same_wherever_it_is_asked_for() -> None:
    shown = atectl("batch", "--help")
    assert shown.status == 0
    for words in (["batch", "-", "-h"], ["batch", "-j2", "--help"], ["--", "batch", "-", "--help"]):
        assert atectl(*words) == shown


def test_a_command_that_is_reached_through_typer_reads_the_same_words() -> None:
    job = json.dumps({"capsule": HELLO}).encode()
    ended = atectl("--", "batch", "-j1", "-", stdin=job + b"\n")
    assert ended.status == 0, ended.stderr
    assert json.loads(ended.stdout)["reason"] == "exited"
    assert atectl("--", "run", "--max-mem", "1MiB", HELLO).stdout == "hello from a capsule\n"
