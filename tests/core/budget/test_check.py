"""Every verdict of a budget check, on the budgets under fixtures/ and with made-up baselines."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.budget.baseline import Baseline, Refusal, stated
from atectl.budget.check import BudgetCheck, BudgetVerdict, check_budget, samples
from atectl.budget.demand import Claim, demand
from atectl.budget.file import BudgetFile, load_budget, parse_budget
from atectl.system.ceilings import ceilings
from atectl.units import parse_size
from tests.conftest import ROOT
from tests.support.made_up_machine import Machine

BUDGETS = ROOT / "fixtures" / "budgets"
MIB = 1 << 20
BASELINE = stated(100 * MIB)

FITS, OVERCOMMITTED = BudgetVerdict.FITS, BudgetVerdict.OVERCOMMITTED
UNSATISFIABLE, SKIPPED = BudgetVerdict.UNSATISFIABLE, BudgetVerdict.SKIPPED


def checked(budget: BudgetFile, baseline: Baseline = BASELINE, **host: Any) -> BudgetCheck:
    return check_budget(budget, budget.host._replace(**host), baseline)


def of_fixture(name: str, baseline: Baseline = BASELINE) -> BudgetCheck:
    return checked(load_budget(BUDGETS / f"{name}.toml"), baseline)


def budget_of(
    *quotas: int, limit_bytes: int = 1000 * MIB, **host: Any
) -> tuple[BudgetFile, dict[str, Any]]:
    """A budget of capsules with these quotas, and the settings it is checked under."""
    capsules = [{"path": f"{number}.wasm", "max_mem": size} for number, size in enumerate(quotas)]
    budget = parse_budget(Path("/budget.toml"), {"capsule": capsules})
    return budget, {"limit_bytes": limit_bytes, **host}


def told(check: BudgetCheck) -> list[tuple[str, str | None]]:
    return [(finding.severity.value, finding.code) for finding in check.findings]


@pytest.mark.parametrize(
    ("fixture", "verdict", "code", "findings"),
    [
        ("fits", FITS, None, []),
        ("jobs", FITS, None, []),
        ("overcommitted", OVERCOMMITTED, "E322", [("warning", "E322")]),
        ("unguarded", OVERCOMMITTED, "E322", [("warning", "E322")]),
        ("near-baseline", OVERCOMMITTED, "E322", [("warning", "E323"), ("warning", "E322")]),
        ("below-baseline", UNSATISFIABLE, "E312", [("problem", "E312")]),
        ("lease-too-large", UNSATISFIABLE, "E312", [("problem", "E312")]),
        ("over-ceiling", UNSATISFIABLE, "E312", [("problem", "E312")]),
        ("spill-onto-memory", UNSATISFIABLE, "E312", [("problem", "E320")]),
        ("spill-folder-missing", UNSATISFIABLE, "E312", [("problem", "E321")]),
        (
            "spill-room-too-small",
            UNSATISFIABLE,
            "E312",
            [("problem", "E312"), ("warning", "E322")],
        ),
        ("nothing-to-run", FITS, None, []),
    ],
)
def test_every_fixture_has_the_verdict_that_its_heading_says(
    fixture: str,
    verdict: BudgetVerdict,
    code: str | None,
    findings: list[tuple[str, str | None]],
) -> None:
    check = of_fixture(fixture)
    assert (check.verdict, check.code, told(check)) == (verdict, code, findings)


def test_the_sum_of_a_budget_that_fits() -> None:
    measured = of_fixture("fits").measured
    assert measured.budget.limit_bytes == 2048 * MIB
    assert measured.left_bytes == measured.budget.soft_bytes - 100 * MIB
    assert measured.demand.committed_bytes == (4 * 256 + 2 * 64) * MIB
    assert measured.overcommit_ratio == measured.demand.committed_bytes / measured.left_bytes
    assert [(p.principal, p.leases) for p in measured.demand.principals] == [
        ("default", 2),
        ("render-farm", 4),
    ]


def test_quotas_that_come_to_exactly_what_is_left_fit() -> None:
    for more, verdict in ((0, FITS), (1, OVERCOMMITTED)):
        budget, host = budget_of(400 * MIB, 300 * MIB + more)
        assert checked(budget, **host).verdict is verdict


def test_a_lease_of_exactly_what_the_limit_leaves_could_have_its_quota() -> None:
    for more, verdict in ((0, OVERCOMMITTED), (1, UNSATISFIABLE)):
        budget, host = budget_of(900 * MIB + more)
        assert checked(budget, **host).verdict is verdict


@pytest.mark.parametrize(
    ("baseline", "findings"),
    [
        (80 * MIB, []),
        (80 * MIB + 1, [("warning", "E323")]),
        (100 * MIB, [("warning", "E323")]),
        (100 * MIB + 1, [("problem", "E312")]),
    ],
    ids=["at soft", "over soft", "at the limit", "over the limit"],
)
def test_the_limit_is_judged_by_the_baseline(
    baseline: int, findings: list[tuple[str, str | None]]
) -> None:
    budget, host = budget_of(limit_bytes=100 * MIB)
    assert told(checked(budget, stated(baseline), **host)) == findings


def test_without_backpressure_a_limit_below_the_baseline_is_a_warning() -> None:
    budget, host = budget_of(limit_bytes=100 * MIB, backpressure="none")
    assert told(checked(budget, stated(101 * MIB), **host)) == [("warning", "E323")]


def test_a_limit_of_all_that_can_be_had_is_not_over_it() -> None:
    budget, host = budget_of()
    ceiling_bytes = checked(budget, **host).measured.ceiling.size_bytes
    assert ceiling_bytes is not None
    for more, verdict in ((0, FITS), (1, UNSATISFIABLE)):
        limit = {"limit_bytes": ceiling_bytes + more}
        assert checked(budget, **(host | limit)).verdict is verdict


@pytest.mark.parametrize(("high_mib", "is_warned"), [(500, True), (999, True), (1000, False)])
def test_a_limit_above_memory_high_is_a_warning(
    tmp_path: Path, high_mib: int, is_warned: bool
) -> None:
    machine = Machine(tmp_path)
    machine.v2("/jobs")
    machine.v2_group("jobs", "max", 0)
    machine.write("sys/fs/cgroup/jobs/memory.high", f"{high_mib * MIB}\n")
    budget, host = budget_of(10 * MIB)
    check = check_budget(budget, budget.host._replace(**host), BASELINE, root=str(tmp_path))
    assert ("E326" in {code for _, code in told(check)}) == is_warned
    if is_warned:
        [finding] = [each for each in check.findings if each.code == "E326"]
        assert finding.severity.value == "warning"
        assert f"above {high_mib} MiB the kernel slows the host down" in finding.message
        assert f"set limit to {high_mib}MiB at most" in finding.remedy


def test_an_unknown_baseline_is_skipped_and_never_fits() -> None:
    budget, host = budget_of(MIB)
    check = checked(budget, Baseline(None, "it took too long"), **host)
    assert (check.verdict, check.code, told(check)) == (SKIPPED, None, [("skipped", None)])
    assert "it took too long" in check.findings[0].message


def test_what_is_overcommitted_without_a_baseline_is_so_with_any() -> None:
    budget, host = budget_of(800 * MIB, 1)
    check = checked(budget, Baseline(None, "unknown"), **host)
    assert check.verdict is OVERCOMMITTED


def test_a_capsule_that_cannot_start_makes_a_budget_unsatisfiable() -> None:
    budget, host = budget_of(MIB)
    refusal = Refusal(Path("0.wasm"), "E207", "it imports env::f", "build it for WASI")
    check = checked(budget, Baseline(MIB, "measured", (refusal,)), **host)
    assert (check.verdict, told(check)) == (UNSATISFIABLE, [("problem", "E207")])


@pytest.mark.parametrize("backpressure", ["park", "none"])
def test_the_spill_folder_matters_only_where_memory_is_spilled(backpressure: str) -> None:
    budget, host = budget_of(MIB, backpressure=backpressure, spill_dir=Path("/no/such/folder"))
    check = checked(budget, **host)
    assert check.verdict is FITS
    assert check.measured.spill_room.size_bytes is None


@pytest.mark.parametrize(
    ("cap_mib", "verdict", "findings"),
    [
        (799, UNSATISFIABLE, [("problem", "E312"), ("warning", "E322")]),
        (800, OVERCOMMITTED, [("warning", "E322"), ("warning", "E322")]),
        (1499, OVERCOMMITTED, [("warning", "E322"), ("warning", "E322")]),
        (1500, OVERCOMMITTED, [("warning", "E322")]),
    ],
)
def test_spill_room_is_to_take_what_does_not_fit_and_better_all_leases(
    cap_mib: int, verdict: BudgetVerdict, findings: list[tuple[str, str | None]]
) -> None:
    """Below soft are 700 MiB; three leases of 500 MiB are 800 MiB over that."""
    budget, host = budget_of(*[500 * MIB] * 3, spill_cap_bytes=cap_mib * MIB)
    check = checked(budget, **host)
    assert (check.verdict, told(check)) == (verdict, findings)


def test_where_all_fit_little_spill_room_is_enough() -> None:
    budget, host = budget_of(700 * MIB, spill_cap_bytes=1)
    assert told(checked(budget, **host)) == []


def test_a_file_system_of_unknown_kind_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 4194304 kB\nMemFree: 1 kB\n")
    budget, host = budget_of(MIB)
    check = check_budget(budget, budget.host._replace(**host), BASELINE, root=str(tmp_path))
    assert (check.verdict, told(check)) == (SKIPPED, [("skipped", None)])


@pytest.mark.parametrize(
    ("limit_bytes", "given_bytes", "source"),
    [
        (1000 * MIB, 1000 * MIB, "limit in /budget.toml"),
        (1000 * MIB, 900 * MIB, "--limit"),
        (None, 900 * MIB, "--limit"),
    ],
)
def test_the_limit_says_where_it_comes_from(
    limit_bytes: int | None, given_bytes: int, source: str
) -> None:
    tables = {"host": {"limit": limit_bytes}} if limit_bytes else {}
    budget = parse_budget(Path("/budget.toml"), tables)
    assert checked(budget, limit_bytes=given_bytes).measured.sources.limit == source


def test_a_limit_that_nobody_gave_says_what_it_is_a_share_of() -> None:
    check = checked(parse_budget(Path("/budget.toml"), {}))
    assert check.measured.sources.limit == f"none given: 0.9 of the {check.measured.ceiling.name}"
    assert check.measured.budget.limit_bytes < (check.measured.ceiling.size_bytes or 0)


# Demand


def job(size_bytes: int, principal: str = "a") -> Claim:
    return Claim(Path("j.wasm"), principal, size_bytes, 1, at_once=False)


def capsule(size_bytes: int, leases: int, principal: str = "a") -> Claim:
    return Claim(Path("c.wasm"), principal, size_bytes, leases, at_once=True)


def test_of_the_jobs_only_the_largest_that_run_at_once_count() -> None:
    asked = demand([job(5), job(1), job(7), job(3)], jobs_at_once=2)
    assert (asked.leases, asked.committed_bytes) == (2, 12)


def test_capsules_count_with_all_their_instances_beside_the_jobs() -> None:
    asked = demand([capsule(10, 3), job(5), job(4)], jobs_at_once=1)
    assert (asked.leases, asked.committed_bytes) == (4, 35)
    assert asked.largest == capsule(10, 3)


def test_a_principal_counts_with_the_largest_of_its_own_jobs() -> None:
    asked = demand([job(5, "a"), job(9, "b"), job(1, "b")], jobs_at_once=1)
    assert [(p.principal, p.committed_bytes, p.largest_bytes) for p in asked.principals] == [
        ("a", 5, 5),
        ("b", 9, 9),
    ]
    assert asked.committed_bytes == 9


@given(st.lists(st.tuples(st.integers(1, 99), st.sampled_from("abc")), max_size=20), st.data())
def test_a_host_is_never_promised_more_than_its_principals_together(
    jobs: list[tuple[int, str]], data: st.DataObject
) -> None:
    asked = demand([job(*each) for each in jobs], data.draw(st.integers(1, 10)))
    assert asked.committed_bytes <= sum(p.committed_bytes for p in asked.principals)
    assert all(p.committed_bytes <= asked.committed_bytes for p in asked.principals)


def test_each_capsule_is_sampled_once_with_the_least_and_the_largest_of_its_quotas() -> None:
    budget = parse_budget(
        Path("/budget.toml"),
        {
            "capsule": [{"path": "a.wasm", "max_mem": 5}, {"path": "b.wasm", "max_mem": 7}],
            "job": [{"capsule": "a.wasm", "max_mem": 9}, {"capsule": "a.wasm", "max_mem": 6}],
        },
    )
    assert [(s.path.name, s.least_mem_bytes, s.max_mem_bytes) for s in samples(budget)] == [
        ("a.wasm", 5, 9),
        ("b.wasm", 7, 7),
    ]


# Findings and verdict agree


def test_a_host_over_soft_never_fits_even_with_nothing_to_run() -> None:
    budget, host = budget_of(limit_bytes=110 * MIB)
    check = checked(budget, **host)
    assert (check.verdict, check.code, told(check)) == (
        *(OVERCOMMITTED, "E323"),
        [("warning", "E323")],
    )


def test_leases_over_a_baseline_that_nothing_holds_back_are_a_finding() -> None:
    budget, host = budget_of(MIB, limit_bytes=100 * MIB, backpressure="none")
    check = checked(budget, stated(101 * MIB), **host)
    assert (check.verdict, check.code) == (OVERCOMMITTED, "E322")
    assert told(check) == [("warning", "E323"), ("warning", "E322")]


@given(
    st.lists(st.integers(1, 2000), max_size=3),
    st.integers(1, 2000),
    st.integers(0, 2000),
    st.sampled_from(["both", "park", "spill", "none"]),
)
def test_the_code_of_a_verdict_is_that_of_a_finding(
    quotas: list[int], limit: int, baseline: int, backpressure: str
) -> None:
    budget, host = budget_of(
        *[size * MIB for size in quotas], limit_bytes=limit * MIB, backpressure=backpressure
    )
    check = checked(budget, stated(baseline * MIB), **host)
    assert (check.verdict is FITS) == (not check.findings)
    assert check.code is None or check.code in [finding.code for finding in check.findings]


def test_the_gravest_finding_comes_first() -> None:
    refusal = Refusal(Path("0.wasm"), "E207", "it imports env::f", "build it for WASI")
    baseline = Baseline(None, "unknown", (refusal,), ("a gap",))
    budget, host = budget_of(801 * MIB)
    assert [severity for severity, _ in told(checked(budget, baseline, **host))] == [
        *("problem", "warning", "skipped", "skipped"),
    ]


def test_a_capsule_that_may_start_is_skipped_with_its_code() -> None:
    refusal = Refusal(Path("0.wasm"), "E302", "not known", "", is_certain=False)
    budget, host = budget_of(MIB)
    check = checked(budget, Baseline(MIB, "measured", (refusal,)), **host)
    assert (check.verdict, check.code, told(check)) == (SKIPPED, None, [("skipped", "E302")])


# What is advised can be typed


def test_the_limit_at_which_all_fit_can_be_typed_and_is_enough() -> None:
    budget, host = budget_of(*[201 * MIB + 1] * 5)
    [finding] = checked(budget, **host).findings
    [advised] = re.findall(r"with a limit of (\S+) all fit", finding.remedy)
    enough = {**host, "limit_bytes": parse_size(advised)}
    assert checked(budget, **enough).verdict is FITS


def test_no_limit_is_advised_that_the_machine_does_not_have() -> None:
    budget, host = budget_of(*[900 * MIB] * 60_000)
    remedies = [finding.remedy for finding in checked(budget, **host).findings]
    assert any("lower quotas, or run fewer at once" in remedy for remedy in remedies)
    assert not any("all fit" in remedy for remedy in remedies)


def test_a_limit_over_the_ceiling_is_to_be_lowered_to_one_that_can_be_typed() -> None:
    budget, host = budget_of(limit_bytes=1 << 62)
    check = checked(budget, **host)
    [finding] = check.findings
    [advised] = re.findall(r"lower the limit to (\S+) or less", finding.remedy)
    ceiling_bytes = check.measured.ceiling.size_bytes
    assert ceiling_bytes is not None
    assert 0 <= ceiling_bytes - parse_size(advised) < MIB
    assert ("or raise the bound" in finding.remedy) == check.measured.ceiling.can_be_raised


def test_physical_memory_is_no_bound_that_can_be_raised() -> None:
    assert [each.name for each in ceilings() if not each.can_be_raised] == ["physical memory"]


# Where each figure comes from


def test_soft_resume_and_jobs_say_whether_file_or_option_or_neither_sets_them() -> None:
    tables = {"host": {"soft": 0.8, "jobs": 3}, "job": [{"capsule": "a.wasm"}]}
    budget = parse_budget(Path("/budget.toml"), tables)
    sources = checked(budget).measured.sources
    assert (sources.soft, sources.resume) == ("soft in /budget.toml", "the default")
    assert sources.jobs == "jobs in /budget.toml"
    sources = checked(budget, soft=0.9, resume=0.5, jobs=1).measured.sources
    assert (sources.soft, sources.resume, sources.jobs) == ("--soft", "--resume", "--jobs")


def test_a_resume_that_follows_from_soft_says_so() -> None:
    budget = parse_budget(Path("/budget.toml"), {"host": {"soft": 0.6}})
    assert checked(budget).measured.sources.resume == "the default for this soft: 0.875 of it"


def test_jobs_at_once_have_a_source_only_where_there_are_jobs() -> None:
    budget, host = budget_of(MIB)
    assert checked(budget, **host).measured.sources.jobs is None
    budget = parse_budget(Path("/budget.toml"), {"job": [{"capsule": "a.wasm"}]})
    assert checked(budget).measured.sources.jobs == "as many jobs as cores"


def test_the_cap_on_spilling_says_who_set_it_and_what_is_free() -> None:
    budget = parse_budget(Path("/budget.toml"), {"host": {"spill_cap": "1MiB"}})
    assert checked(budget).measured.spill_room.source.startswith("spill_cap in /budget.toml; ")
    room = checked(budget, spill_cap_bytes=2 * MIB).measured.spill_room
    assert (room.size_bytes, room.source.startswith("--spill-cap; ")) == (2 * MIB, True)


def test_a_cap_that_the_disk_does_not_have_is_told_and_does_not_count() -> None:
    budget, host = budget_of(MIB, spill_cap_bytes=1 << 60)
    room = checked(budget, **host).measured.spill_room
    assert room.size_bytes is not None
    assert room.size_bytes < 1 << 60
    assert room.source.endswith("less than the 1 EiB of --spill-cap")
