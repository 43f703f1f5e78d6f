"""Starts the jobs of a batch, looks after those that run, and passes their results on.

All of that happens on one thread, in a loop that never waits for a guest: thousands of leases at
once cost it no thread each. What may take long, which is loading a capsule that is not at hand,
has a thread of its own.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from atectl.arbitration.arbiter import Arbiter
from atectl.batch.cells.cell_leases import CellLeases
from atectl.batch.control import Control
from atectl.batch.intake import Intake, JobSource
from atectl.batch.job import JobRun, JobTerms
from atectl.batch.job_files import JobFiles
from atectl.batch.loop import Loop
from atectl.batch.results import ResultQueue
from atectl.batch.settings import BatchSettings
from atectl.capsule.errors import HostExhausted
from atectl.capsule.shelf import CapsuleShelf
from atectl.engine.wasi import NO_FILES
from atectl.errors import AtectlError, CompilerGone, InternalError
from atectl.lease import outcome as outcomes
from atectl.lease.outcome import Outcome
from atectl.lease.runtime import Runtime
from atectl.lease.terms import Terms

if TYPE_CHECKING:
    from atectl.capsule.loading import Capsule

SUPERVISION_S = 0.05
"""Seconds between two checks of the deadlines and of the pressure."""


_RETRIED = (
    outcomes.EXITED, outcomes.TRAPPED, outcomes.DEADLINE, outcomes.OUT_OF_FUEL,
    outcomes.FAILED, outcomes.CELL_LOST,
)  # fmt: skip
"""Reasons for which a job that failed is run again, if that is asked for: another time may do."""


class Coordinator:
    """Runs jobs in cells, on a thread of its own. To be closed.

    Any thread may call its public methods, `stop` and `end_all` a signal handler, too.

    Args:
        settings: those of the batch.
        runtime: has the ledger.
        loop: calls all that happens here.
        capsules: what the jobs run.
        cells: where they run.
        arbiter: decides about them.
        results: where their results go.
        look: called a few times a second, on the thread of the loop.
    """

    def __init__(
        self,
        settings: BatchSettings,
        runtime: Runtime,
        loop: Loop,
        capsules: CapsuleShelf,
        cells: CellLeases,
        arbiter: Arbiter,
        results: ResultQueue,
        look: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._loop = loop
        self._capsules = capsules
        self._cells = cells
        self._arbiter = arbiter
        self._results = results
        self._look = look
        self._fails_fast = settings.fails_fast
        self._intake = Intake(settings.jobs, self._start_soon)
        self._files = JobFiles(
            settings.reserved, settings.max_output_bytes, remembers=not settings.is_endless
        )
        self._requeue = settings.requeue
        self._retries = settings.retries
        self._runs: dict[int, JobRun] = {}
        self._put_back: deque[JobRun] = deque()  # to be run once more; they keep their slots
        self._alone: JobRun | None = None  # beside which no other job runs
        self._ending: str | None = None
        self._is_winding_up = False
        self._is_starting = False
        self._is_closing = False
        self._is_idle = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="batch-coordinator", daemon=True)
        self._failure: AtectlError | None = None

    def open(self, jobs: JobSource) -> None:
        """Begin to run jobs."""
        self._thread.start()
        self._intake.open(jobs)

    def count_read(self) -> None:
        """A result was given to its reader."""
        if self._intake.count_read():
            self._start_soon()

    def stop(self) -> None:
        """Start no more jobs; those that run go on.

        A job whose capsule is still being compiled ends without running.
        """
        self._is_winding_up = True
        self._intake.stop()

    def end_all(self, reason: str) -> None:
        """Start no more jobs, and end those that run, for `reason`."""
        self._intake.stop()
        self._ending = reason

    def end_one(self, job: int, reason: str) -> None:
        """End a job, if it runs, for `reason`."""
        self._loop.post(partial(self._end_one, job, reason))

    def close(self, timeout_s: float) -> None:
        """Wait so long for the jobs that run, which were told to end, and end the loop."""
        self._intake.close()
        if self._thread.ident is not None:
            self._is_idle.wait(timeout_s)
            self._is_closing = True
            self._loop.post(lambda: None)
            self._thread.join()

    @property
    def runs(self) -> tuple[JobRun, ...]:
        """The jobs that run now."""
        return tuple(self._runs.values())

    @property
    def failure(self) -> BaseException | None:
        """What keeps the batch from going on; and once all has ended, what kept it from reading
        all jobs."""
        return self._failure or (self._intake.failure if self._intake.is_over else None)

    # On the thread of the loop

    def _serve(self) -> None:
        control = Control(self._loop, self._end_lease)
        self._supervise()
        while not self._is_closing:
            try:
                self._loop.run(lambda: not self._is_closing)
            except Exception as error:
                self._failure = InternalError(f"{type(error).__name__}: {error}")
                self.stop()
                self._results.wake()
        control.close()

    def _start_soon(self) -> None:
        """Have jobs started that can start; called on any thread."""
        if not self._is_starting:
            self._is_starting = True
            self._loop.post(self._start_jobs)

    def _start_jobs(self) -> None:
        self._is_starting = False
        if self._alone is not None:
            return
        while self._put_back and self._has_room_again(self._put_back[0]):
            self._start_again(self._put_back.popleft())
        while self._may_begin_another() and (job := self._intake.next()) is not None:
            self._start(JobRun(job))
        wait_s = self._intake.not_before_s()
        if 0 < wait_s < SUPERVISION_S and self._intake.waits:
            self._loop.call_at(time.monotonic() + wait_s, self._start_soon)
        if self._intake.is_over:
            self._results.end()

    def _may_begin_another(self) -> bool:
        """Whether a job may begin beside those that run: not if it could only wait behind them, and
        not while nobody reads the results of others."""
        if self._alone is not None or self._results.is_full:
            return False
        return not self._arbiter.holds_anybody_back

    def _has_room_again(self, run: JobRun) -> bool:
        """Whether one that has ended may begin again: at once, but for want of memory.

        The last time that it ended for that it runs alone, so that no other can take from it what
        it needs.
        """
        if not run.was_aborted or len(self._runs) == len(self._put_back):
            return True
        abortion = None if run.lease is None else run.lease.abortion
        return (
            abortion is not None
            and run.aborted + 1 < self._requeue
            and self._arbiter.has_room_for(abortion.needed_bytes)
        )

    def _start_again(self, before: JobRun) -> None:
        run = JobRun(before.job, before.attempt + 1, before.aborted + before.was_aborted)
        if before.was_aborted and run.aborted >= self._requeue:
            self._alone = run
        self._start(run)

    def _start(self, run: JobRun) -> None:
        job = run.job
        self._runs[job.job] = run
        try:
            capsule = self._capsules.at_hand(
                job.capsule, job.terms.principal, as_command=job.terms.invoke is None
            )
        except AtectlError as error:
            self._refuse(run, error)
            return
        if capsule is None:
            self._load_apart(run)
        else:
            self._begin(run, capsule)

    def _load_apart(self, run: JobRun) -> None:
        try:
            threading.Thread(target=self._load, args=(run,), daemon=True).start()
        except RuntimeError as error:  # there is no room for another thread
            self._refuse(run, HostExhausted(str(error)))

    def _load(self, run: JobRun) -> None:
        """Load the capsule of a job, on a thread of its own."""
        job, deadline_s = run.job, run.job.terms.quota.deadline_s
        until = None if deadline_s is None else run.began_s + deadline_s
        try:
            capsule = self._capsules.get(
                job.capsule, job.terms.principal, until, as_command=job.terms.invoke is None
            )
        except AtectlError as error:
            self._loop.post(partial(self._refuse, run, error))
        except Exception as error:
            fault = InternalError(f"{type(error).__name__}: {error}")
            self._loop.post(partial(self._refuse, run, fault))
        else:
            self._loop.post(partial(self._begin, run, capsule))

    def _begin(self, run: JobRun, capsule: "Capsule") -> None:
        ending = self._ending or run.ending
        if ending is not None:
            self._conclude(run, outcomes.told_to_end(ending, run.job.terms.quota, 0))
            return
        done = partial(self._end_run, run)
        run.lease = self._cells.lease(capsule, self._terms(run.job), run.job, run.began_s, done)
        run.lease.start()

    def _terms(self, job: JobTerms) -> Terms:
        """A job's terms, in which each of its files is checked before it is used."""
        terms, streams = job.terms, job.terms.wasi.streams
        if streams is None or streams == NO_FILES:
            return terms
        check = partial(self._files.check, job.job, job.capsule)
        return terms._replace(wasi=terms.wasi._replace(streams=streams._replace(check=check)))

    def _refuse(self, run: JobRun, refusal: AtectlError) -> None:
        """A job came to no lease."""
        job = run.job
        self._runtime.charge_for_refusal(job.capsule.name, job.terms, refusal)
        was_cut = self._is_winding_up and isinstance(refusal, CompilerGone)
        ending = self._ending or run.ending or (outcomes.TERMINATED if was_cut else None)
        if ending is not None:
            self._conclude(run, outcomes.told_to_end(ending, job.terms.quota, 0))
        else:
            self._conclude(run, outcomes.refused(refusal))

    def _end_run(self, run: JobRun) -> None:
        """The lease of a job has ended: pass the result on, or put the job back."""
        if self._may_be_compiled_anew(run):
            self._begin_with_new_code(run)
            return
        if not self._may_run_again(run):
            self._conclude(run)
            return
        self._files.forget(run.job.job)
        self._put_back.append(run)
        self._start_soon()

    def _conclude(self, run: JobRun, outcome: Outcome | None = None) -> None:
        """Pass the result on; `outcome` is None if the lease of the job knows it."""
        job = run.job.job
        if run is self._alone:
            self._alone = None
        del self._runs[job]
        over = self._files.close(job)
        if over is not None and outcome is None and run.lease is not None:
            # It may have written too much just before its end, so that nobody ended it for that.
            run.lease.overrule(Outcome(outcomes.QUOTA, over.exit_status, over))
        result = run.result(outcome)
        if self._fails_fast and result.outcome[:2] != outcomes.SUCCESS:
            self._intake.stop()
        self._results.put(result)
        self._intake.end(job)
        self._start_soon()

    def _may_run_again(self, run: JobRun) -> bool:
        """Whether a job whose lease has ended is to be run once more."""
        lease = run.lease
        if lease is None or lease.cell is not None:  # a guest that was given up keeps its memory
            return False
        if run.ending is not None or not self._intake.may_start:
            return False
        if not run.was_aborted:
            failures = run.attempt - 1 - run.aborted
            retries = self._retries if run.job.retries is None else run.job.retries
            return failures < retries and lease.outcome.reason in _RETRIED and run.has_failed
        abortion = lease.abortion
        return abortion is not None and abortion.may_fit and run.aborted < self._requeue

    def _end_lease(self, lease: str) -> bool:
        """Somebody else asks for the end of a lease; whether there is one of this id."""
        for run in self.runs:
            if run.lease is not None and run.lease.id == lease:
                self._end_one(run.job.job, outcomes.TERMINATED)
                return True
        return False

    def _end_one(self, job: int, reason: str) -> None:
        run = self._runs.get(job)
        if run is None or run.ending is not None:
            return
        run.ending = reason
        if run in self._put_back:
            self._put_back.remove(run)
            self._conclude(run)
        elif run.lease is not None:
            run.lease.end(reason)

    def _may_be_compiled_anew(self, run: JobRun) -> bool:
        """Whether nothing of a job ran, since code from the cache was made for another machine."""
        lease = run.lease
        is_unfit = lease is not None and lease.has_unfit_code and not run.has_new_code
        return is_unfit and self._intake.may_start and run.ending is None

    def _begin_with_new_code(self, run: JobRun) -> None:
        assert run.lease is not None  # noqa: S101 - it was told that its code is unfit
        self._capsules.reject(run.lease.capsule)
        self._files.forget(run.job.job)
        self._start(JobRun(run.job, run.attempt, run.aborted, has_new_code=True))

    def _end_put_back(self) -> None:
        """No job is to be started any more, so none once more."""
        while self._put_back:
            self._conclude(self._put_back.popleft())

    def _supervise(self) -> None:
        self._loop.call_at(time.monotonic() + SUPERVISION_S, self._supervise)
        self._look()
        self._look_after_leases()
        self._arbiter.reconcile()
        if self._ending is not None and self._intake.is_idle:
            self._is_idle.set()
        self._start_soon()

    def _look_after_leases(self) -> None:
        if self._ending is not None or self._is_winding_up:
            self._capsules.close()
        if not self._intake.may_start:
            self._end_put_back()
        self._cells.look()
        for run in self.runs:
            if run.lease is None:
                continue
            if self._ending is not None:
                run.lease.end(self._ending)
            over = self._files.over_limit(run.job.job)
            if over is not None:
                run.lease.end(outcomes.QUOTA, over)
            run.lease.attend()
