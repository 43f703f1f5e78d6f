"""`atectl cache`: what is kept, how it is shown, how it is removed."""

import io
import json
import os
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from atectl import config
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.cache_entries import Entry
from atectl.capsule.cache_list import ArtifactList
from atectl.commands.cache.view import cache_table
from atectl.commands.main import dispatch
from atectl.engine.metered import Engine
from atectl.units import show_size
from tests.support.loading import load

NOW = 1_800_000_000.0
ENTRIES = [
    Entry("k1", "hello.wat", "module", "ab" * 32, "wasmtime-50.0.1-metered-plain", 10_854, NOW - 3),
    Entry(
        "k2",
        "a-capsule-with-a-rather-long-name-of-its-own.wasm",
        "component",
        "cd" * 32,
        "wasmtime-50.0.1-metered-fuel",
        27_170_903,
        NOW - 90_000,
    ),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def two_kept(tmp_path: Path) -> list[str]:
    """Names of two capsules in the configured cache, the most recently used first."""
    engine = Engine()
    with ArtifactCache.open(config.cache_dir()) as cache:
        for name, seconds_ago in (("old.wat", 100), ("new.wat", 0)):
            (tmp_path / name).write_text(f'(module (func (export "{name}")))')
            load(engine, tmp_path / name, cache)
            when = time.time() - seconds_ago
            for record in config.cache_dir().glob("*.meta"):
                if name.encode() in record.read_bytes():
                    os.utime(record, (when, when))
    engine.close()
    return ["new.wat", "old.wat"]


def listed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert dispatch(["cache", "ls", "-o", "json"]) == 0
    return [each["capsule"] for each in json.loads(capsys.readouterr().out)["artifacts"]]


def drawn(entries: list[Entry], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    total = sum(entry.size_bytes for entry in entries)
    found = ArtifactList(Path("/home/me/.cache/atectl"), 2 << 30, total, tuple(entries))
    console.print(cache_table(found, now=NOW))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


# Listing


def test_the_json_of_a_listing(two_kept: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["cache", "ls", "-o", "json"]) == 0
    body = json.loads(capsys.readouterr().out)
    artifacts = body["artifacts"]
    assert [artifact.pop("capsule") for artifact in artifacts] == two_kept
    assert body["schema_version"] == 1
    assert body["folder"] == str(config.cache_dir())
    assert body["max_bytes"] == config.cache_max_bytes()
    assert body["total_bytes"] == sum(artifact["size_bytes"] for artifact in artifacts)
    assert set(artifacts[0]) == {"kind", "sha256", "engine", "size_bytes", "used_at"}
    assert artifacts[0]["used_at"].endswith("Z")


def test_the_table_of_a_listing(two_kept: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["cache", "ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == two_kept
    assert lines[3].startswith("2 compiled capsules, ")
    assert lines[3].rstrip().endswith(str(config.cache_dir()))


def test_an_empty_cache_is_listed_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["cache", "ls"]) == 0
    assert capsys.readouterr().out.startswith("0 compiled capsules, 0 B of 2 GiB, in ")


def test_looking_at_a_cache_that_is_not_there_makes_no_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["cache", "ls"]) == 0
    assert capsys.readouterr().out.startswith("0 compiled capsules")
    assert not config.cache_dir().exists()


def test_a_cache_that_others_may_use_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    config.cache_dir().mkdir()
    config.cache_dir().chmod(0o755)
    assert dispatch(["cache", "ls"]) == 125
    assert "error[E601]" in capsys.readouterr().err


def test_a_folder_name_is_shown_inert(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "\x1b[31m[bold]"))
    assert dispatch(["cache", "ls"]) == 0
    assert r"\x1b[31m[bold]" in capsys.readouterr().out.replace("\n", "")


# Removing


def test_pruning_removes_the_least_recently_used(
    two_kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with ArtifactCache.open(config.cache_dir()) as cache:
        newest = cache.entries()[0].size_bytes
    assert dispatch(["cache", "prune", "--max-size", str(newest)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("removed 1 compiled capsule, ")
    assert said.endswith(f"; {show_size(newest)} left\n")
    assert listed(capsys) == ["new.wat"]


def test_pruning_without_a_size_keeps_what_the_cache_may_take(
    two_kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["cache", "prune"]) == 0
    assert capsys.readouterr().out.startswith("removed 0 compiled capsules, 0 B; ")
    assert listed(capsys) == two_kept


@pytest.mark.parametrize("size", ["lots", "0", "-1", "0.3B"])
def test_a_size_that_is_none_is_a_usage_error(
    two_kept: list[str], size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["cache", "prune", f"--max-size={size}"]) == 2
    assert "error[E102]" in capsys.readouterr().err
    assert listed(capsys) == two_kept


def test_clearing_with_yes_asks_nothing(
    two_kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["cache", "clear", "--yes"]) == 0
    assert capsys.readouterr().out.startswith("removed 2 compiled capsules, ")
    assert listed(capsys) == []


def test_clearing_without_anybody_to_ask_removes_nothing(
    two_kept: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert dispatch(["cache", "clear"]) == 2
    assert "error[E111]" in capsys.readouterr().err
    assert listed(capsys) == two_kept


@pytest.mark.parametrize(
    ("answer", "status", "left"), [("y", 0, []), ("n", 1, ["new.wat", "old.wat"])]
)
def test_clearing_asks_on_a_terminal(
    two_kept: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    status: int,
    left: list[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    assert dispatch(["cache", "clear"]) == status
    told = capsys.readouterr()
    assert "Remove 2 compiled capsules in " in told.err
    assert ("nothing was removed" in told.out) == (answer == "n")
    assert ("removed 2 compiled capsules" in told.out) == (answer == "y")
    assert listed(capsys) == left


# The view


AT_60 = """\
CAPSULE            SIZE        USED  KIND       SHA-256
hello.wat      10.6 KiB      3s ago  module     abababababab
a-caps…n.wasm  25.9 MiB   1d01h ago  component  cdcdcdcdcdcd
hidden: ENGINE (-o wide)
2 compiled capsules, 25.9 MiB of 2 GiB, in
/home/me/.cache/atectl"""

AT_80 = """\
CAPSULE                                SIZE        USED  KIND       SHA-256
hello.wat                          10.6 KiB      3s ago  module     abababababab
a-capsule-with-a…-of-its-own.wasm  25.9 MiB   1d01h ago  component  cdcdcdcdcdcd
hidden: ENGINE (-o wide)
2 compiled capsules, 25.9 MiB of 2 GiB, in /home/me/.cache/atectl"""

AT_120 = """\
CAPSULE                                         SIZE        USED  KIND       SHA-256       ENGINE
hello.wat                                   10.6 KiB      3s ago  module     abababababab  PLAIN
a-capsule-with-a-rath…name-of-its-own.wasm  25.9 MiB   1d01h ago  component  cdcdcdcdcdcd  FUEL
shortened: CAPSULE (-o wide)
2 compiled capsules, 25.9 MiB of 2 GiB, in /home/me/.cache/atectl"""
AT_120 = AT_120.replace("PLAIN", ENTRIES[0].engine).replace("FUEL", ENTRIES[1].engine)


@pytest.mark.parametrize(("width", "table"), [(60, AT_60), (80, AT_80), (120, AT_120)])
def test_the_view_leaves_out_columns_that_do_not_fit(width: int, table: str) -> None:
    assert drawn(ENTRIES, width) == table


def test_a_capsule_name_is_shown_as_it_is() -> None:
    hostile = ENTRIES[0]._replace(capsule="[red]\x1b]0;title\x07")
    assert r"[red]\x1b]0;title\x07" in drawn([hostile], 120)
