"""Who has a capsule compiled is told what that took, and is charged for it, once."""

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CAPSULES
from tests.support.bombs import merge_bomb, slow_loops
from tests.support.program import atectl

HELLO = CAPSULES / "hello.wat"
SHA256 = hashlib.sha256(HELLO.read_bytes()).hexdigest()
NOTHING = {"cached": True, "compile_s": 0, "compile_cpu_s": 0, "compile_peak_bytes": 0}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    path = tmp_path / "bomb.wat"
    path.write_text(merge_bomb(300, 300))
    return path


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(ledger: Path, *words: str | Path) -> dict[str, Any]:
    report = ledger.with_name("report.json")
    atectl("run", "--ledger", ledger, "--report", report, *words)
    return json.loads(report.read_text())  # type: ignore[no-any-return]


def batch(ledger: Path, jobs: list[dict[str, Any]], *options: str) -> list[dict[str, Any]]:
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    ended = atectl("batch", "-", "--ledger", ledger, *options, stdin=lines.encode())
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    return sorted(results, key=lambda result: result["job"])


def told(ledger: Path, *words: str) -> list[dict[str, Any]]:
    shown = json.loads(atectl("ledger", *words, "--ledger", ledger, "-o", "json").stdout)
    return shown["accounts" if words == ("ls",) else "leases"]  # type: ignore[no-any-return]


def loading(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in NOTHING}


def test_a_run_tells_what_compiling_took_and_the_next_that_it_was_cached(ledger: Path) -> None:
    first, second = run(ledger, HELLO), run(ledger, HELLO)
    assert first["sha256"] == second["sha256"] == SHA256
    assert first["cached"] is False
    assert min(first["compile_s"], first["compile_cpu_s"], first["compile_peak_bytes"]) > 0
    assert loading(second) == NOTHING
    later, earlier = told(ledger, "history")
    assert later["sha256"] == earlier["sha256"] == SHA256
    assert loading(later) == NOTHING
    assert earlier["compile_cpu_s"] == pytest.approx(first["compile_cpu_s"], abs=1e-6)
    [account] = told(ledger, "ls")
    assert account["compile_cpu_s"] == pytest.approx(first["compile_cpu_s"], abs=1e-6)


@pytest.mark.parametrize("options", [(), ("--no-cache",)], ids=["cached", "uncached"])
def test_of_the_jobs_of_a_batch_one_is_charged(ledger: Path, options: tuple[str, ...]) -> None:
    jobs = [{"capsule": str(HELLO), "principal": f"p{n % 3}"} for n in range(12)]
    results = batch(ledger, jobs, "--jobs", "4", *options)
    assert {each["sha256"] for each in results} == {SHA256}
    [fresh] = [each for each in results if not each["cached"]]
    assert all(loading(each) == NOTHING for each in results if each is not fresh)
    charged = {each["principal"]: each["compile_cpu_s"] for each in told(ledger, "ls")}
    assert charged.pop(fresh["principal"]) == pytest.approx(fresh["compile_cpu_s"], abs=1e-6)
    assert set(charged.values()) == {0}


def test_who_brings_a_bomb_is_charged_though_it_is_refused(ledger: Path, bomb: Path) -> None:
    report = run(ledger, "--compile-mem", "48MiB", "--principal", "run", bomb)
    [result] = batch(
        ledger,
        [{"capsule": str(bomb), "principal": "batch"}],
        "--no-cache",
        "--compile-mem",
        "48MiB",
    )
    for each in (report, result):
        assert (each["reason"], each["error"]["code"], each["cached"]) == ("refused", "E210", None)
        assert each["compile_cpu_s"] > 0
        assert each["compile_peak_bytes"] > 20 << 20
        assert each["sha256"] == hashlib.sha256(bomb.read_bytes()).hexdigest()
    charged = {each["principal"]: each for each in told(ledger, "ls")}
    assert charged["run"]["compile_cpu_s"] == pytest.approx(report["compile_cpu_s"], abs=1e-6)
    assert charged["batch"]["compile_cpu_s"] > 0
    assert [each["reason"] for each in told(ledger, "history")] == ["refused", "refused"]
    again = run(ledger, "--compile-mem", "48MiB", "--principal", "run", bomb)
    assert (again["error"]["code"], again["compile_cpu_s"]) == ("E210", 0)
    assert len(told(ledger, "history")) == 2


def test_a_file_that_is_not_there_was_never_loaded(ledger: Path, tmp_path: Path) -> None:
    report = run(ledger, tmp_path / "missing.wasm")
    assert (report["sha256"], report["cached"], report["compile_s"]) == (None, None, 0)
    assert not ledger.exists()


def test_an_account_tells_people_what_compiling_took(ledger: Path) -> None:
    run(ledger, HELLO)
    assert "compiling CPU" in atectl("ledger", "show", "default", "--ledger", ledger).stdout
    with sqlite3.connect(ledger) as connection:
        [(charged,)] = connection.execute("SELECT compile_cpu_s FROM accounts")
    assert charged > 0


def slow(folder: Path) -> Path:
    path = folder / "slow.wat"
    path.write_text(slow_loops(6000, 50))
    return path


def test_who_runs_into_its_deadline_while_compiling_is_charged_for_that(
    ledger: Path, tmp_path: Path
) -> None:
    capsule = slow(tmp_path)
    report = run(ledger, "--deadline", "1s", "--principal", "run", capsule)
    job = {"capsule": str(capsule), "principal": "batch", "deadline": "1s"}
    [result] = batch(ledger, [job], "--no-cache")
    charged = {each["principal"]: each["compile_cpu_s"] for each in told(ledger, "ls")}
    for each, principal in ((report, "run"), (result, "batch")):
        assert (each["reason"], each["error"]["code"]) == ("deadline", "E302")
        assert each["compile_cpu_s"] > 0
        assert charged[principal] == pytest.approx(each["compile_cpu_s"], abs=1e-6)
    assert {each["reason"] for each in told(ledger, "history")} == {"deadline"}
