"""Whether a limit is too high or too low.

It may be over what the machine has, hardly above what the host itself takes, or below what one
lease may hold. `budget check` reports this, and `batch` warns of it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from atectl.accounting import Budget, Pressure
from atectl.budget.errors import (
    OvercommittedBudget,
    ThrottledBudget,
    TightBudget,
    UnsatisfiableBudget,
)
from atectl.system.ceilings import Ceiling
from atectl.units import format_size, show_size

if TYPE_CHECKING:
    from atectl.budget.demand import Claim


def over_ceiling(budget: Budget, ceiling: Ceiling) -> UnsatisfiableBudget | None:
    """The error for a limit that is over a bound of the machine; None if it is not."""
    if ceiling.size_bytes is None or ceiling.allows(budget.limit_bytes):
        return None
    # Rounded down, so that it is easy to type.
    most = format_size(ceiling.size_bytes >> 20 << 20 or ceiling.size_bytes)
    raising = ", or raise the bound" if ceiling.can_be_raised else ""
    return UnsatisfiableBudget(
        f"the limit of {show_size(budget.limit_bytes)} is over the "
        f"{show_size(ceiling.size_bytes)} that the {ceiling.name} allows",
        remedy=f"lower the limit to {most} or less{raising}",
    )


def quota_over_ceiling(quota_bytes: int, ceiling: Ceiling) -> OvercommittedBudget | None:
    """The error for the quota of a run that is over a bound of the machine; None if it is not."""
    if ceiling.size_bytes is None or ceiling.allows(quota_bytes):
        return None
    return OvercommittedBudget(
        f"the quota of {show_size(quota_bytes)} is over the {show_size(ceiling.size_bytes)} that "
        f"the {ceiling.name} allows: a guest that uses so much may have the system end this "
        "process before it is refused",
        remedy=f"lower --max-mem{', or raise the bound' if ceiling.can_be_raised else ''}",
    )


def throttled(budget: Budget, throttled_bytes: int | None) -> ThrottledBudget | None:
    """The error for a limit that the kernel slows the host down before; None if it does not.

    Args:
        throttled_bytes: from where on it does; None if it does not at all.
    """
    if throttled_bytes is None or budget.is_within(throttled_bytes):
        return None
    return ThrottledBudget(
        f"above {show_size(throttled_bytes)} the kernel slows the host down: the control group's "
        f"memory.high is below the limit, {show_size(budget.limit_bytes)}",
        remedy=f"set limit to {format_size(throttled_bytes)} at most, or raise memory.high",
    )


def tight(budget: Budget, baseline_bytes: int, *, is_guarded: bool) -> TightBudget | None:
    """The error for a soft limit below what the host itself takes; None if it is not.

    Args:
        is_guarded: whether leases are held back under pressure.
    """
    if not budget.is_over_soft(Pressure(None, baseline_bytes, 0)):
        return None
    what = "leases are parked at once" if is_guarded else "it is passed"
    return TightBudget(
        f"the host itself takes {show_size(baseline_bytes)}, over the soft limit of "
        f"{show_size(budget.soft_bytes)}: {what}",
        remedy=f"raise the limit above {format_size(budget.least_limit_bytes(baseline_bytes))}",
    )


def never_fitting(
    budget: Budget, baseline_bytes: int, claims: "Sequence[Claim]"
) -> UnsatisfiableBudget | None:
    """The error for quotas that do not fit below the limit; None if each alone fits.

    The limit must not be below the baseline.
    """
    too_large = [
        claim for claim in claims if not budget.can_hold(baseline_bytes, claim.max_mem_bytes)
    ]
    if not too_large:
        return None
    left_bytes = -budget.over_limit_bytes(Pressure(None, baseline_bytes, 0))
    largest = max(too_large, key=lambda claim: claim.max_mem_bytes)
    number = sum(claim.leases for claim in too_large)
    others = f" ({number} leases are too large)" if number > 1 else ""
    return UnsatisfiableBudget(
        f"a lease of {largest.capsule.name} could never have its quota of "
        f"{show_size(largest.max_mem_bytes)}: the limit leaves {show_size(left_bytes)} "
        f"above the baseline{others}",
        remedy="raise the limit, or lower its max_mem",
    )
