"""How much memory everything under a host budget may hold at the same time, by its quotas."""

from collections import defaultdict
from collections.abc import Iterable
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

from atectl.budget.file import BudgetFile


class Claim(NamedTuple):
    """Leases that may hold `max_mem_bytes` each. With `at_once` all run at the same time."""

    capsule: Path
    principal: str
    max_mem_bytes: int
    leases: int
    at_once: bool


class Commitment(NamedTuple):
    """The most that one principal's leases may hold together, and the largest of them."""

    principal: str
    """Who is charged."""
    leases: int
    """How many of its leases run at once."""
    committed_bytes: int
    """What these may hold together."""
    largest_bytes: int
    """The largest quota of one of them."""


class Demand(NamedTuple):
    """The most that all leases may hold at the same time.

    A batch runs a limited number of jobs at once. For the whole host the largest of all jobs count;
    for each principal the largest of its own. So the sum of the principals may be more than the
    total. `largest` is None if nothing is to run.
    """

    leases: int
    committed_bytes: int
    largest: Claim | None
    principals: tuple[Commitment, ...]


def claims(budget: BudgetFile) -> list[Claim]:
    """Every lease that a budget file describes.

    Raises:
        BadBudgetFile: one of its jobs is not valid (exit 2).
    """
    of_capsules = [
        Claim(each.path, each.principal, each.max_mem_bytes, each.instances, at_once=True)
        for each in budget.capsules
    ]
    of_jobs = [
        Claim(job.capsule, job.principal, job.quota.memory_bytes, 1, at_once=False)
        for job in budget.jobs()
    ]
    return of_capsules + of_jobs


def demand(all_claims: Iterable[Claim], jobs_at_once: int) -> Demand:
    """The sum of the claims if `jobs_at_once` of the jobs run at the same time."""
    by_principal: dict[str, list[Claim]] = defaultdict(list)
    for claim in all_claims:
        by_principal[claim.principal].append(claim)
    every = [claim for claims in by_principal.values() for claim in claims]
    leases, committed_bytes = _together(every, jobs_at_once)
    return Demand(
        leases,
        committed_bytes,
        max(every, key=lambda claim: claim.max_mem_bytes, default=None),
        tuple(
            Commitment(
                principal,
                *_together(claims, jobs_at_once),
                largest_bytes=max(claim.max_mem_bytes for claim in claims),
            )
            for principal, claims in sorted(by_principal.items())
        ),
    )


def _together(claims: list[Claim], jobs_at_once: int) -> tuple[int, int]:
    """How many leases run at the same time at most, and how much they may hold then."""
    always = [claim for claim in claims if claim.at_once]
    jobs = nlargest(jobs_at_once, (claim.max_mem_bytes for claim in claims if not claim.at_once))
    leases = sum(claim.leases for claim in always) + len(jobs)
    return leases, sum(claim.leases * claim.max_mem_bytes for claim in always) + sum(jobs)
