"""What runs under a host budget may come to hold together, by its quotas."""

from collections import defaultdict
from collections.abc import Iterable
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

from atectl.budget.file import BudgetFile


class Claim(NamedTuple):
    """Leases that may hold `max_mem_bytes` each. `at_once`: all run at the same time."""

    capsule: Path
    principal: str
    max_mem_bytes: int
    leases: int
    at_once: bool


class Commitment(NamedTuple):
    """What one principal's leases may hold together at most, and the largest of them."""

    principal: str
    """Who is charged."""
    leases: int
    """How many of its leases run at once."""
    committed_bytes: int
    """What these may hold together."""
    largest_bytes: int
    """The largest quota of one of them."""


class Demand(NamedTuple):
    """All that may be held together.

    A batch runs so many jobs at once and no more: the largest of all jobs count for the whole
    host, and the largest of its own for each principal, so these may add up to more than the
    whole. `largest` is None where nothing is to run.
    """

    leases: int
    committed_bytes: int
    largest: Claim | None
    principals: tuple[Commitment, ...]


def claims(budget: BudgetFile) -> list[Claim]:
    """Every lease that a budget file speaks of.

    Raises:
        BadBudgetFile: one of its jobs is none (exit 2).
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
    """What the claims come to where `jobs_at_once` of the jobs run at the same time."""
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
    """How many leases run at the same time at most, and what they may hold then."""
    always = [claim for claim in claims if claim.at_once]
    jobs = nlargest(jobs_at_once, (claim.max_mem_bytes for claim in claims if not claim.at_once))
    leases = sum(claim.leases for claim in always) + len(jobs)
    return leases, sum(claim.leases * claim.max_mem_bytes for claim in always) + sum(jobs)
