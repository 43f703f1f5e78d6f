"""A checked and a recommended budget as they look; see tests.support.golden for the pictures."""

from datetime import datetime
from pathlib import Path

import pytest

from atectl.accounting import Budget
from atectl.budget.baseline import Baseline, stated
from atectl.budget.check import (
    BudgetCheck,
    BudgetFinding,
    BudgetVerdict,
    Measured,
    Sources,
    SpillRoom,
)
from atectl.budget.demand import Claim, Commitment, Demand
from atectl.budget.file import HostSettings
from atectl.budget.plan import Change, recommend
from atectl.commands.budget.check_view import check_view
from atectl.commands.budget.plan_view import changes_view, plan_view
from atectl.finding import Verdict
from atectl.system.ceilings import Ceiling
from tests.support.golden import WIDTHS, assert_looks_like, drawn
from tests.support.ledger_records import GIB, MIB, NOW, account, lease

LARGEST = Claim(Path("日本語\x1b[31m.wasm"), "render-farm", 256 * MIB, 16, at_once=True)
DEMAND = Demand(
    18,
    16 * 256 * MIB + 2 * 64 * MIB,
    LARGEST,
    (
        Commitment("default", 2, 128 * MIB, 64 * MIB),
        Commitment("a-principal-whose-name-is-as-long-as-names-may-be-64-characters_", 16, GIB, 1),
    ),
)
FINDINGS = (
    BudgetFinding(
        "E312",
        Verdict.PROBLEM,
        "the limit of 8388608 bytes (8 MiB) is below the 30793728 bytes (29.4 MiB) that the host "
        "itself takes",
        "raise the limit",
    ),
    BudgetFinding("E322", Verdict.WARNING, "[bold]\x1b]0;title\x07", "lower quotas"),
    BudgetFinding(None, Verdict.SKIPPED, "not known", ""),
)


def checked(
    verdict: BudgetVerdict, *findings: BudgetFinding, baseline: Baseline, demand: Demand = DEMAND
) -> BudgetCheck:
    measured = Measured(
        host=HostSettings(),
        budget=Budget(GIB),
        sources=Sources(
            "limit in budget.toml",
            soft="--soft",
            jobs="jobs in budget.toml" if demand.leases else None,
        ),
        baseline=baseline,
        demand=demand,
        ceiling=Ceiling("control group", 4 * GIB),
        spill_room=SpillRoom(78 * GIB, "free in /var/tmp, on ext4", "ext4"),
    )
    return BudgetCheck(verdict, None, measured, findings)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_check_with_findings(width: int) -> None:
    check = checked(BudgetVerdict.UNSATISFIABLE, *FINDINGS, baseline=stated(30 * MIB))
    assert_looks_like(f"budget-check-{width}", drawn(check_view(check), width))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_check_of_a_file_without_capsules_or_baseline(width: int) -> None:
    unknown = Baseline(None, "the measuring process took over 120 s")
    check = checked(BudgetVerdict.SKIPPED, baseline=unknown, demand=Demand(0, 0, None, ()))
    assert_looks_like(f"budget-check-bare-{width}", drawn(check_view(check), width))


def test_what_is_over_the_limit_is_shown_as_less_than_nothing() -> None:
    check = checked(BudgetVerdict.UNSATISFIABLE, baseline=stated(GIB))
    assert "left           -205 MiB" in drawn(check_view(check), 80)


PLAN = recommend(
    [
        account("render-farm", leases=120, since=NOW - 9e6, refused_growths=12),
        account(
            "a-principal-whose-name-is-as-long-as-names-may-be-64-characters_",
            high_water_bytes=3 * GIB,
        ),
    ],
    [
        lease("render-farm", high_water_bytes=33 * MIB, largest_refused_bytes=MIB),
        lease("idle", id="2"),
    ],
    baseline=Baseline(30 * MIB, "measured: a process with 0 capsules\x1b[31m instantiated"),
)


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [
        ("2026-03-01", "2026-03-01", "2026-03-01"),
        ("2026-03-01", "2026-11-25", "03-01→11-25"),
        ("2026-12-30", "2027-01-02", "12-30→01-02"),
        ("2026-03-01", "2027-03-01", "2026→2027"),
    ],
)
def test_the_window_of_a_plan_is_as_short_as_can_be(since: str, until: str, shown: str) -> None:
    times = {
        name: datetime.fromisoformat(f"{day}T12:00:00Z").timestamp()
        for name, day in (("since", since), ("updated_at", until))
    }
    plan = recommend([account(**times)], [], baseline=stated(MIB))
    assert f" {shown} " in drawn(plan_view(plan), 80)


def test_at_eighty_columns_a_plan_shows_when_it_was_seen_and_what_was_wanted() -> None:
    heading = drawn(plan_view(PLAN), 80).splitlines()[0]
    assert {"SAMPLES", "WINDOW", "PEAK", "WANTED", "HEADROOM", "MAX_MEM"} <= set(heading.split())


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (BudgetVerdict.FITS, "fits, nothing is to run: the file has no [[capsule]] and no [[job]]"),
        (BudgetVerdict.OVERCOMMITTED, "the host itself is over soft, and nothing is to run"),
    ],
)
def test_a_verdict_on_a_file_without_leases_says_that_nothing_is_to_run(
    verdict: BudgetVerdict, says: str
) -> None:
    check = checked(verdict, baseline=stated(MIB), demand=Demand(0, 0, None, ()))
    assert says in drawn(check_view(check), 120)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan(width: int) -> None:
    assert_looks_like(f"budget-plan-{width}", drawn(plan_view(PLAN), width))


def test_a_plan_without_a_baseline_skips_the_limit() -> None:
    plan = PLAN._replace(baseline_bytes=None, limit_bytes=None)
    picture = drawn(plan_view(plan), 120)
    assert "limit: skipped, since the baseline is not known" in picture


@pytest.mark.parametrize("width", WIDTHS)
def test_changes(width: int) -> None:
    changes = [
        Change("host.limit", None, 5 * GIB),
        Change("principals.render-farm.max_mem", 64 * MIB, 37 * MIB),
        Change("principals.beta.max_mem", 64 * MIB, 65 * MIB),
        Change("principals.idle.max_mem", 64 * MIB, None),
    ]
    view = changes_view(changes, "budget\x1b[31m.toml")
    assert_looks_like(f"budget-changes-{width}", drawn(view, width))


def test_no_changes_are_told_in_a_line() -> None:
    assert drawn(changes_view([], "budget.toml"), 80) == "\nbudget.toml says the same\n"
