"""What a lease is told that is aborted."""

import pytest

from atectl.accounting import Budget, Pressure
from atectl.arbitration.deciding import TOO_LARGE_ALONE
from atectl.arbitration.standing import Standing
from atectl.arbitration.wording import Abortion, abortion
from atectl.errors import AtectlError
from atectl.spill.errors import SpillDiskFull

MIB = 1 << 20
BUDGET = Budget(100 * MIB)
HOLDS = Standing(1, 0, 60 * MIB)


def told(
    lease: Standing = HOLDS,
    reason: str = "past the hard limit: largest",
    *,
    spills: bool = True,
    refusal: AtectlError | None = None,
) -> Abortion:
    pressure = Pressure(120 * MIB, 10 * MIB, 90 * MIB)
    return abortion(lease, reason, BUDGET, pressure, spills=spills, refusal=refusal, may_fit=True)


def test_a_lease_that_runs_is_told_the_numbers_and_the_reason() -> None:
    assert told().why == (
        "the host was at 120 MiB of its limit of 100MiB (baseline 10 MiB, charged 90 MiB) "
        "while this lease held 60 MiB: past the hard limit: largest"
    )


def test_a_lease_that_asks_to_grow_is_told_by_how_much() -> None:
    why = told(HOLDS.ask(5 * MIB)).why
    assert "as this lease, which holds 60 MiB, asked for 5 MiB more: past" in why


@pytest.mark.parametrize(
    ("reason", "spills", "remedy"),
    [
        (TOO_LARGE_ALONE, True, "raise the limit, or lower the quota"),
        (TOO_LARGE_ALONE, False, "raise the limit, or lower the quota"),
        ("past", False, "raise the limit, or allow spilling: --backpressure both"),
        ("past", True, "raise the limit, or run fewer jobs at once"),
    ],
)
def test_what_helps_depends_on_the_reason_and_on_whether_anybody_may_be_spilled(
    reason: str, spills: bool, remedy: str
) -> None:
    assert told(reason=reason, spills=spills).remedy == remedy


def test_what_keeps_others_from_being_spilled_is_told_with_its_own_remedy() -> None:
    full = SpillDiskFull("no room")
    assert told(refusal=full).why.endswith("; no more could be spilled: no room")
    assert told(refusal=full).remedy == full.remedy


def test_a_lease_is_told_what_compiled_beside_it() -> None:
    pressure = Pressure(120 * MIB, 10 * MIB, 90 * MIB, 30 * MIB)
    why = abortion(HOLDS, "past", BUDGET, pressure, spills=False, refusal=None, may_fit=True).why
    assert "(baseline 10 MiB, charged 90 MiB, compiling 30 MiB)" in why


def test_it_is_known_what_a_lease_needs() -> None:
    assert told(HOLDS.ask(5 * MIB)).needed_bytes == 65 * MIB
