"""What a lease is told that is aborted: why, with which numbers, and what would help."""

from typing import NamedTuple

from atectl.accounting import Budget, Pressure
from atectl.arbitration.deciding import TOO_LARGE_ALONE
from atectl.arbitration.standing import Standing
from atectl.errors import AtectlError
from atectl.units import format_size, show_size


class Abortion(NamedTuple):
    """What a lease is told that is aborted."""

    why: str
    remedy: str
    needed_bytes: int
    """What it held, and asked for."""
    may_fit: bool
    """Whether it may fit if it is run again, and has the host to itself."""


def abortion(
    lease: Standing,
    reason: str,
    budget: Budget,
    pressure: Pressure,
    *,
    spills: bool,
    refusal: AtectlError | None,
    may_fit: bool,
) -> Abortion:
    """What is told of the abort of `lease` for `reason`, with the numbers of this moment.

    Args:
        spills: whether leases may be spilled at all.
        refusal: what keeps others from being spilled, if anything does.
        may_fit: whether it may fit if it is run again.
    """
    why = (
        f"the host was at {show_size(pressure.total_bytes)} of its limit of "
        f"{format_size(budget.limit_bytes)} (baseline {show_size(pressure.baseline_bytes)}, "
        f"charged {show_size(pressure.charged_bytes)}{_compiling(pressure)}) {_as_it(lease)}: "
        f"{reason}"
    )
    needed_bytes = lease.held_bytes + lease.asked_bytes
    if reason == TOO_LARGE_ALONE:
        return Abortion(why, "raise the limit, or lower the quota", needed_bytes, may_fit)
    if not spills:
        remedy = "raise the limit, or allow spilling: --backpressure both"
    elif refusal is None:
        remedy = "raise the limit, or run fewer jobs at once"
    else:
        why, remedy = f"{why}; no more could be spilled: {refusal}", refusal.remedy
    return Abortion(why, remedy, needed_bytes, may_fit)


def _compiling(pressure: Pressure) -> str:
    taken_bytes = pressure.compiling_bytes
    return f", compiling {show_size(taken_bytes)}" if taken_bytes else ""


def _as_it(lease: Standing) -> str:
    held = show_size(lease.held_bytes)
    if not lease.asked_bytes:
        return f"while this lease held {held}"
    return f"as this lease, which holds {held}, asked for {show_size(lease.asked_bytes)} more"
