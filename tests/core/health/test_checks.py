"""The checks of an installation and of its files, on really broken ones."""

import re
import shutil
import sqlite3
import sys
import tomllib
from collections.abc import Callable
from contextlib import closing
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl import __version__, config
from atectl.capsule.cache import ArtifactCache
from atectl.engine.metered import Engine
from atectl.errors import (
    BadConfiguration,
    CacheUnusable,
    EngineUntrusted,
    LedgerBusy,
    LedgerCorrupt,
    LedgerTooNew,
)
from atectl.finding import Finding, Verdict
from atectl.health import checks as health
from atectl.health import self_test
from atectl.health.checks import Check
from atectl.ledger_store.opening import open_for_writing
from atectl.ledger_store.sqlite.inspection import inspect_ledger
from atectl.ledger_store.sqlite.schema import MIGRATIONS
from tests.conftest import ROOT
from tests.support.lease_records import make_lease
from tests.support.loading import load_mapped
from tests.support.python_child import AS_NOBODY, in_child


@pytest.fixture
def ledger() -> Path:
    """The default ledger, with two accounts."""
    with closing(open_for_writing()) as store:
        store.flush([make_lease(id=name, principal=name) for name in ("alice", "bob")])
    return config.default_ledger_path()


def named(checks: list[Check], name: str) -> Finding:
    found = [check.finding for check in checks if check.name == name]
    assert len(found) == 1, checks
    return found[0]


# All together


def test_every_matter_is_looked_at() -> None:
    assert [check.name for check in health.examine()] == [
        "atectl",
        "Python",
        "psutil",
        "redis",
        "rich",
        "tomli-w",
        "typer",
        "wasmtime",
        "configuration",
        "cache",
        "ledger",
        "engine",
        "memory",
        "resource limits",
        "address space",
        "overcommit",
        "process identity",
        "walls",
    ]


def test_a_sound_installation_has_no_problem(ledger: Path) -> None:
    with ArtifactCache.open(config.cache_dir()):
        checks = health.examine()
    problems = [check for check in checks if check.finding.verdict is Verdict.PROBLEM]
    assert problems == []


def test_looking_makes_neither_cache_nor_ledger(private_homes: Path) -> None:
    before = sorted(private_homes.rglob("*"))
    health.examine()
    assert sorted(private_homes.rglob("*")) == before


def test_a_check_that_breaks_is_a_problem_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> Finding:
        raise ValueError("that nobody foresaw")

    monkeypatch.setitem(health._CHECKS, "cache", broken)
    checks = health.examine()
    assert named(checks, "cache").verdict is Verdict.PROBLEM
    assert "ValueError: that nobody foresaw" in named(checks, "cache").found
    assert named(checks, "engine").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ("", Verdict.OK),
        ("ok skipped", Verdict.OK),
        ("ok warning skipped", Verdict.WARNING),
        ("warning problem ok", Verdict.PROBLEM),
    ],
)
def test_the_worst_verdict_counts(verdicts: str, worst: Verdict) -> None:
    checks = [Check("x", Finding(Verdict(verdict), "")) for verdict in verdicts.split()]
    assert health.worst_verdict(checks) is worst


# Versions


def test_versions_are_told_with_what_is_needed() -> None:
    checks = health.examine()
    assert named(checks, "atectl").found == __version__
    assert named(checks, "Python").found.startswith("{}.{}.{}".format(*sys.version_info[:3]))
    assert named(checks, "wasmtime").found.startswith(metadata.version("wasmtime"))


def test_every_library_that_the_project_depends_on_is_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split("[<>=]", requirement)[0] for requirement in project["dependencies"]}
    assert needed <= {check.name for check in health.examine()}


def test_an_untested_major_is_a_problem_with_the_command_that_mends_it() -> None:
    [check] = health.check_requirements(["wasmtime<50,>=49"])
    assert check.finding.verdict is Verdict.PROBLEM
    assert check.finding.found == f"{metadata.version('wasmtime')}, where >=49,<50 is needed"
    assert check.finding.remedy == "`pip install 'wasmtime>=49,<50'`"


def test_a_library_that_is_not_installed_is_a_problem() -> None:
    [check] = health.check_requirements(["no-such-library>=1"])
    assert check.finding.verdict is Verdict.PROBLEM
    assert check.finding.found == "not installed"


@pytest.mark.parametrize(
    ("version", "bounds", "is_kept"),
    [
        ("50.0.1", ">=50,<51", True),
        ("51.0.0", ">=50,<51", False),
        ("49.9.9", ">=50,<51", False),
        ("50", ">=50.0", True),
        ("51.0.0rc1", ">=50,<51", False),
        ("0.28.3", "<0.29,>=0.26", True),
        ("0.9", ">=0.26", False),
    ],
)
def test_versions_are_compared_as_numbers(version: str, bounds: str, is_kept: bool) -> None:
    assert health.is_within(version, bounds) is is_kept


releases = st.lists(st.integers(0, 99), min_size=3, max_size=3)


@given(releases, releases)
def test_a_version_is_below_a_bound_or_at_least_it(one: list[int], other: list[int]) -> None:
    version, bound = (".".join(map(str, numbers)) for numbers in (one, other))
    assert health.is_within(version, f">={bound}") is (one >= other)
    assert health.is_within(version, f"<{bound}") is (one < other)


# The configuration


def test_no_configuration_is_fine() -> None:
    assert health.check_configuration().verdict is Verdict.OK


def test_a_configuration_that_is_read_is_named() -> None:
    path = config.config_path()
    path.parent.mkdir()
    path.write_text('ledger.path = "none"')
    assert health.check_configuration() == Finding(Verdict.OK, f"{path}: read")


def test_a_broken_configuration_is_a_problem_and_what_it_would_say_is_skipped() -> None:
    path = config.config_path()
    path.parent.mkdir()
    path.write_text("[ledger\n")
    checks = health.examine()
    finding = named(checks, "configuration")
    assert finding.verdict is Verdict.PROBLEM
    assert finding.found.startswith(f"{path}: ")
    assert finding.remedy == BadConfiguration.default_remedy
    assert named(checks, "cache").verdict is Verdict.SKIPPED
    assert named(checks, "ledger").verdict is Verdict.SKIPPED
    assert named(checks, "engine").verdict is Verdict.OK


def test_a_configuration_that_was_named_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATECTL_CONFIG", "/no/such/atectl.toml")
    assert health.check_configuration().verdict is Verdict.PROBLEM


# The cache


def test_a_cache_is_told_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.wat").write_text("(module)")
    engine = Engine()
    with ArtifactCache.open(config.cache_dir()) as cache:
        load_mapped(engine, tmp_path / "a.wat", cache)
    engine.close()
    found = health.check_cache().found
    assert found.startswith(f"{config.cache_dir()}: 1 compiled capsule, ")
    assert found.endswith(" of 2 GiB")


def test_a_cache_that_is_not_there_yet_is_fine() -> None:
    finding = health.check_cache()
    assert finding.verdict is Verdict.OK
    assert finding.found == f"{config.cache_dir()}: not there yet; the first run makes it"


@pytest.mark.parametrize("check", [health.check_cache, health.check_ledger])
def test_what_cannot_be_made_is_a_problem(
    check: Callable[[], Finding], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "file" / "below"))
    finding = check()
    assert finding.verdict is Verdict.PROBLEM
    assert f"cannot be made: {tmp_path}/file is not a writable folder" in finding.found


def test_a_cache_that_others_may_use_is_refused() -> None:
    config.cache_dir().mkdir()
    config.cache_dir().chmod(0o777)
    with pytest.raises(CacheUnusable, match="mode 0777, not 0700"):
        health.check_cache()


def test_a_cache_that_cannot_be_written_to_is_a_problem() -> None:
    finding = in_child(
        f"""
import tempfile
from pathlib import Path
import atectl.capsule.cache_entries  # before it cannot be read any more
from atectl.health import checks
{AS_NOBODY}
with tempfile.TemporaryDirectory(dir="/tmp") as home:
    os.environ["XDG_CACHE_HOME"] = os.environ["XDG_CONFIG_HOME"] = home
    folder = Path(home, "atectl")
    folder.mkdir(0o500)
    finding = checks.check_cache()
    print(finding.verdict.value, finding.found)
"""
    )
    assert finding.startswith("problem /tmp/")
    assert finding.endswith("/atectl: the folder cannot be written to\n")


# The ledger


def test_a_ledger_is_told_with_its_schema_and_accounts(ledger: Path) -> None:
    finding = health.check_ledger()
    found = f"{ledger}: schema version {len(MIGRATIONS)}, 2 accounts, sound"
    assert finding == Finding(Verdict.OK, found)


def test_a_default_ledger_that_is_not_there_yet_is_fine() -> None:
    assert health.check_ledger().verdict is Verdict.OK


def test_a_named_ledger_that_is_not_there_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ATECTL_LEDGER", str(tmp_path / "none.db"))
    finding = health.check_ledger()
    assert finding.verdict is Verdict.PROBLEM
    assert finding.found == f"{tmp_path}/none.db: there is no such file"


def test_no_ledger_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATECTL_LEDGER", "none")
    assert health.check_ledger().verdict is Verdict.SKIPPED


def test_an_empty_file_reads_as_an_empty_ledger_and_stays_empty(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    assert inspect_ledger(path).accounts == 0
    assert path.stat().st_size == 0


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"\x89PNG" * 1000)
    with pytest.raises(LedgerCorrupt):
        inspect_ledger(path)


def test_damage_inside_a_ledger_that_opens_is_found(ledger: Path) -> None:
    # The page of an index: whoever reads the accounts in order of their rows never meets it.
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [[page]] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'accounts_by_peak'"
        )
        [[page_bytes]] = connection.execute("PRAGMA page_size")
    with ledger.open("r+b") as file:
        file.seek((page - 1) * page_bytes + 3)
        file.write(b"\x00\x00")
    with pytest.raises(LedgerCorrupt) as caught:
        inspect_ledger(ledger)
    assert str(caught.value).startswith(f"{ledger}: ")


def test_a_ledger_of_a_later_atectl_is_refused(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerTooNew):
        inspect_ledger(ledger)


def test_a_ledger_that_is_kept_locked_is_refused(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy):
            inspect_ledger(ledger, busy_timeout_s=0.05)


def test_a_ledger_that_can_only_be_read_is_refused(ledger: Path, open_folder: Path) -> None:
    path = Path(shutil.copy(ledger, open_folder))
    path.chmod(0o444)
    open_folder.chmod(0o555)
    said = in_child(
        f"""
from pathlib import Path
import atectl.ledger_store.sqlite.obstacles
from atectl.ledger_store.errors import LedgerForbidden
from atectl.ledger_store.sqlite.inspection import inspect_ledger
{AS_NOBODY}
try:
    inspect_ledger(Path({str(path)!r}))
except LedgerForbidden as error:
    print(error)
"""
    )
    assert f"{path} may not be written" in said


def test_looking_at_a_ledger_changes_nothing_in_it(ledger: Path) -> None:
    before = ledger.read_bytes()
    inspect_ledger(ledger)
    assert ledger.read_bytes() == before


# The engine


def test_the_engine_is_tested_with_a_growth_granted_and_one_refused() -> None:
    finding = health.check_engine()
    assert finding.verdict is Verdict.OK
    assert finding.found == (
        "a guest got the 256KiB of its quota, was refused 1 growth beyond it, and gave all back"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ImportError('built for another Python')", "ImportError: built for another Python"),
        ("raise OSError('libwasmtime.so: no such file')", "OSError: libwasmtime.so: no such file"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("import os; os._exit(1)", "no reason given"),
    ],
)
def test_an_engine_that_cannot_be_loaded_is_told_with_the_reason(
    source: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wasmtime.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineUntrusted, match=re.escape(reason)):
        health.check_engine()


def test_an_engine_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wasmtime.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(self_test, "TIMEOUT_S", 0.5)
    with pytest.raises(EngineUntrusted, match=r"took over 0\.5 s"):
        health.check_engine()


def test_a_module_in_the_current_folder_is_not_taken_for_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wasmtime.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    assert health.check_engine().verdict is Verdict.OK
