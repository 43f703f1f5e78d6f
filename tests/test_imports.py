"""What a command imports, by `sys.modules` in a process of its own, and which way imports go."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from atectl.errors import OTHER_MODULES

ROOT = Path(__file__).resolve().parent.parent
HELLO = ROOT / "fixtures" / "capsules" / "hello.wat"
FITS = str(ROOT / "fixtures" / "budgets" / "fits.toml")

ENGINE = {"wasmtime"}
REMOTE = {"redis"}
DRAWING = {"rich"}
STORING = {"sqlite3"}
PROCESSES = {"psutil"}
METRICS = {"prometheus_client"}
CARRYING = {"dask", "distributed", "tornado"}

_AT_THE_END = """
import sys
from atectl.commands.main import dispatch
status = dispatch(sys.argv[1:])
print("MODULES", status, *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""

_AS_THE_GUEST_STARTS = """
import sys
import threading
from atectl.commands.main import dispatch
start = threading.Thread.start
def tell_and_start(thread):
    if thread.name.startswith("lease "):
        print("MODULES", 0, *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
    start(thread)
threading.Thread.start = tell_and_start
sys.exit(dispatch(sys.argv[1:]))
"""


_PATTERNS_COMPILED = """
import re
import sys
compile = re.compile
compiling = set()
def tell_and_compile(*pattern):
    compiling.add(sys._getframe(1).f_globals["__name__"])
    return compile(*pattern)
re.compile = tell_and_compile
from atectl.commands.main import dispatch
status = dispatch(sys.argv[1:])
print("MODULES", status, *compiling, file=sys.stderr)
"""


def _imported(*arguments: str, program: str = _AT_THE_END, stdin: str = "") -> set[str]:
    """The top-level modules that `atectl` with these arguments has imported."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        input=stdin,
        text=True,
        check=True,
        timeout=60,
    )
    told = [line.split() for line in ran.stderr.splitlines() if line.startswith("MODULES ")]
    assert len(told) == 1, ran.stderr
    _, status, *modules = told[0]
    assert status == "0", ran.stderr
    return set(modules)


HEAVY = ENGINE | REMOTE | PROCESSES | METRICS | CARRYING


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (("--version",), HEAVY | DRAWING | STORING),
        (("--help",), HEAVY | STORING | DRAWING),
        (("explain",), HEAVY | STORING),
        (("explain", "-o", "json"), HEAVY | STORING | DRAWING),
        (("schema", "run-report"), HEAVY | STORING | DRAWING),
        (("schema", "-o", "json"), HEAVY | STORING | DRAWING),
        (("completions", "candidates", "--", "schema", "name", ""), HEAVY | STORING | DRAWING),
        (("ledger", "ls", "-o", "json"), HEAVY | DRAWING),
        (("ledger", "usage", "-o", "csv"), HEAVY | DRAWING),
        (("ledger", "export", "--format", "json"), HEAVY | DRAWING),
        (("completions", "show", "bash"), HEAVY | STORING | DRAWING),
        (("inspect", str(HELLO), "-o", "json"), REMOTE | PROCESSES | STORING | DRAWING),
        (("budget", "init", "-"), HEAVY | STORING | DRAWING),
        (("budget", "check", FITS, "--baseline", "50MiB", "-o", "json"), HEAVY | STORING | DRAWING),
        (("budget", "plan", "-o", "json"), HEAVY | DRAWING),
        (("completions", "candidates", "--", "ledger show", "principal", ""), HEAVY | DRAWING),
        (("completions", "candidates", "--", "explain", "code", ""), HEAVY | DRAWING | STORING),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_imports_no_library_it_does_not_need(
    arguments: tuple[str, ...], spared: set[str]
) -> None:
    assert not _imported(*arguments) & spared


_HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("dask", "distributed"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
from atectl.commands.main import dispatch
sys.exit(dispatch(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "words",
    [
        ("host", "ls", "--on", "tcp://127.0.0.1:1"),
        ("host", "join", "tcp://127.0.0.1:1", "--ledger", "none"),
        ("batch", "-", "--on", "tcp://127.0.0.1:1"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_where_dask_is_missing_one_line_names_the_extra(words: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _HIDDEN, *words],
        capture_output=True,
        text=True,
        input="",
        timeout=60,
    )
    assert ran.returncode == 125
    assert ran.stderr.splitlines() == [
        "error[E807]: the package dask is not installed",
        "  try: pip install 'atectl[dask]'",
    ]


def test_the_guard_sees_what_is_imported() -> None:
    assert _imported("explain") >= DRAWING
    assert "typer" in _imported("--help")


def test_the_version_is_told_without_importing_what_commands_need() -> None:
    spared = {"typer", "typing", "enum", "functools", "pathlib"}
    # Where atectl is installed for its developers, Python has imported some of these before.
    forgetting = f"import sys\nfor name in {spared}: sys.modules.pop(name, None)\n"
    assert not _imported("--version", program=forgetting + _AT_THE_END) & spared


@pytest.mark.parametrize(
    "parameter", [("ledger show", "principal"), ("run", "label"), ("explain", "code")]
)
def test_a_tab_imports_no_typer(parameter: tuple[str, str]) -> None:
    imported = _imported("completions", "candidates", "--", *parameter, "")
    assert not imported & {"typer", "json", "dataclasses", "inspect"}


def test_a_guest_off_a_terminal_waits_for_no_import_it_does_not_need() -> None:
    imported = _imported("run", str(HELLO), program=_AS_THE_GUEST_STARTS)
    assert imported >= ENGINE
    spared = {"typer", "dataclasses", "inspect", "json"} | DRAWING | REMOTE | PROCESSES | METRICS
    spared |= CARRYING
    assert not imported & spared


def test_a_run_compiles_no_patterns_but_those_of_its_command_line() -> None:
    run = ("run", str(HELLO))
    _imported(*run)
    compiling = _imported(*run, program=_PATTERNS_COMPILED)
    ours = {name for name in compiling if name.startswith("atectl")}
    assert ours == {"atectl.accounting", "atectl.units"}


def test_a_run_off_a_terminal_draws_nothing_afterwards_either() -> None:
    imported = _imported("run", str(HELLO))
    assert not imported & ({"typer"} | DRAWING | REMOTE | PROCESSES)


def test_a_batch_off_a_terminal_imports_nothing_it_does_not_need() -> None:
    job = json.dumps({"capsule": str(HELLO)})
    imported = _imported("batch", "-", "--ledger", "none", stdin=f"{job}\n")
    spared = ENGINE | DRAWING | STORING | REMOTE | PROCESSES | CARRYING
    assert not imported & ({"typer"} | spared)
    assert not imported & {"ast", "concurrent", "copy", "dataclasses", "datetime", "difflib"}
    assert not imported & {"inspect", "logging", "subprocess", "tokenize"}


def test_a_batch_that_finds_its_capsules_in_the_cache_imports_nothing_for_rarer_ones() -> None:
    program = _AT_THE_END.replace('name.partition(".")[0]', "name")
    batch = ("batch", "-", "--ledger", "none")
    job = json.dumps({"capsule": str(HELLO)}) + "\n"
    _imported(*batch, program=program, stdin=job)
    imported = _imported(*batch, program=program, stdin=job)
    assert "atectl.commands.batch.running" in imported
    assert "hashlib" not in imported
    rarer = ("atectl.trace", "atectl.lease.store_pool", "atectl.records.schema")
    assert not {name for name in imported if name.startswith(rarer)}
    assert not imported & {"atectl.commands.batch.resuming", "atectl.capsule.compilation"}


def test_a_run_without_an_actor_imports_nothing_of_locks() -> None:
    program = _AS_THE_GUEST_STARTS.replace('name.partition(".")[0]', "name")
    ours = {
        name
        for name in _imported("run", str(HELLO), program=program)
        if name.startswith("atectl.locks")
    }
    assert not ours


def test_a_run_off_a_terminal_imports_no_errors_of_budgets_locks_or_redis() -> None:
    program = _AT_THE_END.replace('name.partition(".")[0]', "name")
    imported = _imported("run", str(HELLO), program=program)
    assert "atectl.errors" in imported
    assert not imported & {f"atectl.{module}" for module in OTHER_MODULES}


def test_without_a_file_of_settings_a_run_imports_no_reader_of_tables() -> None:
    program = _AS_THE_GUEST_STARTS.replace('name.partition(".")[0]', "name")
    imported = _imported("run", str(HELLO), program=program)
    assert "atectl.config" in imported
    assert not {name for name in imported if name.startswith(("atectl.records", "tomllib"))}


def test_holding_a_lock_around_a_command_imports_no_engine() -> None:
    program = (
        "import sys, atectl.locks.held_command, atectl.redis.connection\n"
        "import atectl.commands.locks.hold\n"
        "print('MODULES 0', *sys.modules, file=sys.stderr)"
    )
    imported = _imported(program=program)
    assert "redis" in imported
    assert not imported & (ENGINE | DRAWING | STORING | PROCESSES)
