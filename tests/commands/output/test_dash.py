"""What `-` means to an option that takes a place to write to."""

from pathlib import Path

import pytest

from atectl.commands.options.tree import read_tree
from tests.conftest import CAPSULES
from tests.support.program import atectl

HELLO = str(CAPSULES / "hello.wat")

REFUSING = {
    "batch --chart": ("batch", "-"),
    "batch --results": ("batch", "-"),
    "batch --trace": ("batch", "-"),
    "budget plan --write": ("budget", "plan"),
    "budget simulate --chart": ("budget", "simulate", "trace"),
    "ledger report --html": ("ledger", "report"),
    "ledger report --svg": ("ledger", "report"),
}
"""How each is asked for, without the option itself."""

STREAMS = {"load --chart", "run --report"}

READING = {
    "batch --resume-from",
    "budget plan --diff",
    "ledger serve --token-file",
    "load --budget",
    "run --env-file",
}
"""Options of files that are read."""
CONNECTING = ("--tls-", "--redis-")


def names_of(*metavars: str) -> set[str]:
    return {
        f"{' '.join(line.path)} {option.names[-1]}"
        for line in read_tree().walk()
        for option in line.options
        if option.value is not None and option.value.metavar in metavars
    }


def test_every_option_of_a_file_is_known_here() -> None:
    assert names_of("FILE|-") == STREAMS
    named = {name for name in names_of("FILE") if not any(each in name for each in CONNECTING)}
    assert named - READING == REFUSING.keys() - {"batch --results"}


@pytest.mark.parametrize("name", REFUSING)
def test_an_option_of_a_place_alone_refuses_a_dash(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    option = name.split()[-1]
    ended = atectl(*REFUSING[name], option, "-", stdin=f'{{"capsule": "{HELLO}"}}'.encode())
    assert (ended.status, ended.stdout) == (2, "")
    assert f"error[E101]: {option} takes a f" in ended.stderr
    assert "try: name a f" in ended.stderr
    assert not (tmp_path / "-").exists()


def test_a_dash_is_a_stream_where_help_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert '"reason": "exited"' in atectl("run", "--report", "-", HELLO).stderr
    bare = atectl("load", HELLO).stdout
    assert len(atectl("load", "--chart", "-", HELLO).stdout) > len(bare)
    assert not (tmp_path / "-").exists()
