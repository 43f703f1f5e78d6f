"""The jobs of a batch as they would be run: read and checked, and nothing is loaded."""

from collections.abc import Callable, Iterable
from typing import Annotated, NamedTuple

from atectl.budget.jobs import Submission
from atectl.errors import AtectlError, CapsuleNotFound
from atectl.records.errors import ErrorFacts, facts_of

RUNS, DONE, REFUSED = "runs", "done", "refused"


class PlannedJob(NamedTuple):
    """A job of a batch that is not run."""

    job: int
    """Its place in the input, from 1 on."""
    label: str
    """The note that its input gave it; may be empty."""
    principal: str
    """Who would be charged."""
    capsule: str
    """The file of the capsule, as it was given."""
    plan: Annotated[str, (RUNS, DONE, REFUSED)]
    """What would become of it: `done` by an earlier batch, or `refused` as it cannot be run."""
    quota_bytes: int | None
    """The most memory that it might hold; null if it cannot be run."""
    deadline_s: float | None
    """The longest time that it might run; null for no limit, or if it cannot be run."""
    error: ErrorFacts | None
    """Why it cannot be run; null if it can be, as far as that is known without loading anything."""


class PlannedJobs(NamedTuple):
    """The jobs of a batch as they would be run."""

    jobs: tuple[PlannedJob, ...]
    """In the order of the input."""


def planned_jobs(
    submissions: Iterable[Submission], was_done: Callable[[Submission], bool]
) -> PlannedJobs:
    """What would become of each job; `was_done` says of one whether an earlier batch did it."""
    return PlannedJobs(tuple(_planned(each, was_done) for each in submissions))


def _planned(submission: Submission, was_done: Callable[[Submission], bool]) -> PlannedJob:
    number, _, capsule, principal, label, job = submission
    if isinstance(job, AtectlError):
        return PlannedJob(number, label, principal, capsule, REFUSED, None, None, facts_of(job))
    error = None
    plan = DONE if was_done(submission) else RUNS
    if plan == RUNS and not job.capsule.exists():
        plan, error = REFUSED, facts_of(CapsuleNotFound(f"{job.capsule}: no such file"))
    quota = job.quota
    return PlannedJob(
        number, label, principal, capsule, plan, quota.memory_bytes, quota.deadline_s, error
    )
