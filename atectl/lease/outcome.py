"""How a lease ends: the reasons, the exit statuses, and what the errors of the engine mean."""

from typing import TYPE_CHECKING, NamedTuple

from atectl.accounting import Quota
from atectl.errors import (
    INTERRUPTED_STATUS,
    TERMINATED_STATUS,
    AbortedByArbiter,
    AtectlError,
    DeadlinePassed,
    GrowthRefused,
    GuestTrapped,
    LeaseError,
    OutOfFuel,
)
from atectl.units import format_duration, format_size

if TYPE_CHECKING:
    from atectl.engine.traps import TrapReport

EXITED, TRAPPED, DEADLINE, OUT_OF_FUEL = "exited", "trapped", "deadline", "out-of-fuel"
QUOTA, ARBITER, INTERRUPTED, TERMINATED = "quota", "arbiter", "interrupted", "terminated"
REFUSED, FAILED, LOCK_LOST, CELL_LOST = "refused", "failed", "lock-lost", "cell-lost"
HOST_LOST = "host-lost"
REASONS = (
    EXITED, TRAPPED, DEADLINE, OUT_OF_FUEL, QUOTA, ARBITER, LOCK_LOST, INTERRUPTED, TERMINATED,
    REFUSED, FAILED, CELL_LOST, HOST_LOST,
)  # fmt: skip
"""All reasons for which a run ends."""

OVER_QUOTA_STATUS = 137
"""The exit status of a guest that was refused, or ended, for what it may not have."""

_STATUS_WITHOUT_ERROR = {INTERRUPTED: INTERRUPTED_STATUS, TERMINATED: TERMINATED_STATUS}


_WORTH_TELLING = 0.1
"""The share of its deadline for which a guest must have been held for that to be mentioned."""

SUCCESS = (EXITED, 0)
"""Reason and exit status of a guest that succeeded."""


class Outcome(NamedTuple):
    """How a lease ended. `results` are those of an invoked export, as text.

    `exit_code` is the guest's own number, which may be larger than an exit status; None if the
    guest did not end by itself.
    """

    reason: str
    exit_status: int
    error: AtectlError | None = None
    trap: "TrapReport | None" = None
    results: tuple[str, ...] = ()
    exit_code: int | None = None


class Cause(NamedTuple):
    """Why a guest was told to end, and when, on the monotonic clock.

    `error` is the error of the outcome; None if the reason determines it.
    """

    reason: str
    error: AtectlError | None
    at_s: float


def exited(code: int, results: tuple[str, ...] = ()) -> Outcome:
    """The guest returned, or called for its exit.

    A status has only eight bits: those of the guest's number. If these are 0 and the number is
    not, the status is 1, so that no failure looks like success.
    """
    return Outcome(EXITED, code & 0xFF or int(code != 0), results=results, exit_code=code)


def refused(error: AtectlError) -> Outcome:
    """The guest could not be started."""
    if isinstance(error, DeadlinePassed):
        return Outcome(DEADLINE, error.exit_status, error)
    if isinstance(error, AbortedByArbiter):
        return Outcome(ARBITER, error.exit_status, error)
    if isinstance(error, LeaseError) and error.exit_status == OVER_QUOTA_STATUS:
        return Outcome(QUOTA, error.exit_status, error)
    # Errors of the engine say nothing about the capsule.
    reason = FAILED if error.code.startswith("E7") else REFUSED
    return Outcome(reason, error.exit_status, error)


def trapped(error: Exception, quota: Quota) -> Outcome:
    """The guest did what WebAssembly does not allow, or ran out of fuel."""
    from atectl.engine import traps

    report = traps.describe(error)
    if traps.is_out_of_fuel(error):
        burned = OutOfFuel(f"the guest used up its fuel of {quota.fuel}")
        return Outcome(OUT_OF_FUEL, burned.exit_status, burned, report)
    detail = "" if report.reason == report.name else f" ({report.reason})"
    remedy = None if report.frames else "the engine does not know where in the guest this happened"
    if report.name == traps.ASYNC_CALL:
        remedy = "build it for WASI 0.2 (wasm32-wasip2), without async functions"
    fault = GuestTrapped(f"the guest trapped: {report.name}{detail}", remedy=remedy)
    return Outcome(TRAPPED, fault.exit_status, fault, report)


def told_to_end(
    reason: str,
    quota: Quota,
    asked_bytes: int,
    error: AtectlError | None = None,
    held_s: float = 0.0,
) -> Outcome:
    """The guest was ended for `reason`.

    Args:
        reason: why it was ended.
        quota: what it was granted.
        asked_bytes: its largest refused growth.
        error: the error of the outcome; None if the reason determines it.
        held_s: how long the host had kept the guest waiting.
    """
    if reason == DEADLINE:
        error = _past_deadline(quota.deadline_s or 0, held_s)
    elif reason == QUOTA and error is None:
        error = GrowthRefused(
            f"the guest asked for {format_size(asked_bytes)} more than its quota of "
            f"{format_size(quota.memory_bytes)} has left"
        )
    if error is None:
        return Outcome(reason, _STATUS_WITHOUT_ERROR[reason])
    return Outcome(reason, error.exit_status, error)


def _past_deadline(deadline_s: float, held_s: float) -> DeadlinePassed:
    limit = format_duration(deadline_s)
    if held_s < _WORTH_TELLING * deadline_s:
        return DeadlinePassed(f"the guest was still running after {limit}")
    return DeadlinePassed(
        f"the guest had not ended after {limit}, of which the host held it for "
        f"{format_duration(min(held_s, deadline_s))} for want of memory",
        remedy="raise the host's limit, run fewer jobs at once, or raise --deadline",
    )
