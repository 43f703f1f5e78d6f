"""What a completion file asks for at a TAB is answered as the commands declare it."""

from pathlib import Path

import pytest

from atectl.commands.completions.candidates import print_candidates
from atectl.commands.options.candidates import CANDIDATES
from atectl.commands.options.tree import Completes, find_parameter, read_tree
from atectl.commands.schema.documents import DOCUMENTS
from tests.conftest import CAPSULES
from tests.support.program import atectl

ASKED = [
    (" ".join(command.path), value.name)
    for command in read_tree().walk()
    for value in (*command.arguments, *(each.value for each in command.options if each.value))
    if value.completes is Completes.CANDIDATES
]
"""Every parameter that the completion files ask for, with its command."""


@pytest.mark.parametrize("incomplete", ["", "e", "E1"])
@pytest.mark.parametrize(("command", "parameter"), ASKED)
def test_a_parameter_gets_the_same_candidates_without_typer_as_from_it(
    command: str, parameter: str, incomplete: str, capsys: pytest.CaptureFixture[str]
) -> None:
    context, declared = find_parameter(command.split(), parameter)
    offered = [item.value for item in declared.shell_complete(context, incomplete)]
    if print_candidates(["--", command, parameter, incomplete]):
        assert capsys.readouterr().out.splitlines() == offered
    else:
        assert parameter not in CANDIDATES


def test_a_parameter_that_only_typer_knows_is_found_there() -> None:
    asked = atectl("completions", "candidates", "--", "schema", "name", "")
    assert asked.stdout.splitlines() == [document.name for document in DOCUMENTS]


@pytest.mark.parametrize("words", [[], ["--help"], ["--", "run"], ["run", "principal", ""]])
def test_other_words_are_left_to_typer(words: list[str]) -> None:
    assert not print_candidates(words)


def test_the_ledger_that_the_words_name_is_asked(tmp_path: Path) -> None:
    place = str(tmp_path / "named.db")
    assert (
        atectl("run", "--principal", "tabby", "--ledger", place, CAPSULES / "hello.wat").status == 0
    )
    asked = atectl("completions", "candidates", "--ledger", place, "--", "run", "principal", "t")
    assert asked.stdout == "tabby\n"
