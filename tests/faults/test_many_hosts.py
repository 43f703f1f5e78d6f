"""The trials of `many_hosts`, in small."""

import pytest

from tests.faults.many_hosts import churn, try_hosts


@pytest.mark.slow
@pytest.mark.parametrize("stored", ["always", "everysec"])
def test_hosts_in_bad_times_leave_the_sums_that_they_told(stored: str) -> None:
    trial = try_hosts(4, 2.0, 50, "appendonly yes", f"appendfsync {stored}")
    assert trial.flushes > 0
    assert trial.wrong == 0


def test_principals_that_pass_through_the_bound_leave_the_accounts_of_a_naive_model() -> None:
    assert churn(1_000, capacity=64) == (64, 0)
