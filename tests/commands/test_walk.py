"""A stranger's walk: what the commands show at several widths, and how well it can be read.

Each is run in a pseudo-terminal, keys included, and every screen on the way is looked at: no escape
sequence is to be read there, no frame of a live table is left, nothing is cut that one acts on, and
no word is hard to read on a light or a dark terminal.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cell, Cells
from tests.support.fleets import Fleet
from tests.support.palettes import PALETTES, contrast, drawn, needed
from tests.support.redis_servers import Server
from tests.support.walk import (
    COLUMNS,
    LONG,
    LONG_HOST,
    Walk,
    two_hosts,
    walk_batch,
    walk_budget,
    walk_errors,
    walk_fleet,
    walk_help,
    walk_ledger,
    walk_locks,
    walk_rest,
    walk_run,
    walk_top,
)

pytestmark = [
    pytest.mark.parametrize("columns", COLUMNS),
    pytest.mark.usefixtures("shared_cache"),
]


@pytest.fixture
def walk(tmp_path: Path, columns: int) -> Walk:
    return Walk(tmp_path, columns)


def require_clean(walk: Walk) -> None:
    """No escape sequence is to be read, no live table is left, and all words can be read."""
    for name, look in walk.looks.items():
        assert not re.search(r"\x1b|(?<!\\x1b)\[[0-9;]+m", look.text), name
        if "live table" not in name:
            assert not re.search(r"^(pressure|minute) ", look.text, re.MULTILINE), name
        assert not hard_to_read(look.cells), name


def hard_to_read(cells: Cells) -> set[tuple[str, Cell]]:
    """The letters and digits whose contrast is too low, each with a palette in which it is."""
    words = {cell._replace(text="x") for row in cells for cell in row if cell.text.isalnum()}
    return {
        (palette.name, cell)
        for palette in PALETTES
        for cell in words
        if contrast(*drawn(cell, palette)) < needed(palette)
    }


def words_of(text: str) -> str:
    return " ".join(text.split())


def test_a_run_and_its_refused_growth(walk: Walk) -> None:
    walk_run(walk)
    require_clean(walk)
    refused, live, stopped = (look.text for look in walk.looks.values())
    assert "held 9 MiB" in refused
    assert "beyond the quota of 10 MiB (10485760 bytes); --max-mem raises it" in words_of(refused)
    assert "64 KiB / 1 MiB" in live
    assert "interrupted 130" in words_of(stopped)
    assert "host pressure" not in stopped


def test_a_batch_whose_jobs_fail(walk: Walk, columns: int) -> None:
    walk_batch(walk)
    require_clean(walk)
    planned, failed, _tagged, live, stopped = (look.text for look in walk.looks.values())
    assert ("hidden: " in planned) == (columns < 80)
    for outcome in ("exited 0", "exited 3", "trapped 134"):
        assert outcome in failed
    assert "2 × exited 3: error: no such input" in failed
    assert "1 done, 4 failed" in failed
    assert live.count("running") == 2
    assert "1 done, 4 failed, 2 interrupted, 1 not started" in stopped


def test_budgets_checked_planned_and_replayed(walk: Walk) -> None:
    walk_budget(walk)
    require_clean(walk)
    verdicts = [
        re.findall(r"^verdict: (\w+)", look.text, re.MULTILINE) for look in walk.looks.values()
    ]
    assert [each for found in verdicts for each in found] == [
        "overcommitted", "fits", "overcommitted", "unsatisfiable",
    ]  # fmt: skip


def test_who_used_how_much(walk: Walk, columns: int) -> None:
    walk_ledger(walk)
    require_clean(walk)
    running = walk.looks["ledger ps"].text
    assert ("hidden: " in running) == (columns < 200)
    if columns >= 80:
        assert re.search(r"\b[0-9a-f]{12}-[0-9a-f]{8}\b", running)
    assert "departm" in running
    assert "le.com" in running


def test_top_and_its_keys(walk: Walk) -> None:
    walk_top(walk)
    require_clean(walk)
    assert LONG in walk.looks["ledger top, details"].text
    assert "s since" in walk.looks["ledger top, ?"].text
    assert re.search(r"spin\.wat, process \d+, of", walk.looks["ledger top, k"].text)
    small = walk.looks["ledger top, 50 columns and 12 rows"]
    assert len(small.cells) == 12


def test_locks_that_are_laid_listed_and_watched(walk: Walk, columns: int, valkey: Server) -> None:
    walk.environment["ATECTL_REDIS_URL"] = valkey.url
    walk_locks(walk)
    require_clean(walk)
    listed = walk.looks["locks ls"].text
    assert listed.count("ACTOR IS") == 1
    assert "looking again" not in listed
    # A holder of the samples has an escape sequence in its name. It is spelled out.
    assert ("\\x1b[31mred" in listed) == (columns >= 120)
    names = {"batch", "counter", "crawler", "importer", "mailer", "web"}
    assert names <= {line.split(" ")[0] for line in listed.splitlines()}
    assert ("hidden: " in listed) == (columns < 200)
    assert "12 listed: " in listed


@pytest.fixture(scope="module")
def hosts() -> Iterator[Fleet]:
    pytest.importorskip("distributed")
    with two_hosts() as found:
        yield found


@pytest.mark.slow
@pytest.mark.xdist_group("walk over a fleet")
def test_hosts_that_run_a_batch(walk: Walk, columns: int, hosts: Fleet) -> None:
    walk_fleet(walk, hosts)
    require_clean(walk)
    listed, whole, live, stopped = (look.text for look in walk.looks.values())
    assert ("hidden: " in listed) == (columns < 120)
    assert "2 hosts, 4 jobs running" in listed
    assert LONG_HOST in whole
    assert {"SHARES", "STATE"} <= set(whole.split())
    assert LONG_HOST[-7:] in live
    assert "SLOTS" not in stopped
    assert "4 interrupted" in stopped


def test_mistakes_are_told_in_whole_words(walk: Walk, columns: int) -> None:
    walk_errors(walk)
    require_clean(walk)
    for name, look in walk.looks.items():
        cut = [line for line in look.text.splitlines() if len(line) == columns]
        assert not any(re.search(r"\w$", line) and is_cut(line, look.text) for line in cut), name


_INDENT = 2
"""By how much a message is indented that goes on in the next line."""


def is_cut(line: str, text: str) -> bool:
    """Whether the terminal broke a line within a word that fits a line: what goes on is not
    indented then."""
    after = text.partition(f"{line}\n")[2]
    if not re.match(r"\w", after) or after.startswith(("error[", "default ")):
        return False
    return len(line.split()[-1] + after.split()[0]) <= len(line) - _INDENT


def test_help_fits(walk: Walk, columns: int) -> None:
    walk_help(walk)
    require_clean(walk)
    for look in walk.looks.values():
        assert "…" not in look.text
        assert "Usage: atectl" in look.text


def test_the_rest(walk: Walk) -> None:
    walk_rest(walk)
    require_clean(walk)
    assert "18 checks: no problems" in walk.looks["doctor"].text
    settings = walk.looks["config show"].text
    assert "…" not in settings
