"""Options that had another name: the old one is taken for a release, and nowhere shown."""

import pytest
import typer

from atectl.commands.app import app
from atectl.commands.options.renamed import OLD_NAMES, with_old_names
from atectl.commands.options.tree import read_tree
from tests.support.program import atectl

LINES = {" ".join(line.path): line for line in read_tree().walk() if not line.subcommands}
NO_LEDGER_OF_MINE = {"ATECTL_REDIS_URL": "redis://127.0.0.1:1"}


def command(path: str) -> typer.core.TyperCommand:
    found = typer.main.get_command(app)
    for word in path.split():
        found = found.get_command(None, word)  # type: ignore[attr-defined]
    return found


RENAMED = {path: list(with_old_names(command(path).params)) for path in LINES}


def test_each_renamed_option_is_one_that_some_command_has() -> None:
    found = {name for options in RENAMED.values() for _, name in options}
    assert found == set(OLD_NAMES.values())


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (("ledger", "ls", "--rows", "0"), ("ledger", "ls", "--limit", "0")),
        (("ledger", "history", "--rows=x"), ("ledger", "history", "--limit=x")),
        (("load", "--jobs", "0", "x"), ("load", "--concurrency", "0", "x")),
        (("locks", "ls", "--lock-ttl", "1ms"), ("locks", "ls", "--ttl", "1ms")),
        (
            ("locks", "hold", "--lock-wait", "soon", "a/b", "ls", "--wait"),
            ("locks", "hold", "--wait", "soon", "a/b", "ls", "--wait"),
        ),
    ],
)
def test_an_old_name_means_what_the_new_one_means(
    new: tuple[str, ...], old: tuple[str, ...]
) -> None:
    expected = atectl(*new, environment=NO_LEDGER_OF_MINE)
    assert expected.status == 2
    assert "there is no option" not in expected.stderr
    assert atectl(*old, environment=NO_LEDGER_OF_MINE) == expected


def test_no_old_name_is_shown_where_its_option_has_a_new_one() -> None:
    for path, options in RENAMED.items():
        shown = {name for option in LINES[path].options for name in option.names}
        assert not shown & {name for _, name in options}
