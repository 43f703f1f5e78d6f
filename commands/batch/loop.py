"""Running a batch: jobs go in as slots get free, and a result comes out as each ends."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from atectl.batch.lines import ResultLine, result_of_job, result_of_refusal
from atectl.budget.jobs import Job, Submission
from atectl.errors import AtectlError
from atectl.lease.outcome import TERMINATED

from .output import Tell
from .tally import Tally

if TYPE_CHECKING:
    from atectl.batch.job import JobResult, JobTerms, Wanted


class Runner(Protocol):
    """What runs jobs: a batch on this machine, or one on the hosts of a fleet."""

    def run(self, jobs: "Iterable[JobTerms]") -> "Iterator[JobResult]": ...

    @property
    def has_more_results(self) -> bool: ...

    def stop(self) -> None: ...

    def end_all(self, reason: str) -> None: ...


class Work(NamedTuple):
    """What a batch has to do, and the functions that it calls on the way.

    `was_done` is asked of each job, once, whether an earlier batch did it. `begin` is called once,
    after the host has found that jobs can run and before any does; `look_at` with each job
    before that runs; `tell` with each result.
    """

    submissions: Iterable[Submission]
    was_done: Callable[[Submission], bool]
    fails_fast: bool
    begin: Callable[[], None]
    look_at: Callable[[Job], None]
    tell: Tell


def run_jobs(batch: Runner, work: Work, tally: Tally) -> None:
    """Run every job that is not done already, and report each result as it comes.

    If the reader of the results goes away, the jobs that run are ended, and are still counted.

    Raises:
        UnsatisfiableBudget: the budget cannot be met; nothing was run (exit 125).
    """
    _Loop(batch, work, tally).run()


class _Loop:
    def __init__(self, batch: Runner, work: Work, tally: Tally) -> None:
        self._batch = batch
        self._work = work
        self._tally = tally
        self._running: dict[int, tuple[Submission, Job]] = {}
        self._lock = threading.Lock()
        self._uncounted: list[ResultLine] = []

    def run(self) -> None:
        for result in self._batch.run(self._admitted()):
            self._conclude(self._result(result))
            if not self._batch.has_more_results:
                self._flush()
        self._flush()

    def _admitted(self) -> Iterator["JobTerms"]:
        self._tally.has_begun = True
        self._work.begin()
        seen = 0
        for submission in self._work.submissions:
            seen += 1
            if self._tally.is_stopping:
                return
            if self._work.was_done(submission):
                self._tally.skipped += 1
            elif isinstance(submission.job, AtectlError):
                self._conclude(result_of_refusal(submission, submission.job))
                self._flush()
            else:
                self._work.look_at(submission.job)
                self._running[submission.number] = (submission, submission.job)
                yield _terms(submission.number, submission.job)
        self._tally.total = seen

    def _result(self, result: "JobResult") -> ResultLine:
        submission, job = self._running.pop(result.job)
        return result_of_job(submission, result, job.quota.memory_bytes)

    def _conclude(self, result: ResultLine) -> None:
        # Jobs that could not be read end on the thread that takes jobs in, the others here.
        with self._lock:
            self._guarded(lambda: self._work.tell(result))
            self._uncounted.append(result)
        if self._work.fails_fast and not result.is_success:
            self._tally.is_stopping = True  # the batch itself knows only of jobs that it ran

    def _flush(self) -> None:
        """Write out what was told, and count it only then."""
        with self._lock:
            self._guarded(sys.stdout.flush)
            for result in self._uncounted:
                self._tally.count(result)
            self._uncounted.clear()

    def _guarded(self, write: Callable[[], object]) -> None:
        """Write to stdout for as long as anybody reads it."""
        if not self._tally.has_reader:
            return
        try:
            write()
        except (BrokenPipeError, SystemExit):  # Rich raises the second for the first
            self._tally.has_reader = False
            self._tally.is_stopping = True
            self._batch.end_all(TERMINATED)


def _terms(number: int, job: Job) -> "JobTerms":
    from atectl.batch.job import JobTerms
    from atectl.lease.terms import Terms

    return JobTerms(
        job=number,
        capsule=job.capsule,
        terms=Terms(
            principal=job.principal,
            quota=job.quota,
            wasi=job.wasi,
            invoke=job.invoke,
            label=job.label,
        ),
        priority=job.priority,
    )


def capsules_of(submissions: Iterable[Submission]) -> "dict[Path, Wanted]":
    """The capsules that jobs name, in the order of their first job."""
    from atectl.batch.job import Wanted

    found: dict[Path, Wanted] = {}
    for each in submissions:
        if isinstance(each.job, Job):
            job = each.job
            principal, as_command = found.get(job.capsule, Wanted(job.principal))
            found[job.capsule] = Wanted(principal, as_command and job.invoke is None)
    return found
