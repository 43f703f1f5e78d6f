"""A stranger's walk: what run, batch, budget, locks, the ledger and top show at several widths.

Each is run in a pseudo-terminal, keys included, and the screen is looked at: no escape sequence is
to be read there, no frame of a live table is to be left, and nothing is cut that one acts on.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CAPSULES, ROOT
from tests.support.program import ATECTL, atectl
from tests.support.pty_screen import PtyScreen
from tests.support.redis_servers import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.parametrize("columns", [60, 80, 120, 200])

LONG = "department-of-weights/measures@example.com"
DOWN, TAB, ENTER, ESCAPE = "\x1b[B", "\t", "\r", "\x1b"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return {**kept, "ATECTL_LEDGER": str(tmp_path / "ledger.db")}


def walk(environment: dict[str, str], columns: int, *words: str) -> PtyScreen:
    return PtyScreen([ATECTL, *words], environment, columns=columns, rows=40)


def require_clean(screen: PtyScreen) -> None:
    """No escape sequence is to be read, and no frame of a live table is left."""
    assert not re.search(r"\\x1b|\x1b|\[[0-9;]*m", screen.text), screen.text
    assert not re.search(r"^(pressure|minute) ", screen.text, re.MULTILINE), screen.text


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[int]:
    """A run of a principal with a long name; its process."""
    words = [ATECTL, "run", "--principal", LONG, "--label", "nightly", str(CAPSULES / "spin.wat")]
    program = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(
            lambda: LONG in atectl("ledger", "ps", "-o", "json", environment=environment).stdout
        )
        yield program.pid
    finally:
        program.kill()
        program.wait()


def test_a_run_and_its_refused_growth(environment: dict[str, str], columns: int) -> None:
    capsule = str(CAPSULES / "never-stops-growing.wat")
    with walk(environment, columns, "run", "--max-mem", "10MiB", capsule) as screen:
        assert screen.end() == 3
        require_clean(screen)
        said = " ".join(screen.text.split())
        assert "held 9 MiB" in said
        assert "--max-mem" in said


def test_a_batch_whose_jobs_fail(environment: dict[str, str], columns: int, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.jsonl"
    names = ["hello", "complains", "trap", "complains"]
    lines = [{"capsule": str(CAPSULES / f"{each}.wat"), "principal": LONG} for each in names]
    jobs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with walk(environment, columns, "batch", str(jobs)) as screen:
        assert screen.end() == 1
        require_clean(screen)
        said = screen.text
        for outcome in ("exited 0", "exited 3", "trapped 134"):
            assert outcome in said
        assert "2 × exited 3: error: no such input" in said
        assert "1 done, 3 failed" in said


def test_a_budget_that_is_checked(environment: dict[str, str], columns: int) -> None:
    file = str(ROOT / "fixtures" / "budgets" / "headline.toml")
    with walk(environment, columns, "budget", "check", file, "--limit", "1GiB") as screen:
        assert screen.end() in (0, 1)
        require_clean(screen)
        assert "1 GiB" in screen.text


def test_locks_that_are_laid_listed_and_watched(
    environment: dict[str, str], columns: int, valkey: Server
) -> None:
    environment["ATECTL_REDIS_URL"] = valkey.url
    with walk(environment, columns, "locks", "demo") as screen:
        assert screen.end() == 0
        assert "atectl locks demo --remove" in screen.text
    with walk(environment, columns, "locks", "ls", "--lock-ttl", "3s") as screen:
        screen.until_shown("looking again in ")
        assert screen.end() == 0
        said = screen.text
        assert said.count("ACTOR IS") == 1
        assert "looking again" not in said
        # A holder of the samples has an escape sequence in its name. It is spelled out.
        assert "\x1b" not in said
        names = {"batch", "counter", "crawler", "importer", "mailer", "web"}
        assert names <= {line.split(" ")[0] for line in screen.lines}
        assert ("hidden: " in said) == (columns < 200)
        assert "12 listed: " in said
    with walk(environment, columns, "locks", "ls", "--watch") as screen:
        screen.until_shown("quit")
        screen.resize(50, 12)
        screen.until(lambda: screen.lines[11].startswith("q quit"))
        screen.send("q")
        assert screen.end() == 0
    with walk(environment, columns, "locks", "demo", "--remove") as screen:
        assert screen.end() == 0
        assert "26 keys removed" in screen.text


def test_what_runs_is_listed_with_what_one_acts_on(
    environment: dict[str, str], columns: int, running: int
) -> None:
    with walk(environment, columns, "ledger", "ps") as screen:
        assert screen.end() == 0
        require_clean(screen)
        said = screen.text
        assert str(running) in said
        assert ("hidden: " in said) == (columns < 200)
        if columns >= 80:
            assert re.search(r"\b[0-9a-f]{12}-[0-9a-f]{8}\b", said)
        assert "departm" in said
        assert "le.com" in said


def test_top_and_its_keys(environment: dict[str, str], columns: int, running: int) -> None:
    with walk(environment, columns, "ledger", "top", "-d", "200ms") as screen:
        screen.until_shown("running leases: 1")
        screen.send("?")
        screen.until_shown("end the selected lease")
        screen.send("x" + DOWN + ENTER)
        screen.until_shown(f"process         {running}")
        assert LONG in screen.text
        screen.send(ESCAPE)
        screen.until_shown("running leases: 1")
        screen.send("k")
        screen.until_shown("end it? y or n: spin.wat")
        screen.send("n" + TAB + DOWN)
        screen.until_shown("running leases of")
        screen.resize(50, 12)
        screen.until(lambda: screen.lines[11].startswith("q quit"))
        require_clean(screen)
        screen.send("q")
        assert screen.end() == 0
