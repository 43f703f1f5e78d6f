"""A recommended budget: peaks of the ledger with headroom, and what was refused as evidence."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_records import MIB, NOW, account, finished, lease

from atectl.accounting import Budget
from atectl.baseline import stated
from atectl.budget import parse_budget
from atectl.budget_check import BudgetVerdict, check_budget
from atectl.budget_plan import Change, Plan, changes, most_together, recommend, to_tables
from atectl.budget_writing import plan_text
from atectl.ledger_store import AccountRecord, LeaseRecord

BASELINE = 30 * MIB


def seen(principal: str, high_water_bytes: int, **changes: Any) -> AccountRecord:
    usual = {"peak_bytes": high_water_bytes, "high_water_bytes": high_water_bytes}
    return account(principal, **{**usual, **changes})


def ran(start: float, end: float | None, held_bytes: int, **changes: Any) -> LeaseRecord:
    times = {"started_at": NOW + start, "updated_at": NOW + (1000 if end is None else end)}
    record = lease("alpha", high_water_bytes=held_bytes, largest_refused_bytes=0, **times)
    if end is not None:
        record = record._replace(finished_at=NOW + end, state="finished")
    return record._replace(**changes)


def plan_of(*accounts: AccountRecord, leases: tuple[LeaseRecord, ...] = (), **options: Any) -> Plan:
    return recommend(accounts, leases, **{"baseline_bytes": BASELINE, **options})


def test_a_quota_is_the_peak_and_headroom_in_whole_mebibytes() -> None:
    [plan] = plan_of(seen("alpha", 100 * MIB)).principals
    assert (plan.peak_bytes, plan.headroom_bytes, plan.max_mem_bytes) == (
        100 * MIB,
        15 * MIB,
        115 * MIB,
    )
    [plan] = plan_of(seen("alpha", 100 * MIB + 1)).principals
    assert plan.max_mem_bytes == 116 * MIB


def test_headroom_can_be_chosen() -> None:
    [plan] = plan_of(seen("alpha", 100 * MIB), headroom=0.5).principals
    assert plan.max_mem_bytes == 150 * MIB


def test_the_peak_is_the_absolute_mark_over_which_a_quota_holds() -> None:
    [plan] = plan_of(seen("alpha", 100 * MIB, peak_bytes=10 * MIB)).principals
    assert plan.peak_bytes == 100 * MIB


def test_samples_and_window_are_those_of_the_account() -> None:
    [plan] = plan_of(seen("alpha", MIB, leases=7, since=NOW - 9, updated_at=NOW)).principals
    assert (plan.samples, plan.since, plan.until) == (7, NOW - 9, NOW)


def test_what_was_refused_counts_as_wanted() -> None:
    leases = tuple(ran(0, 1, MIB, largest_refused_bytes=size * MIB) for size in (5, 20, 1))
    [plan] = plan_of(seen("alpha", 80 * MIB, refused_growths=3), leases=leases).principals
    assert plan.is_cut_off
    assert (plan.largest_refused_bytes, plan.max_mem_bytes) == (20 * MIB, 115 * MIB)


def test_a_peak_that_was_cut_off_is_marked_where_the_ledger_forgot_by_how_much() -> None:
    [plan] = plan_of(seen("alpha", 100 * MIB, refused_growths=1)).principals
    assert plan.is_cut_off
    assert (plan.largest_refused_bytes, plan.max_mem_bytes) == (0, 115 * MIB)


def test_what_was_refused_before_the_account_was_opened_does_not_count() -> None:
    earlier = ran(0, 1, MIB, largest_refused_bytes=MIB)
    [plan] = plan_of(seen("alpha", 100 * MIB, refused_growths=0), leases=(earlier,)).principals
    assert not plan.is_cut_off
    assert plan.max_mem_bytes == 115 * MIB


def test_what_others_were_refused_changes_nothing() -> None:
    other = ran(0, 1, MIB, principal="beta", largest_refused_bytes=MIB)
    [plan] = plan_of(seen("alpha", 100 * MIB, refused_growths=1), leases=(other,)).principals
    assert plan.max_mem_bytes == 115 * MIB


def test_an_account_that_never_held_anything_has_no_plan() -> None:
    assert plan_of(seen("alpha", 0)).principals == ()


@pytest.mark.parametrize(
    ("leases", "most"),
    [
        ([], (0, 0)),
        ([(0, 10, 5)], (1, 5)),
        ([(0, 10, 5), (5, 15, 7), (20, 30, 9)], (2, 12)),
        ([(0, 10, 5), (10, 20, 7)], (2, 12)),
        ([(0, 10, 5), (11, 20, 7)], (1, 7)),
        ([(3, 3, 5)], (1, 5)),
        ([(0, None, 5), (900, None, 7)], (2, 12)),
    ],
)
def test_the_most_that_was_held_at_the_same_time(
    leases: list[tuple[float, float | None, int]], most: tuple[int, int]
) -> None:
    assert most_together(ran(*each) for each in leases) == most


def test_the_limit_keeps_what_was_held_together_below_soft() -> None:
    leases = (ran(0, 10, 100 * MIB), ran(5, 15, 100 * MIB))
    plan = plan_of(seen("alpha", 100 * MIB), leases=leases)
    assert (plan.together_leases, plan.together_bytes) == (2, 200 * MIB)
    assert plan.limit_bytes is not None
    assert Budget(plan.limit_bytes).soft_bytes >= BASELINE + 230 * MIB
    assert Budget(plan.limit_bytes - MIB).soft_bytes < BASELINE + 230 * MIB


def test_without_a_baseline_there_is_no_limit() -> None:
    plan = plan_of(seen("alpha", MIB), baseline_bytes=None)
    assert plan.limit_bytes is None
    assert "host" not in to_tables(plan)


@given(
    st.lists(st.tuples(st.integers(1, 1 << 31), st.integers(0, 3)), min_size=1, max_size=8),
    st.floats(0, 3),
    st.integers(1, 1 << 30),
)
def test_every_lease_could_have_its_planned_quota_under_the_planned_limit(
    peaks: list[tuple[int, int]], headroom: float, baseline_bytes: int
) -> None:
    accounts = [
        seen(f"p{number}", size, refused_growths=refused)
        for number, (size, refused) in enumerate(peaks)
    ]
    plan = recommend(accounts, (), headroom=headroom, baseline_bytes=baseline_bytes)
    capsules = [{"path": "c.wasm", "principal": each.principal} for each in plan.principals]
    assert all(each.max_mem_bytes >= each.peak_bytes for each in plan.principals)
    for one in capsules:
        budget = parse_budget(Path("/b.toml"), {**to_tables(plan), "capsule": [one]})
        host = budget.host._replace(backpressure="none")
        check = check_budget(budget, host, stated(baseline_bytes))
        assert check.verdict is BudgetVerdict.FITS


def test_the_file_of_a_plan_has_its_evidence_as_comments() -> None:
    plan = plan_of(
        seen("alpha", 64 * MIB, leases=3, since=0.0, updated_at=86_400.0),
        seen("beta", MIB, refused_growths=2, since=0.0, updated_at=0.0),
    )
    text = plan_text(plan)
    assert "# alpha: 3 leases from 1970-01-01 to 1970-01-02, peak 64MiB\n" in text
    assert "# beta: 1 lease from 1970-01-01 to 1970-01-01, peak 1MiB, 2 growths refused\n" in text
    assert tomllib.loads(text) == to_tables(plan)


def test_changes_are_told_against_what_is_in_use() -> None:
    in_use = parse_budget(
        Path("/b.toml"),
        {
            "host": {"limit": "1GiB"},
            "defaults": {"max_mem": "32MiB"},
            "principals": {
                "alpha": {"max_mem": "64MiB"},
                "same": {"max_mem": "23MiB"},
                "unseen": {},
            },
        },
    )
    plan = plan_of(seen("alpha", 100 * MIB), seen("same", 20 * MIB), seen("new", 10 * MIB))
    assert changes(plan, in_use) == [
        Change("host.limit", 1024 * MIB, plan.limit_bytes),
        Change("principals.alpha.max_mem", 64 * MIB, 115 * MIB),
        Change("principals.new.max_mem", 32 * MIB, 12 * MIB),
        Change("principals.unseen.max_mem", 32 * MIB, None),
    ]


def test_a_plan_changes_nothing_of_itself() -> None:
    plan = plan_of(seen("alpha", 100 * MIB), seen("beta", MIB))
    assert changes(plan, parse_budget(Path("/b.toml"), to_tables(plan))) == []


def test_leases_that_still_run_count() -> None:
    plan = plan_of(seen("alpha", MIB), leases=(finished("alpha"), lease("alpha")))
    assert plan.together_leases == 2
