"""`run` and `batch` end as the wasmtime command does, but for what its page says."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import CAPSULES, ROOT
from tests.faults import same_as_wasmtime
from tests.support.program import atectl
from tests.support.python_component import build_python_component

SMITHS = 36


@pytest.mark.slow
def test_a_fixture_ends_alike_in_run_in_batch_and_by_wasmtime(tmp_path: Path) -> None:
    for each in same_as_wasmtime.compare(tmp_path, list(same_as_wasmtime.fixtures())):
        assert each.run == each.batch == each.wasmtime, each.case.name


def test_every_difference_by_design_is_on_the_page_of_run() -> None:
    page = (ROOT / "commands/run/README.md").read_text()
    designed = same_as_wasmtime.FIXTURES_BY_DESIGN
    assert set(designed) <= {path.stem for path in CAPSULES.glob("*.wat")}
    for row in set(designed.values()):
        assert f"| {row} |" in page


@pytest.mark.slow
def test_random_modules_end_alike_and_none_makes_atectl_fail(tmp_path: Path) -> None:
    modules = list(same_as_wasmtime.random_modules(tmp_path, range(SMITHS)))
    ends = same_as_wasmtime.compare(tmp_path, modules)
    for each in ends:
        assert each.is_alike or each.why_not, each
        assert each.batch.status != 125, each
        assert not each.error.startswith(("E7", "E9")), each
    assert {"exited", "trapped"} <= {each.reason for each in ends if each.is_alike}


@pytest.mark.skipif("ATECTL_ADAPTER" not in os.environ, reason="it names no adapter")
def test_a_module_that_became_a_component_ends_alike(tmp_path: Path) -> None:
    adapter = Path(os.environ["ATECTL_ADAPTER"])
    names = {f"{name}, adapted" for name in ("args", "exit-status", "hello", "trap")}
    cases = same_as_wasmtime.adapted_fixtures(tmp_path, adapter)
    ends = same_as_wasmtime.compare(tmp_path, [each for each in cases if each.name in names])
    assert {each.case.name: each.is_alike for each in ends} == dict.fromkeys(names, True)


@pytest.mark.slow
def test_a_program_in_python_that_raises_err_ends_with_1(tmp_path: Path) -> None:
    component = build_python_component(tmp_path)
    words = ("return", "err", "bug", "exit")
    jobs = [{"capsule": str(component), "args": [word], "stdout": word} for word in words]
    stdin = "".join(json.dumps(job) + "\n" for job in jobs).encode()
    options = ["--ledger", "none", "--compile-deadline", "4m"]
    ended = atectl("batch", "-", *options, stdin=stdin, cwd=tmp_path, timeout=280)
    told = sorted(map(json.loads, ended.stdout.splitlines()), key=lambda each: each["job"])
    # As by the wasmtime command: `python -m tests.faults.same_as_wasmtime` compares them.
    assert [each["exit_status"] for each in told] == [0, 1, 134, 1]
    assert [(tmp_path / word).read_text() for word in words] == [f"to {word}\n" for word in words]
