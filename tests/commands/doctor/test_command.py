"""`atectl doctor`: one row a check, status 1 for a problem, and never a traceback."""

import io
import json
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from atectl import config
from atectl.capsule.cache import ArtifactCache
from atectl.commands.doctor.view import checks_table
from atectl.commands.main import dispatch
from atectl.finding import Finding, Verdict
from atectl.health.checks import Check
from atectl.ledger_store.opening import open_for_writing
from tests.support.lease_records import make_lease
from tests.support.program import ATECTL, NO_OTHER_PYTHON, atectl

CHECKS = [
    Check("wasmtime", Finding(Verdict.OK, "50.0.1, needs >=50,<51")),
    Check(
        "cache",
        Finding(
            Verdict.PROBLEM,
            "/srv/sandbox/cache/atectl: the folder has mode 0777, not 0700",
            "give the folder to this user with mode 0700, or set XDG_CACHE_HOME",
        ),
    ),
    Check("ledger", Finding(Verdict.SKIPPED, "no ledger is kept: its place is given as 'none'")),
    Check(
        "overcommit",
        Finding(
            Verdict.WARNING,
            "mode 2: memory counts as used once a guest grows, so growth can fail early",
            "`sysctl vm.overcommit_memory=0`",
        ),
    ),
]


def drawn(checks: list[Check], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(checks_table(checks))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def examined(**environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status of `atectl doctor`, and its checks by name."""
    ended = atectl("doctor", "-o", "json", environment=environment)
    assert ended.stderr == ""
    body = json.loads(ended.stdout)
    return ended.status, {check["name"]: check for check in body["checks"]}


def problems(checks: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, check in checks.items() if check["verdict"] == "problem"]


@pytest.fixture
def ledger() -> Path:
    with closing(open_for_writing()) as store:
        store.flush([make_lease()])
    return config.default_ledger_path()


# Verdicts


def test_nothing_is_wrong_before_the_first_run(private_homes: Path) -> None:
    before = sorted(private_homes.rglob("*"))
    status, checks = examined()
    assert (status, problems(checks)) == (0, [])
    assert sorted(private_homes.rglob("*")) == before


def test_nothing_is_wrong_with_a_cache_and_a_ledger(ledger: Path) -> None:
    ArtifactCache.open(config.cache_dir()).close()
    status, checks = examined()
    assert (status, problems(checks)) == (0, [])
    assert "0 compiled capsules" in checks["cache"]["found"]
    assert "1 account" in checks["ledger"]["found"]


def test_a_cache_folder_open_to_others_is_a_problem() -> None:
    config.cache_dir().mkdir()
    config.cache_dir().chmod(0o777)
    status, checks = examined()
    assert (status, problems(checks)) == (1, ["cache"])
    assert checks["cache"]["found"].endswith("the folder has mode 0777, not 0700")


def test_a_corrupt_ledger_is_a_problem_and_left_as_it_is(ledger: Path) -> None:
    ledger.write_bytes(b"no ledger " * 1000)
    status, checks = examined()
    assert (status, problems(checks)) == (1, ["ledger"])
    assert checks["ledger"]["found"] == f"{ledger}: file is not a database"
    assert ledger.read_bytes() == b"no ledger " * 1000


def test_a_damaged_account_is_a_problem_that_a_reset_solves(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as file, file:
        file.execute("UPDATE accounts SET peak_bytes = 'many'")
    status, checks = examined()
    assert (status, problems(checks)) == (1, ["ledger"])
    assert checks["ledger"]["found"] == f"{ledger}: the account of 'alice' is damaged"
    assert checks["ledger"]["remedy"].startswith("`atectl ledger reset PRINCIPAL`")
    assert atectl("ledger", "reset", "alice", "--yes").status == 0
    assert examined()[0] == 0


def test_a_named_ledger_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    status, checks = examined(ATECTL_LEDGER=str(path))
    assert (status, problems(checks)) == (1, ["ledger"])
    assert checks["ledger"]["found"] == f"{path}: there is no such file"
    assert not path.exists()


def test_a_broken_configuration_is_one_problem() -> None:
    path = config.config_path()
    path.parent.mkdir()
    path.write_text('cache.max_size = "plenty"\n')
    status, checks = examined()
    assert (status, problems(checks)) == (1, ["configuration"])
    found = checks["configuration"]["found"]
    assert found.startswith(f"{path}: cache: max_size: 'plenty' is not a size")
    assert checks["cache"]["verdict"] == "skipped"


def test_an_engine_that_cannot_be_imported_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "wasmtime.py").write_text("raise ImportError('built for another Python')")
    status, checks = examined(PYTHONPATH=str(tmp_path))
    assert (status, problems(checks)) == (1, ["engine"])
    reason = "the self-test failed: ImportError: built for another Python"
    assert checks["engine"]["found"] == reason


def test_a_python_that_may_not_be_executed_is_a_problem_of_what_needs_another() -> None:
    ended = atectl("doctor", "-o", "json", before=NO_OTHER_PYTHON)
    assert (ended.status, ended.stderr) == (1, "")
    checks = {check["name"]: check for check in json.loads(ended.stdout)["checks"]}
    assert problems(checks) == ["engine", "walls"]
    assert checks["engine"]["found"] == (
        "/dev/null: Python could not be started: Permission denied"
    )
    assert checks["engine"]["remedy"].startswith("have this user be able to execute that file")


def test_too_little_address_space_is_a_problem() -> None:
    most = 3 << 30
    ended = subprocess.run(
        [ATECTL, "doctor", "-o", "json"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, b"")
    checks = {check["name"]: check for check in json.loads(ended.stdout)["checks"]}
    assert problems(checks) == ["engine", "address space"]
    assert checks["resource limits"]["verdict"] == "warning"
    assert "ulimit -v unlimited" in checks["address space"]["remedy"]


# Output


def test_the_json_of_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["doctor", "-o", "json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert list(body) == ["schema_version", "verdict", "checks"]
    assert body["schema_version"] == 1
    assert body["verdict"] in ("ok", "warning")
    assert all(list(each) == ["name", "verdict", "found", "remedy"] for each in body["checks"])
    assert body["checks"][0]["remedy"] is None


def test_the_table_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["CHECK", "VERDICT", "FOUND"]
    assert lines[-1].startswith("18 checks: no problems, ")


def test_the_engine_stays_out_of_the_process_that_asks() -> None:
    program = (
        "import sys; from atectl.commands.main import dispatch; dispatch(['doctor']); "
        "sys.exit('wasmtime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_the_view_at_60_columns() -> None:
    assert (
        drawn(CHECKS, 60)
        == """\
CHECK       VERDICT  FOUND
wasmtime    ok       50.0.1, needs >=50,<51
cache       problem  /srv/sandbox/cache/atectl: the folder
                     has mode 0777, not 0700
                     try: give the folder to this user with
                     mode 0700, or set XDG_CACHE_HOME
ledger      skipped  no ledger is kept: its place is given
                     as 'none'
overcommit  warning  mode 2: memory counts as used once a
                     guest grows, so growth can fail early
                     try: `sysctl vm.overcommit_memory=0`
4 checks: 1 problem, 1 warning"""
    )


def test_the_view_at_80_columns() -> None:
    assert (
        drawn(CHECKS, 80)
        == """\
CHECK       VERDICT  FOUND
wasmtime    ok       50.0.1, needs >=50,<51
cache       problem  /srv/sandbox/cache/atectl: the folder has mode 0777, not
                     0700
                     try: give the folder to this user with mode 0700, or set
                     XDG_CACHE_HOME
ledger      skipped  no ledger is kept: its place is given as 'none'
overcommit  warning  mode 2: memory counts as used once a guest grows, so growth
                     can fail early
                     try: `sysctl vm.overcommit_memory=0`
4 checks: 1 problem, 1 warning"""
    )


def test_the_view_at_120_columns() -> None:
    assert (
        drawn(CHECKS, 120)
        == """\
CHECK       VERDICT  FOUND
wasmtime    ok       50.0.1, needs >=50,<51
cache       problem  /srv/sandbox/cache/atectl: the folder has mode 0777, not 0700
                     try: give the folder to this user with mode 0700, or set XDG_CACHE_HOME
ledger      skipped  no ledger is kept: its place is given as 'none'
overcommit  warning  mode 2: memory counts as used once a guest grows, so growth can fail early
                     try: `sysctl vm.overcommit_memory=0`
4 checks: 1 problem, 1 warning"""
    )


def test_one_of_a_kind_is_counted_as_one() -> None:
    counted = drawn(CHECKS, 80).splitlines()[-1]
    assert counted == "4 checks: 1 problem, 1 warning"
    assert drawn(CHECKS + CHECKS, 80).splitlines()[-1] == "8 checks: 2 problems, 2 warnings"


def test_paths_are_shown_inert_and_as_they_are() -> None:
    hostile = Check("cache", Finding(Verdict.OK, "/tmp/[red]\x1b]0;title\x07", "try \x1b[31m"))
    shown = drawn([hostile], 120)
    assert r"/tmp/[red]\x1b]0;title\x07" in shown
    assert r"try \x1b[31m" in shown
