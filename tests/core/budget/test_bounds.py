"""Limits and quotas beside what the machine has."""

from atectl.budget.bounds import quota_over_ceiling
from atectl.system.ceilings import Ceiling

MIB = 1 << 20


def test_a_quota_over_a_bound_of_the_machine_is_told_with_both_sizes() -> None:
    error = quota_over_ceiling(2048 * MIB, Ceiling("control group", 400 * MIB))
    assert "quota of 2 GiB is over the 400 MiB that the control group allows" in str(error)
    assert error is not None
    assert error.remedy == "lower --max-mem, or raise the bound"


def test_a_quota_within_it_or_where_there_is_none_is_not() -> None:
    assert quota_over_ceiling(400 * MIB, Ceiling("control group", 400 * MIB)) is None
    assert quota_over_ceiling(2048 * MIB, Ceiling("control group", None)) is None
