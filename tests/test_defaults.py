"""A default stands once: change it there, and help, files and jobs say the new one.

Each test changes one line of a copy of the program, and runs the copy.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

Run = Callable[..., str]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs `python ARGUMENTS` in a copy of the program in which every default is another."""
    folder = tmp_path_factory.mktemp("changed")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "atectl", folder / "atectl", ignore=ignored)
    shutil.copytree(ROOT / "commands", folder / "atectl" / "commands", ignore=ignored)
    for module, name, value in (
        ("accounting", "DEFAULT_PRINCIPAL", '"somebody"'),
        ("accounting", "DEFAULT_MEMORY_BYTES", "96 << 20"),
        ("accounting", "DEFAULT_DEADLINE_S", "420.0"),
        ("accounting", "DEFAULT_STACK_BYTES", "768 << 10"),
        ("accounting", "DEFAULT_SOFT", "0.60"),
        ("accounting", "DEFAULT_RESUME", "0.45"),
        ("config", "DEFAULT_REDIS_TIMEOUT_S", "8.0"),
        ("system/ceilings", "DEFAULT_SHARE", "0.85"),
        ("budget/file", "MAX_JOBS", "2048"),
        ("budget/file", "DEFAULT_SPILL_DIR", 'Path("/spilled")'),
        ("budget/plan", "DEFAULT_HEADROOM", "0.25"),
        ("ledger_store/records", "HISTORY_SHOWN", "55"),
        ("locks/heartbeat", "DEFAULT_TTL_S", "48.0"),
        ("locks/keys", "DEFAULT_PREFIX", '"locked:"'),
    ):
        change(folder / "atectl" / f"{module}.py", name, value)

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder, env={"COLUMNS": "200", "HOME": str(folder), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return ran.stdout

    return run


def change(path: Path, name: str, value: str) -> None:
    """Give a constant another value, where it stands."""
    text, times = re.subn(
        rf"^{name} = .*$", f"{name} = {value}", path.read_text(), flags=re.MULTILINE
    )
    assert times == 1, f"{name} stands {times} times in {path}"
    path.write_text(text)


def help_of(changed: Run, *command: str) -> str:
    return " ".join(changed("-m", "atectl", *command, "--help").split())


@pytest.mark.parametrize(
    "said",
    [
        "[default: 96MiB]", "[default: somebody]", "[default: 7m]", "[default: 768KiB]",
        "[default: 48s]", "[default: locked:]",
    ],
)  # fmt: skip
def test_the_help_of_run_says_the_defaults_that_hold(changed: Run, said: str) -> None:
    assert said in help_of(changed, "run")


def test_a_run_has_the_defaults_that_its_help_says(changed: Run) -> None:
    program = """
from atectl.commands.run.arguments import parse
request = parse(["--actor", "a/b", "capsule.wasm"], {})
quota, lock = request.quota, request.lock
print(request.principal, quota.memory_bytes, quota.deadline_s, request.max_stack_bytes)
print(lock.wanted.ttl_s, lock.wanted.key)
"""
    assert changed("-c", program) == f"somebody {96 << 20} 420.0 {768 << 10}\n48.0 locked:a:b\n"


def test_a_job_has_the_defaults_of_a_run(changed: Run) -> None:
    program = """
from atectl.budget.jobs import JobDefaults, parse_job
job = parse_job({"capsule": "capsule.wasm"}, JobDefaults())
print(job.principal, *job.quota)
"""
    assert changed("-c", program) == f"somebody {96 << 20} 420.0 None\n"


def written_budget(changed: Run) -> dict[str, Any]:
    return tomllib.loads(changed("-m", "atectl", "budget", "init", "-"))


def test_a_budget_file_is_begun_with_the_defaults_that_hold(changed: Run) -> None:
    assert written_budget(changed) == {
        "host": {"soft": 0.6, "resume": 0.45, "backpressure": "both", "spill_dir": "/spilled"},
        "defaults": {"max_mem": "96MiB", "priority": 0, "deadline": "7m"},
    }
    assert "By default 0.85 of" in changed("-m", "atectl", "budget", "init", "-")


@pytest.mark.parametrize("command", [("batch",), ("budget", "check")])
@pytest.mark.parametrize(
    "said",
    [
        "From 1 to 2048.",
        "[default: 0.85 of the machine's]",
        "held back. [default: 0.6]",
        "[default: 0.75 of soft]",
        "[default: /spilled]",
    ],
)
def test_the_help_of_a_host_says_the_defaults_that_hold(
    changed: Run, command: tuple[str, ...], said: str
) -> None:
    assert said in help_of(changed, *command)


def test_a_host_has_the_defaults_that_its_help_says(changed: Run) -> None:
    program = """
from atectl.budget.file import HostSettings
host = HostSettings(limit_bytes=1000)
print(*host.budget(), host.spill_dir)
"""
    assert changed("-c", program) == "1000 0.6 0.45 /spilled\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("budget", "plan"), "[default: 25%]"),
        (("ledger", "history"), "[default: 55]"),
        (("locks", "hold"), "[default: 48s]"),
        (("locks", "hold"), "[default: 7m]"),
        (("locks", "ls"), "[default: 48s]"),
        (("locks", "ls"), "each answer. [default: 8s]"),
        (("locks", "ls"), "[default: locked:]"),
    ],
)
def test_the_help_of_any_command_says_the_defaults_that_hold(
    changed: Run, command: tuple[str, ...], said: str
) -> None:
    assert said in help_of(changed, *command)


def test_locks_are_held_and_judged_by_one_ttl(changed: Run) -> None:
    program = """
import inspect
from atectl.locks.details import lock_details
from atectl.locks.heartbeat import LockTimes
from atectl.locks.listing import list_locks
from atectl.locks.verdicts import judge
judging = (lock_details, list_locks, judge)
print(LockTimes().ttl_s, {inspect.signature(x).parameters["lock_ttl_s"].default for x in judging})
"""
    assert changed("-c", program) == "48.0 {48.0}\n"


def test_schemas_say_the_defaults_that_hold(changed: Run) -> None:
    job = json.loads(changed("-m", "atectl", "schema", "job"))["properties"]
    assert (job["max_mem"]["default"], job["deadline"]["default"]) == (96 << 20, 420.0)
    assert job["principal"]["default"] == "somebody"
    host = json.loads(changed("-m", "atectl", "schema", "budget"))["$defs"]["HostSettings"]
    assert host["properties"]["soft"]["default"] == 0.6
    assert host["properties"]["spill_dir"]["default"] == "/spilled"


def test_the_defaults_of_a_host_are_on_the_page_of_batch() -> None:
    from atectl.accounting import DEFAULT_RESUME, DEFAULT_SOFT
    from atectl.system.ceilings import DEFAULT_SHARE

    page = (ROOT / "commands/batch/README.md").read_text()
    assert (
        f"{DEFAULT_SOFT:g} and {DEFAULT_RESUME:g}, or {DEFAULT_RESUME / DEFAULT_SOFT:g} of a lower"
        in page
    )
    assert f"maximum memory of all its processes together; by default {DEFAULT_SHARE:g} of" in page
