"""The result of `atectl budget check`, as programs read it."""

from typing import NamedTuple

from atectl.budget.check import BudgetCheck, BudgetFinding, BudgetVerdict
from atectl.budget.demand import Commitment


class FigureSources(NamedTuple):
    """Where figures come from: the file, an option, the machine, or a default."""

    limit_bytes: str
    """The source of the limit."""
    soft_bytes: str
    """The source of the soft limit."""
    resume_bytes: str
    """The source of the resume threshold."""
    leases: str | None
    """The source of how many jobs run at once; null if there are no jobs."""
    baseline_bytes: str
    """The source of the baseline, or why it is not known."""
    ceiling_bytes: str
    """The source of the ceiling."""
    spill_room_bytes: str
    """The source of the spill room, or why there is none."""


class CheckReport(NamedTuple):
    """Whether a host budget can be met: the figures, and what is wrong."""

    verdict: BudgetVerdict
    """The result of the check."""
    code: str | None
    """The most serious error that it would lead to; null if it fits, or if too little is known."""
    limit_bytes: int
    """The maximum memory of the host process."""
    baseline_bytes: int | None
    """What the host process itself takes; null if that is not known."""
    soft_bytes: int
    """Above this leases are held back."""
    resume_bytes: int
    """Below this they go on."""
    left_bytes: int | None
    """What is left for leases below soft; negative if the host itself is over it, null if the
    baseline is not known."""
    committed_bytes: int
    """What all leases that run at once may hold together."""
    leases: int
    """How many leases run at once."""
    overcommit_ratio: float | None
    """What is committed, as a multiple of what is left; null if nothing is left, or if the
    baseline is not known."""
    largest_lease_bytes: int | None
    """The largest quota of a lease; null if nothing is to run."""
    ceiling_bytes: int | None
    """The tightest bound that the machine sets."""
    spill_room_bytes: int | None
    """How much may be spilled; null if nothing is, or can be."""
    sources: FigureSources
    """Where the figures come from."""
    principals: tuple[Commitment, ...]
    """What the leases of each principal may hold."""
    findings: tuple[BudgetFinding, ...]
    """What is or may be wrong, the most serious first."""


def check_report(checked: BudgetCheck) -> CheckReport:
    """A check as programs read it."""
    measured = checked.measured
    budget, demand, sources = measured.budget, measured.demand, measured.sources
    is_known = measured.baseline.resident_bytes is not None
    return CheckReport(
        verdict=checked.verdict,
        code=checked.code,
        limit_bytes=budget.limit_bytes,
        baseline_bytes=measured.baseline.resident_bytes,
        soft_bytes=budget.soft_bytes,
        resume_bytes=budget.resume_bytes,
        left_bytes=measured.left_bytes if is_known else None,
        committed_bytes=demand.committed_bytes,
        leases=demand.leases,
        overcommit_ratio=measured.overcommit_ratio if is_known else None,
        largest_lease_bytes=None if demand.largest is None else demand.largest.max_mem_bytes,
        ceiling_bytes=measured.ceiling.size_bytes,
        spill_room_bytes=measured.spill_room.size_bytes,
        sources=FigureSources(
            sources.limit,
            sources.soft,
            sources.resume,
            sources.jobs,
            measured.baseline.source,
            measured.ceiling.name,
            measured.spill_room.source,
        ),
        principals=demand.principals,
        findings=checked.findings,
    )
