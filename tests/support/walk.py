"""A stranger's walk through the commands: what is typed, and the screens worth a look on the way.

`tests/commands/test_walk.py` holds the screens to rules; `python -m tests.support.walk_pictures`
draws them.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.conftest import CAPSULES, ROOT
from tests.support.cells import Cells
from tests.support.fleets import SLEEP, Fleet, fleet
from tests.support.program import ATECTL, atectl
from tests.support.pty_screen import PtyScreen
from tests.support.waiting import wait_until

COLUMNS = (60, 80, 120, 200)
ROWS = 40

LONG = "department-of-weights/measures@example.com"
LONG_HOST = "render-node-17.department-of-weights.example.com"
DOWN, TAB, ENTER, ESCAPE = "\x1b[B", "\t", "\r", "\x1b"


_OF_TERMINAL = ("COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR")


class Look(NamedTuple):
    """A screen that was worth a look."""

    text: str
    cells: Cells


class Walk:
    """What is seen at a terminal of so many columns.

    Attributes:
        looks: each screen by its name, in the order of the walk.
        environment: of the commands.
    """

    def __init__(self, folder: Path, columns: int, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in _OF_TERMINAL}
        self.folder = folder
        self.columns = columns
        self.environment = {**kept, "ATECTL_LEDGER": str(folder / "ledger.db"), **environment}
        self.looks: dict[str, Look] = {}

    def begin(self, *words: str, rows: int = ROWS) -> PtyScreen:
        """Type a command."""
        return PtyScreen([ATECTL, *words], self.environment, columns=self.columns, rows=rows)

    def look(self, name: str, screen: PtyScreen) -> None:
        """Keep what is on the screen."""
        assert name not in self.looks
        self.looks[name] = Look(screen.text, screen.cells)

    def see(self, *words: str, status: int = 0, rows: int = 100) -> str:
        """Type a command, wait for its end, and look; what is on the screen."""
        with self.begin(*words, rows=rows) as screen:
            found = screen.end()
            assert found == status, f"{words}: {found}\n{screen.text}"
            name = " ".join(word.replace(f"{ROOT}/", "") for word in words)
            self.look(name, screen)
            return screen.text


@contextmanager
def running(walk: Walk) -> Iterator[int]:
    """A run of a principal with a long name; its process."""
    words = [ATECTL, "run", "--principal", LONG, "--label", "nightly", str(CAPSULES / "spin.wat")]
    program = subprocess.Popen(words, env=walk.environment, stderr=subprocess.DEVNULL)
    listed = ("ledger", "ps", "-o", "json")
    try:
        wait_until(lambda: LONG in atectl(*listed, environment=walk.environment).stdout)
        yield program.pid
    finally:
        program.kill()
        program.wait()


def walk_run(walk: Walk) -> None:
    """A growth is refused; a guest goes on, with its table below, until Ctrl-C."""
    walk.see("run", "--max-mem", "10MiB", str(CAPSULES / "never-stops-growing.wat"), status=3)
    words = ("--principal", LONG, "--max-mem", "1MiB")
    with walk.begin("run", *words, str(CAPSULES / "spin.wat")) as screen:
        screen.until_shown("host pressure")
        walk.look("run, the live table", screen)
        screen.send("\x03")
        assert screen.end() == 130
        walk.look("run, after Ctrl-C", screen)


def walk_batch(walk: Walk) -> None:
    """Jobs of which some fail: listed, run with their table, with what they say, and cut short."""
    jobs = walk.folder / "jobs.jsonl"
    names = ["hello", "complains", "trap", "complains", "never-stops-growing"]
    lines = [
        {"capsule": str(CAPSULES / f"{each}.wat"), "principal": LONG, "label": f"nightly/{number}"}
        for number, each in enumerate(names)
    ]
    jobs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    walk.see("batch", "--dry-run", str(jobs))
    walk.see("batch", str(jobs), status=1)
    walk.see("batch", "--tag", "--capture", "1KiB", str(jobs), status=1)
    spinning = [
        {"capsule": str(CAPSULES / "spin.wat"), "label": f"web/{number}", "principal": "web"}
        for number in range(3)
    ]
    jobs.write_text("".join(json.dumps(line) + "\n" for line in [*lines, *spinning]))
    results = str(walk.folder / "results")
    words = ("--limit", "1GiB", "--jobs", "2", "--grace", "0", "--results", results)
    with walk.begin("batch", *words, str(jobs)) as screen:
        screen.until(
            lambda: "1 done, 4 failed" in screen.text and screen.text.count("running") == 2
        )
        walk.look("batch, the live table", screen)
        screen.send("\x03")
        assert screen.end() == 130
        walk.look("batch, after Ctrl-C", screen)


def walk_budget(walk: Walk) -> None:
    """Budgets that fit and that do not; one that is planned, one that is begun; a replay."""
    budgets = ROOT / "fixtures" / "budgets"
    walk.see("budget", "check", str(budgets / "headline.toml"), "--limit", "1GiB")
    walk.see("budget", "check", str(budgets / "fits.toml"))
    walk.see("budget", "check", str(budgets / "overcommitted.toml"))
    walk.see("budget", "check", str(budgets / "lease-too-large.toml"), status=1)
    atectl(
        *("run", "--principal", LONG, CAPSULES / "grow-by-steps.wat"), environment=walk.environment
    )
    walk.see("budget", "plan")
    walk.see("budget", "init", str(walk.folder / "budget.toml"))
    trace = str(ROOT / "fixtures" / "traces" / "spilled.jsonl")
    walk.see("budget", "simulate", trace, "--policy", "largest", "--policy", "none")


def walk_ledger(walk: Walk) -> None:
    """Who used how much, and what runs."""
    capsules = (
        ("web", "hello.wat", "0"),
        ("nightly", "never-stops-growing.wat", "3"),
        ("fuzzing", "trap.wat", "134"),
    )
    for principal, capsule, status in capsules:
        words = ("run", "--principal", principal, "--max-mem", "10MiB", CAPSULES / capsule)
        assert atectl(*words, environment=walk.environment).status == int(status)
    with running(walk):
        walk.see("ledger", "ps")
        walk.see("ledger", "ls")
        walk.see("ledger", "show", LONG)
    walk.see("ledger", "ps", "-o", "wide")
    walk.see("ledger", "history")
    walk.see("ledger", "usage")
    with walk.begin("ledger", "reset", "web") as screen:
        screen.until_shown("[y/N]")
        walk.look("ledger reset web", screen)
        screen.send("n\r")
        screen.end()


def walk_top(walk: Walk) -> None:
    """What runs now: help, details, a question, other orders, and a smaller terminal."""
    environment = walk.environment
    for principal, capsule in (("web", "hello.wat"), ("nightly", "never-stops-growing.wat")):
        words = ("run", "--principal", principal, "--max-mem", "10MiB", CAPSULES / capsule)
        atectl(*words, environment=environment)
    with running(walk) as process, walk.begin("ledger", "top", "-d", "200ms", rows=20) as screen:
        screen.until_shown("running leases: 1")
        screen.until(lambda: bool(re.search(r"running +[0-9]+ KiB +[0-9]+", screen.text)))
        walk.look("ledger top", screen)
        screen.send("?")
        screen.until_shown("end the selected lease")
        walk.look("ledger top, ?", screen)
        screen.send("x" + DOWN + ENTER)
        screen.until_shown(f"process         {process}")
        walk.look("ledger top, details", screen)
        screen.send(ESCAPE)
        screen.until_shown("running leases: 1")
        screen.send("k")
        screen.until_shown("end it? y or n: spin.wat")
        walk.look("ledger top, k", screen)
        screen.send("ni")
        screen.until_shown("nightly")
        walk.look("ledger top, idle accounts too", screen)
        screen.send("/web")
        screen.until_shown("filter: web")
        walk.look("ledger top, a filter is typed", screen)
        screen.send(ESCAPE + TAB + DOWN)
        screen.until_shown("running leases of")
        walk.look("ledger top, an account is selected", screen)
        screen.send(" ")
        screen.until_shown("paused")
        walk.look("ledger top, paused", screen)
        screen.resize(50, 12)
        # What the terminal itself moved there is gone once the first line is that of the screen.
        screen.until(
            lambda: screen.lines[0].startswith("paused") and screen.lines[11].startswith("q ")
        )
        walk.look("ledger top, 50 columns and 12 rows", screen)
        screen.send("q")
        assert screen.end() == 0


def walk_locks(walk: Walk) -> None:
    """Locks that are laid, listed, watched, shown and released. `ATECTL_REDIS_URL` is set."""
    walk.see("locks", "demo")
    with walk.begin("locks", "ls", "--lock-ttl", "3s") as screen:
        screen.until_shown("looking again in ")
        walk.look("locks ls, between the two looks", screen)
        assert screen.end() == 0
        walk.look("locks ls", screen)
    with walk.begin("locks", "ls", "--watch", rows=20) as screen:
        screen.until(lambda: "quit" in screen.text and "crawler" in screen.text)
        walk.look("locks ls --watch", screen)
        screen.resize(50, 12)
        screen.until(lambda: screen.lines[0].startswith("12 listed"))
        walk.look("locks ls --watch, 50 columns and 12 rows", screen)
        screen.send("q")
        assert screen.end() == 0
    walk.see("locks", "show", "demo/web", "--probe", "none")
    walk.see("locks", "audit")
    walk.see("locks", "demo", "--remove")


@contextmanager
def two_hosts() -> Iterator[Fleet]:
    """A fleet of two hosts, one with a long name."""
    with fleet() as hosts:
        hosts.join("east", LONG_HOST)
        yield hosts


def walk_fleet(walk: Walk, hosts: Fleet) -> None:
    """Two hosts that run a batch, and a batch with its table of hosts, cut short."""
    jobs = walk.folder / "jobs.jsonl"
    lines = [{**SLEEP, "principal": LONG, "label": f"nightly/{number}"} for number in range(4)]
    jobs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    hosts.wait_until_idle("east", LONG_HOST)  # from what ran there before
    other = hosts.batch(lines)
    hosts.wait_until_full("east", LONG_HOST)
    walk.see("host", "ls", "--on", hosts.address)
    walk.see("host", "ls", "--on", hosts.address, "-o", "wide")
    other.process.send_signal(signal.SIGINT)
    other.end()
    with walk.begin("batch", str(jobs), "--on", hosts.address) as screen:
        screen.until(lambda: screen.text.count("busy") == 2)
        walk.look("batch --on, the live table", screen)
        screen.send("\x03")
        assert screen.end() == 130
        walk.look("batch --on, after Ctrl-C", screen)


def walk_hosts(walk: Walk) -> None:
    """See `walk_fleet`; with a fleet of its own."""
    with two_hosts() as hosts:
        walk_fleet(walk, hosts)


def walk_errors(walk: Walk) -> None:
    """What is typed by mistake."""
    hello = str(CAPSULES / "hello.wat")
    walk.see("run", "missing.wasm", status=127)
    walk.see("run", str(CAPSULES / "missing-import.wat"), status=126)
    walk.see("run", str(CAPSULES / "initial-memory.wat"), "--max-mem", "1MiB", status=137)
    walk.see("run", str(CAPSULES / "trap.wat"), status=134)
    walk.see("run", "--deadline", "100ms", str(CAPSULES / "spin.wat"), status=124)
    walk.see("run", "--memory", "64MiB", hello, status=2)
    walk.see("run", "--max-mem", "64MB/s", hello, status=2)
    walk.see("ledger", "show", "nobody", status=1)
    walk.see("budget", "check", str(ROOT / "fixtures" / "budgets" / "unknown-key.toml"), status=2)
    walk.see("locks", "ls", "--redis", "redis://127.0.0.1:1", status=125)
    walk.see("explain", "E999", status=2)
    walk.see("batsh", status=2)


def walk_help(walk: Walk) -> None:
    """What help says."""
    for words in ((), ("run",), ("batch",), ("ledger", "top"), ("locks", "release")):
        walk.see(*words, "--help", rows=200)


def walk_rest(walk: Walk) -> None:
    """What is installed, set, cached and explained."""
    hello, component = str(CAPSULES / "hello.wat"), str(CAPSULES / "component.wat")
    atectl("run", hello, environment=walk.environment)
    walk.see("doctor")
    walk.see("explain")
    walk.see("explain", "E301")
    walk.see("config", "show", rows=200)
    walk.see("inspect", hello)
    walk.see("inspect", component)
    walk.see("load", hello, component, str(CAPSULES / "missing-import.wat"), status=1)
    walk.see("cache", "ls")
    walk.see("schema")


STEPS: dict[str, Callable[[Walk], None]] = {
    "run": walk_run,
    "batch": walk_batch,
    "budget": walk_budget,
    "ledger": walk_ledger,
    "top": walk_top,
    "locks": walk_locks,
    "hosts": walk_hosts,
    "errors": walk_errors,
    "help": walk_help,
    "rest": walk_rest,
}
