"""The Lua scripts of locks, each in a file of its own."""

from typing import get_args

import pytest

from atectl.locks import scripts
from atectl.locks.scripts import FOLDER, ScriptName, source_of


def test_every_file_is_a_script_that_can_be_asked_for_and_every_script_has_a_file() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(get_args(ScriptName))


@pytest.mark.parametrize("name", get_args(ScriptName))
def test_a_script_says_what_its_keys_and_arguments_are(name: ScriptName) -> None:
    source = source_of(name)
    assert "-- KEYS: " in source
    assert "-- ARGV: " in source


def test_a_file_is_read_when_its_script_is_first_needed_and_not_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source_of.cache_clear()
    first = source_of("look")
    monkeypatch.setattr(scripts, "FOLDER", FOLDER / "nowhere")
    assert source_of("look") == first
    with pytest.raises(FileNotFoundError):
        source_of("renew")
