"""The host budget file: what is read from it, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from atectl.accounting import Budget
from atectl.arbitration.policies import POLICY_NAMES
from atectl.budget.errors import BadBudgetFile, BudgetUnwritable, UnsatisfiableBudget
from atectl.budget.file import (
    DEFAULT_SPILL_DIR,
    BudgetFile,
    HostSettings,
    load_budget,
    parse_budget,
    refuse_unsatisfiable,
)
from atectl.budget.jobs import Allowance
from atectl.budget.writing import TEMPLATE, write_budget
from atectl.units import parse_size

MIB = 1 << 20
FILE = Path("/somewhere/budget.toml")
HUGE = 1 << 20_000
"""Has more digits than Python converts to text; TOML has such numbers as 0xfff…"""


def parsed(**tables: Any) -> BudgetFile:
    return parse_budget(FILE, tables)


def refusal(**tables: Any) -> str:
    with pytest.raises(BadBudgetFile) as caught:
        parsed(**tables)
    return str(caught.value).removeprefix(f"{FILE}: ")


def test_an_empty_file_leaves_everything_at_its_default() -> None:
    budget = parsed()
    assert budget.host == HostSettings(
        limit_bytes=None,
        soft=0.80,
        resume=None,
        backpressure="both",
        policy=None,
        spill_dir=DEFAULT_SPILL_DIR,
        spill_cap_bytes=None,
        jobs=None,
    )
    assert budget.host.resume_share == 0.70
    assert budget.defaults.general == Allowance(64 * MIB, 300.0, 0)
    assert (budget.capsules, budget.job_tables) == ((), ())


def test_every_key_of_the_host_is_read() -> None:
    host = parsed(
        host={
            "limit": "1GiB",
            "soft": 0.9,
            "resume": 0.5,
            "backpressure": "park",
            "policy": "priority",
            "spill_dir": "spilled",
            "spill_cap": 4096,
            "jobs": 3,
        }
    ).host
    assert host == HostSettings(
        1024 * MIB, 0.9, 0.5, "park", "priority", Path("/somewhere/spilled"), 4096, 3
    )
    assert host.budget() == Budget(1024 * MIB, 0.9, 0.5)


def test_a_principal_takes_from_the_defaults_what_it_does_not_say() -> None:
    budget = parsed(
        defaults={"max_mem": "1MiB", "priority": 2, "deadline": "none"},
        principals={"alpha": {"max_mem": "8MiB"}, "beta": {"priority": -5, "deadline": 90}},
    )
    assert budget.defaults.general == Allowance(MIB, None, 2)
    assert budget.defaults.principals == {
        "alpha": Allowance(8 * MIB, None, 2),
        "beta": Allowance(MIB, 90.0, -5),
    }


def test_a_capsule_has_the_quota_of_its_table_its_principal_or_the_defaults() -> None:
    budget = parsed(
        defaults={"max_mem": "1MiB"},
        principals={"alpha": {"max_mem": "8MiB"}},
        capsule=[
            {"path": "a.wasm"},
            {"path": "b.wasm", "principal": "alpha"},
            {"path": "/c.wasm", "principal": "alpha", "max_mem": "2MiB", "instances": 7},
        ],
    )
    assert [(str(c.path), c.principal, c.instances, c.max_mem_bytes) for c in budget.capsules] == [
        ("/somewhere/a.wasm", "default", 1, MIB),
        ("/somewhere/b.wasm", "alpha", 1, 8 * MIB),
        ("/c.wasm", "alpha", 7, 2 * MIB),
    ]


def test_jobs_have_the_keys_of_a_batch_job_and_the_allowances_of_the_file() -> None:
    budget = parsed(
        principals={"alpha": {"max_mem": "8MiB", "priority": 3}},
        job=[{"capsule": "a.wasm", "principal": "alpha", "label": "first", "args": ["x"]}],
    )
    [job] = budget.jobs()
    assert (job.capsule, job.quota.memory_bytes) == (Path("/somewhere/a.wasm"), 8 * MIB)
    assert (job.priority, job.label, job.wasi.arguments) == (3, "first", ("a.wasm", "x"))


def test_a_job_that_is_none_is_named_by_its_place() -> None:
    budget = parsed(job=[{"capsule": "a.wasm"}, {"capsul": "b.wasm"}])
    with pytest.raises(BadBudgetFile, match=r"budget\.toml: job 2: unknown key 'capsul'"):
        budget.jobs()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"hots": {}}, "unknown key 'hots'; did you mean host?"),
        ({"host": {"limt": 1}}, "host: unknown key 'limt'; did you mean limit?"),
        ({"defaults": {"max_men": 1}}, "defaults: unknown key 'max_men'; did you mean max_mem?"),
        ({"principals": {"a": {"prio": 1}}}, "principals.a: unknown key 'prio'"),
        ({"capsule": [{}, {"pat": ""}]}, "capsule 1: path is missing"),
        ({"capsule": [{"path": "x", "instance": 1}]}, "capsule 1: unknown key 'instance'"),
    ],
)
def test_an_unknown_key_is_an_error_with_the_nearest_known(
    tables: dict[str, Any], message: str
) -> None:
    assert refusal(**tables).startswith(message)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ({"limit": "much"}, "host: limit: 'much' is not a size"),
        ({"limit": True}, "host: limit: true is not a size"),
        ({"limit": 0}, "host: limit: '0' is zero"),
        ({"limit": 1.5}, "host: limit: 1.5 is not a size"),
        ({"soft": 0}, "host: soft: 0 is no fraction"),
        ({"soft": 1.01}, "host: soft: 1.01 is no fraction"),
        ({"soft": float("nan")}, "host: soft: NaN is no fraction"),
        ({"soft": "101%"}, 'host: soft: "101%" is no fraction'),
        ({"soft": "0.8"}, 'host: soft: "0.8" is no fraction'),
        ({"soft": "nan%"}, 'host: soft: "nan%" is no fraction'),
        ({"soft": True}, "host: soft: true is no fraction"),
        ({"soft": 0.5, "resume": 0.7}, "host: resume = 0.7 is above soft = 0.5"),
        ({"backpressure": "spil"}, 'host: backpressure: "spil" is none of'),
        ({"policy": "biggest"}, 'host: policy: "biggest" is none of'),
        ({"policy": 3}, "host: policy: 3 is none of"),
        ({"spill_dir": ""}, "host: spill_dir: it is empty"),
        ({"spill_dir": "a\0b"}, 'host: spill_dir: "a\\u0000b" holds a NUL character'),
        ({"jobs": 0}, "host: jobs: 0 is no whole number from 1 to 4096"),
        *(
            ({key: HUGE}, f"host: {key}: a number of thousands of digits")
            for key in ("limit", "soft", "backpressure", "spill_dir", "jobs")
        ),
        ({"limit": 10**400}, "host: limit: 1000000000000"),
        ({"jobs": 2.0}, "host: jobs: 2.0 is no whole number"),
        ({"jobs": True}, "host: jobs: true is no whole number"),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error_that_names_its_place(
    host: dict[str, Any], message: str
) -> None:
    assert refusal(host=host).startswith(message)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"host": 3}, "host: 3 is no table of keys"),
        ({"principals": {"a": 3}}, "principals.a: 3 is no table of keys"),
        ({"capsule": {"path": "x"}}, 'capsule: {"path": "x"} is no list of tables: [[capsule]]'),
        ({"job": [3]}, "job 1: 3 is no table of keys"),
        ({"principals": {"a b": {}}}, "principals.a b: principal 'a b' has ' '"),
        ({"defaults": {"deadline": "soon"}}, "defaults: deadline: 'soon' is not a duration"),
        ({"defaults": {"deadline": HUGE}}, "defaults: deadline: a number of thousands of digits"),
        ({"defaults": {"deadline": 10**400}}, "defaults: deadline: 1000000000000"),
        ({"defaults": {"deadline": []}}, "defaults: deadline: [] is not a duration"),
        ({"capsule": [{"path": "x", "principal": "a b"}]}, "capsule 1: principal: principal 'a b'"),
    ],
)
def test_what_has_the_wrong_shape_is_refused(tables: dict[str, Any], message: str) -> None:
    assert refusal(**tables).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"host = [", "Invalid value"), (b"\xff", "it is not UTF-8"), (b"a = 1\na = 2", "Cannot")],
)
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "budget.toml").write_bytes(content)
    with pytest.raises(BadBudgetFile, match=message):
        load_budget(tmp_path / "budget.toml")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBudgetFile, match=r"gone\.toml: No such file"):
        load_budget(tmp_path / "gone.toml")


def test_a_mark_at_the_beginning_of_a_file_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "budget.toml").write_bytes(b"\xef\xbb\xbf[host]\nlimit = '1GiB'\n")
    assert load_budget(tmp_path / "budget.toml").host.limit_bytes == 1024 * MIB


def test_a_fraction_may_be_a_percentage() -> None:
    host = parsed(host={"soft": "82.5%", "resume": " 7 % "}).host
    assert (host.soft, host.resume) == (0.825, 0.07)


@pytest.mark.parametrize(
    ("soft", "resume"), [(0.5, 0.4375), (0.8, 0.7), (0.9, 0.7), (0.0001, 0.0001)]
)
def test_a_resume_that_is_not_said_follows_a_lower_soft(soft: float, resume: float) -> None:
    assert parsed(host={"soft": soft}).host.budget().resume == resume


def test_a_file_tells_which_keys_of_the_host_it_sets() -> None:
    assert parsed(host={"soft": 0.8, "jobs": 2}).host_keys == {"soft", "jobs"}
    assert parsed().host_keys == frozenset()


# E312


def test_a_limit_below_the_baseline_is_refused_with_both_numbers() -> None:
    with pytest.raises(UnsatisfiableBudget) as caught:
        refuse_unsatisfiable(Budget(99), 100, is_guarded=True)
    assert re.findall(r"\d+(?= bytes)", str(caught.value)) == ["99", "100"]


def test_the_limit_that_is_advised_is_one_that_can_be_typed_and_is_enough() -> None:
    with pytest.raises(UnsatisfiableBudget) as caught:
        refuse_unsatisfiable(Budget(MIB), 1000 * MIB + 1, is_guarded=True)
    [advised] = re.findall(r"above (\S+) leases", caught.value.remedy)
    assert Budget(parse_size(advised)).soft_bytes >= 1000 * MIB + 1


@pytest.mark.parametrize(
    ("limit_bytes", "baseline_bytes", "is_guarded"),
    [(100, 100, True), (99, 100, False), (99, None, True)],
    ids=["exactly the baseline", "nothing is parked", "baseline unknown"],
)
def test_any_other_limit_is_not(
    limit_bytes: int, baseline_bytes: int | None, is_guarded: bool
) -> None:
    refuse_unsatisfiable(Budget(limit_bytes), baseline_bytes, is_guarded=is_guarded)


@pytest.mark.parametrize(
    ("backpressure", "policy", "is_guarded", "spills"),
    [
        ("both", None, True, True),
        ("spill", "largest", True, True),
        ("park", None, True, False),
        ("none", None, False, False),
        ("both", "none", True, True),
    ],
)
def test_what_the_knobs_say_of_a_host(
    backpressure: str, policy: str | None, is_guarded: bool, spills: bool
) -> None:
    host = HostSettings(backpressure=backpressure, policy=policy)
    assert (host.is_guarded, host.rules.spills) == (is_guarded, spills)


# Writing


def test_the_commented_file_names_every_policy() -> None:
    assert all(f'"{name}"' in TEMPLATE for name in POLICY_NAMES)


def test_the_commented_file_says_what_holds_without_it(tmp_path: Path) -> None:
    (tmp_path / "budget.toml").write_text(TEMPLATE)
    budget = load_budget(tmp_path / "budget.toml")
    said = HostSettings()
    assert budget.host == said._replace(resume=said.resume_share)
    assert budget.defaults.general == Allowance()


def test_the_commented_file_has_every_key_and_each_can_be_used(tmp_path: Path) -> None:
    import tomllib

    from atectl.budget.file import ALLOWANCE, CAPSULE, HOST
    from atectl.budget.jobs import JOB

    uncommented = re.sub(r"^# (?=\[|\w+ = )", "", TEMPLATE, flags=re.MULTILINE)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "budget.toml").write_text(uncommented)
    tables = tomllib.loads(uncommented)
    assert set(tables["host"]) == set(HOST.keys)
    assert set(tables["defaults"]) == set(ALLOWANCE.keys)
    assert set(tables["principals"]["render-farm"]) == set(ALLOWANCE.keys)
    assert set(tables["capsule"][0]) == set(CAPSULE.keys)
    assert set(tables["job"][0]) == set(JOB.keys) - {"invoke"}
    assert len(load_budget(tmp_path / "budget.toml").jobs()) == 1


def test_a_file_that_is_there_is_replaced_only_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text("mine")
    with pytest.raises(BudgetUnwritable, match="already there"):
        write_budget(path, "new", replace=False)
    assert path.read_text() == "mine"
    write_budget(path, "new", replace=True)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(BudgetUnwritable, match="No such file or directory"):
        write_budget(tmp_path / "gone" / "budget.toml", "new", replace=True)
