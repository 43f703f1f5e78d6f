"""A recommended budget: peaks of the ledger with headroom, and what was refused as evidence."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Budget
from atectl.budget.baseline import stated, unmeasured
from atectl.budget.check import BudgetVerdict, check_budget
from atectl.budget.file import parse_budget
from atectl.budget.plan import Change, Plan, changes, most_together, recommend, to_tables
from atectl.budget.writing import plan_text
from atectl.ledger_store.records import AccountRecord, LeaseRecord
from tests.support.ledger_records import MIB, NOW, account, finished, lease

BASELINE = 30 * MIB


def seen(principal: str, high_water_bytes: int, **changes: Any) -> AccountRecord:
    usual = {"peak_bytes": high_water_bytes, "high_water_bytes": high_water_bytes}
    return account(principal, **{**usual, **changes})


def ran(start: float, end: float | None, held_bytes: int, **changes: Any) -> LeaseRecord:
    times = {"started_at": NOW + start, "updated_at": NOW + (1000 if end is None else end)}
    usual = {"peak_bytes": held_bytes, "high_water_bytes": held_bytes}
    unrefused = {"refused_growths": 0, "largest_refused_bytes": 0}
    record = lease("alpha", **usual, **unrefused, **times)
    if end is not None:
        record = record._replace(finished_at=NOW + end, state="finished")
    return record._replace(**changes)


def granted(held_mib: int) -> LeaseRecord:
    """A lease that held so much, and was refused nothing."""
    return ran(0, 1, held_mib * MIB)


def plan_of(*accounts: AccountRecord, leases: tuple[LeaseRecord, ...] = (), **options: Any) -> Plan:
    return recommend(accounts, leases, **{"baseline": stated(BASELINE), **options})


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


def refused(held_mib: int, *, by_mib: int, times: int = 1) -> LeaseRecord:
    """A lease that was refused a growth over what it held."""
    return ran(0, 1, held_mib * MIB, refused_growths=times, largest_refused_bytes=by_mib * MIB)


def test_what_was_refused_counts_as_wanted_by_the_lease_that_met_it() -> None:
    leases = (refused(70, by_mib=5), refused(80, by_mib=20), refused(60, by_mib=30))
    [plan] = plan_of(seen("alpha", 80 * MIB, refused_growths=3), leases=leases).principals
    assert plan.is_cut_off
    assert (plan.peak_bytes, plan.wanted_bytes) == (80 * MIB, 100 * MIB)
    assert plan.max_mem_bytes == 115 * MIB


def test_a_refusal_of_one_lease_is_not_added_to_the_peak_of_another() -> None:
    leases = (refused(0, by_mib=32), granted(160))
    [plan] = plan_of(seen("alpha", 160 * MIB, refused_growths=1), leases=leases).principals
    assert not plan.is_cut_off
    assert (plan.wanted_bytes, plan.max_mem_bytes) == (160 * MIB, 184 * MIB)


def test_a_refusal_is_forgotten_once_another_lease_had_what_it_wanted() -> None:
    earlier = refused(9, by_mib=1)
    [plan] = plan_of(seen("alpha", 9 * MIB, refused_growths=1), leases=(earlier,)).principals
    assert plan.is_cut_off
    leases = (earlier, granted(32))
    [plan] = plan_of(seen("alpha", 32 * MIB, refused_growths=1), leases=leases).principals
    assert not plan.is_cut_off


def test_a_lower_peak_that_was_refused_may_have_wanted_more_than_the_largest() -> None:
    leases = (refused(80, by_mib=40), granted(100))
    [plan] = plan_of(seen("alpha", 100 * MIB, refused_growths=1), leases=leases).principals
    assert plan.is_cut_off
    assert (plan.peak_bytes, plan.wanted_bytes) == (100 * MIB, 120 * MIB)


@pytest.mark.parametrize(("forgotten", "is_cut_off"), [(0, False), (1, True)])
def test_where_the_lease_of_the_peak_is_forgotten_refusals_that_are_too_are_held_against_it(
    forgotten: int, is_cut_off: bool
) -> None:
    leases = (refused(9, by_mib=1, times=2),)
    account = seen("alpha", 100 * MIB, refused_growths=2 + forgotten)
    [plan] = plan_of(account, leases=leases).principals
    assert plan.is_cut_off is is_cut_off
    assert (plan.wanted_bytes, plan.max_mem_bytes) == (100 * MIB, 115 * MIB)


def test_the_window_begins_with_the_earliest_lease() -> None:
    leases = (ran(-500, 1, MIB), ran(0, 1, MIB))
    [plan] = plan_of(seen("alpha", MIB, since=NOW - 9, updated_at=NOW), leases=leases).principals
    assert (plan.since, plan.until) == (NOW - 500, NOW)


def test_what_others_were_refused_changes_nothing() -> None:
    other = refused(1, by_mib=1)._replace(principal="beta")
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
    plan = plan_of(seen("alpha", MIB), baseline=unmeasured("it took too long"))
    assert plan.limit_bytes is None
    assert plan.baseline_source == "it took too long"
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
    plan = recommend(accounts, (), headroom=headroom, baseline=stated(baseline_bytes))
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
        seen("gamma", MIB, refused_growths=1, since=0.0, updated_at=0.0),
    )
    text = plan_text(plan)
    assert "# alpha: 3 leases from 1970-01-01 to 1970-01-02, peak 64MiB\n" in text
    assert "# beta: 1 lease from 1970-01-01 to 1970-01-01, peak 1MiB, 2 growths refused\n" in text
    assert "peak 1MiB, 1 growth refused\n" in text
    assert tomllib.loads(text) == to_tables(plan)


def test_the_file_of_a_plan_says_what_was_wanted_beyond_a_peak() -> None:
    account = seen("alpha", 9 * MIB, refused_growths=1)
    text = plan_text(plan_of(account, leases=(refused(9, by_mib=1),)))
    assert "peak 9MiB, 1 growth refused, 10MiB wanted\n" in text


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


CEILING = 4096 * MIB


class TestWhatTheMachineHas:
    """A plan for a machine recommends nothing that the machine could not grant."""

    def test_a_refused_growth_that_nobody_could_grant_is_named_and_left_out(self) -> None:
        leases = (refused(100, by_mib=1 << 20),)
        plan = plan_of(seen("alpha", 100 * MIB), leases=leases, ceiling_bytes=CEILING)
        [alpha] = plan.principals
        assert alpha.max_mem_bytes == 115 * MIB
        assert alpha.left_out_bytes == 1 << 40
        assert plan.limit_bytes is not None
        assert plan.limit_bytes < CEILING

    def test_one_that_could_have_been_granted_counts(self) -> None:
        leases = (refused(100, by_mib=900),)
        [alpha] = plan_of(seen("alpha", 100 * MIB), leases=leases, ceiling_bytes=CEILING).principals
        assert (alpha.wanted_bytes, alpha.left_out_bytes) == (1000 * MIB, 0)

    def test_all_of_them_can_be_left_out(self) -> None:
        leases = (refused(100, by_mib=900),)
        options = {"ceiling_bytes": CEILING, "ignores_refused": True}
        [alpha] = plan_of(seen("alpha", 100 * MIB), leases=leases, **options).principals
        assert alpha.wanted_bytes == 100 * MIB

    @pytest.mark.parametrize("held_mib", [1, 3500, 4000, 4096, 9000])
    def test_nothing_is_over_the_ceiling(self, held_mib: int) -> None:
        leases = (granted(held_mib), granted(held_mib))
        plan = plan_of(seen("alpha", held_mib * MIB), leases=leases, ceiling_bytes=CEILING)
        assert plan.limit_bytes is not None
        assert plan.limit_bytes <= CEILING
        assert plan.principals[0].max_mem_bytes <= CEILING
