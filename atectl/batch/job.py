"""One job of a batch: its terms, its run in a slot, and its result."""

import time
from pathlib import Path
from typing import NamedTuple

from atectl.accounting import Reading
from atectl.arbitration.seat import Ruling
from atectl.batch.cells.host_lease import CellLease
from atectl.batch.cells.outputs import NO_OUTPUT, Output
from atectl.errors import InternalError
from atectl.lease import outcome as outcomes
from atectl.lease.outcome import Outcome
from atectl.lease.report import NOT_LOADED, Loading, loading_of
from atectl.lease.terms import Terms

_NOTHING_USED = Reading(0, 0, 0, 0, 0, 0.0)


class JobTerms(NamedTuple):
    """One job: what runs, and on which terms. `job` is its number, unique in the batch.

    Where its terms name no streams, its input is empty, and its output is discarded. `retries` is
    how often it is run again if it fails; None for as often as its batch says.
    """

    job: int
    capsule: Path
    terms: Terms
    priority: int = 0
    retries: int | None = None


class Wanted(NamedTuple):
    """What the jobs want of a capsule: the principal of the first, and an entry point if none of
    them calls an export by name."""

    principal: str
    as_command: bool = True


class JobResult(NamedTuple):
    """A job that has ended.

    `rulings` are the arbiter's decisions about it, in order. Growths that were granted at once are
    not among them. `attempts` is how often it was run: a job that was aborted for want of memory
    is run again, as is one that failed where that is asked for, and the rest tells of the last
    time. `host_bytes` is as in `LeaseUse`, `output` and `held_walls` are as in `CellLease`. Of a
    batch over many machines, `host` is the name of the one that ran it, `attempt` how often the job
    was sent to one, and `queued_s` how long it waited until it began.
    """

    job: int
    outcome: Outcome
    reading: Reading
    cpu_s: float
    wall_s: float
    fuel: int
    rulings: tuple[Ruling, ...]
    loading: Loading = NOT_LOADED
    attempts: int = 1
    host_bytes: int = 0
    output: Output = NO_OUTPUT
    host: str | None = None
    attempt: int = 1
    queued_s: float | None = None
    held_walls: tuple[str, ...] = ()


def ended_unstarted(job: int, outcome: Outcome, attempt: int = 1) -> JobResult:
    """The result of a job that came to no lease."""
    loading = loading_of(None, outcome.error)
    return JobResult(job, outcome, _NOTHING_USED, 0.0, 0.0, 0, (), loading, attempt)


class JobRun:
    """A job in its slot; its lease, once the capsule is loaded.

    Args:
        attempt: how often it was begun, this time included.
        aborted: how often it was ended for want of memory before.
        has_new_code: whether its capsule was compiled anew, since a cell had no use for its code.
    """

    def __init__(
        self, job: JobTerms, attempt: int = 1, aborted: int = 0, *, has_new_code: bool = False
    ) -> None:
        self.job = job
        self.attempt = attempt
        self.aborted = aborted
        self.has_new_code = has_new_code
        self.lease: CellLease | None = None
        self.ending: str | None = None
        """The reason for which it was told to end by itself; None if it was not."""
        self.began_s = time.monotonic()

    @property
    def was_aborted(self) -> bool:
        """Whether it was ended for want of memory."""
        return self.lease is not None and self.lease.outcome.reason == outcomes.ARBITER

    @property
    def has_failed(self) -> bool:
        """Whether it ended otherwise than by itself with status 0."""
        return self.lease is not None and self.lease.outcome[:2] != outcomes.SUCCESS

    def result(self, outcome: Outcome | None) -> JobResult:
        """Its result. `outcome` is None if its lease knows the outcome."""
        lease = self.lease
        if lease is None:
            ended = outcome or outcomes.refused(InternalError("the job has no lease"))
            return ended_unstarted(self.job.job, ended, self.attempt)
        seat = lease.seat
        return JobResult(
            self.job.job,
            outcome or lease.outcome,
            lease.read(),
            lease.cpu_s,
            lease.wall_s,
            lease.fuel,
            () if seat is None else tuple(seat.rulings),
            loading_of(lease.capsule),
            self.attempt,
            lease.use.host_bytes,
            lease.output,
            held_walls=lease.held_walls,
        )
