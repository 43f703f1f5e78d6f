"""What atectl reads is what its schema says: what the schema refuses, atectl refuses too."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.budget.errors import BadJob
from atectl.budget.file import load_budget
from atectl.budget.jobs import JOB, JobDefaults, parse_job
from atectl.budget.writing import TEMPLATE
from atectl.config import load_settings
from tests.conftest import ROOT
from tests.support.schemas import faults, require_valid

BUDGETS = sorted((ROOT / "fixtures" / "budgets").glob("*.toml"))
BROKEN = "unknown-key"


@pytest.mark.parametrize(
    "path", [each for each in BUDGETS if each.stem != BROKEN], ids=lambda path: path.stem
)
def test_a_budget_file(path: Path) -> None:
    load_budget(path)
    require_valid("budget", tomllib.loads(path.read_text()))


def test_a_budget_file_that_is_refused_is_refused_by_its_schema() -> None:
    [broken] = [path for path in BUDGETS if path.stem == BROKEN]
    assert faults("budget", tomllib.loads(broken.read_text()))


def test_the_budget_file_that_init_writes_with_every_key_in_it() -> None:
    require_valid("budget", tomllib.loads(TEMPLATE))
    uncommented = re.sub(r"^# (?=\[|\w+ = )", "", TEMPLATE, flags=re.MULTILINE)
    require_valid("budget", tomllib.loads(uncommented))


@pytest.mark.parametrize(
    "tables",
    [
        {"hots": {}},
        {"host": 3},
        {"host": {"limit": "much"}},
        {"host": {"limit": 0}},
        {"host": {"limit": True}},
        {"host": {"soft": 1.5}},
        {"host": {"soft": "80"}},
        {"host": {"backpressure": "maybe"}},
        {"host": {"jobs": 0}},
        {"host": {"spill_dir": ""}},
        {"defaults": {"deadline": "soon"}},
        {"defaults": {"priority": 1001}},
        {"principals": {"a b": {}}},
        {"principals": {"a": {"prio": 1}}},
        {"capsule": {"path": "x"}},
        {"capsule": [{}]},
        {"capsule": [{"path": "x", "instances": 0}]},
        {"job": [{"args": []}]},
    ],
    ids=json.dumps,
)
def test_the_schema_of_budgets_refuses(tables: dict[str, Any]) -> None:
    assert faults("budget", tables)


@pytest.mark.parametrize(
    "job",
    [
        {"capsule": "a.wasm"},
        {"capsule": "a.wasm", "args": ["x"], "env": ["A=1"], "dirs": ["/tmp::/work:ro"]},
        {"capsule": "a.wasm", "env": {"A": "1"}, "principal": "p", "max_mem": "1.5KiB"},
        {"capsule": "a.wasm", "max_mem": 65536, "deadline": "none", "priority": -5},
        {"capsule": "a.wasm", "max_mem": "64 mb", "deadline": " 1h30m ", "label": "x"},
        {"capsule": "a.wasm", "deadline": 0.5, "invoke": "f", "stdin": "in", "stdout": "out"},
    ],
    ids=json.dumps,
)
def test_a_job(job: dict[str, Any]) -> None:
    parse_job(job, JobDefaults())
    require_valid("job", job)


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"capsule": ""},
        {"capsule": 7},
        {"capsul": "a.wasm"},
        {"capsule": "a.wasm", "args": "one two"},
        {"capsule": "a.wasm", "args": [1]},
        {"capsule": "a.wasm", "env": {"A=B": "c"}},
        {"capsule": "a.wasm", "env": {"A": 1}},
        {"capsule": "a.wasm", "principal": "team blue"},
        {"capsule": "a.wasm", "max_mem": "big"},
        {"capsule": "a.wasm", "max_mem": -1},
        {"capsule": "a.wasm", "priority": 1.5},
        {"capsule": "a.wasm", "deadline": "soon"},
        {"capsule": "a.wasm", "deadline": 0},
        {"capsule": "a.wasm", "label": "x" * 201},
        {"capsule": "a.wasm", "stdout": []},
    ],
    ids=lambda job: json.dumps(job)[:40],
)
def test_a_job_that_is_refused_is_refused_by_its_schema(job: dict[str, Any]) -> None:
    with pytest.raises(BadJob):
        parse_job(job, JobDefaults())
    assert faults("job", job)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(JOB.keys), json_values, max_size=5))
def test_whatever_the_schema_of_jobs_refuses_is_no_job(job: dict[str, Any]) -> None:
    try:
        parse_job(job, JobDefaults())
    except BadJob:
        return
    require_valid("job", job)


def test_settings(private_homes: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = (ROOT / "commands/options/README.md").read_text()
    [example] = re.findall(r"^```toml\n(\[ledger\].*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "atectl.toml").write_text(example)
    monkeypatch.setenv("ATECTL_CONFIG", str(tmp_path / "atectl.toml"))
    assert load_settings().redis_url
    require_valid("settings", tomllib.loads(example))
    assert faults("settings", {"ledger": {"pth": "x"}})
