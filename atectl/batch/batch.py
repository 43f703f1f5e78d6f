"""Many jobs under one host budget: one engine, a thread a lease, results as they come.

Guests run on the slots' threads, each of which takes one job after another; a supervisor sees to
deadlines and to the arbiter; whoever iterates over the results is told of each.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from atectl.accounting import Budget, Ledger
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.chronicle import Observer
from atectl.arbitration.policies import Rules
from atectl.arbitration.seat import Ruling
from atectl.batch.overview import BatchOverview, lease_row
from atectl.capsule.cache import ArtifactCache
from atectl.capsule.shelf import CapsuleShelf
from atectl.engine.meter import Reading
from atectl.engine.metered import Engine
from atectl.engine.wasi import Streams
from atectl.errors import AtectlError, InternalError
from atectl.lease import outcome as outcomes
from atectl.lease.lease import Lease, Standing, Terms, start_guest_thread
from atectl.lease.outcome import Outcome
from atectl.lease.store_pool import StorePool
from atectl.ledger_store.records import LeaseRecord
from atectl.spill.area import SpillArea
from atectl.system import memory as host_memory

if TYPE_CHECKING:
    from atectl.ledger_store.flusher import LeaseFlusher

SUPERVISION_S = 0.05
"""Between two looks at deadlines and at the pressure."""

_FRESH_S = 0.005
"""How long a slot leaves another to itself that has just begun a job.

Beginning and ending a lease is work of the interpreter, of which there is one: two slots that do
it at the same time only take it from each other, call by call. Short jobs are run one after another
so, and long ones beside each other.
"""

_GATHERED_S = 0.002
"""How long results are gathered before their reader is woken: it takes the interpreter, too."""

_MOST_UNREAD = 64
"""Results that are still to be read, beside the jobs that run, before slots wait for the reader."""

_CLOSE_TIMEOUT_S = 2.0
_NOTHING_USED = Reading(0, 0, 0, 0, 0, 0.0)


class JobTerms(NamedTuple):
    """One job: what runs, on which terms, and where its streams go.

    `job` is its number, unique in the batch. `stdin` None is empty; `stdout` and `stderr` None
    are discarded.
    """

    job: int
    capsule: Path
    terms: Terms
    priority: int = 0
    stdin: Path | None = None
    stdout: Path | None = None
    stderr: Path | None = None


class BatchSettings(NamedTuple):
    """How a batch runs: `jobs` at once, under `budget`, by `rules`.

    `spill_dir` and `spill_cap_bytes` matter only where the rules spill; no cap is None. `pool` is
    how many idle stores are kept of each reactor and principal; 0 keeps none. With `fails_fast` no
    job is begun after one that did not end by itself with status 0.
    """

    jobs: int
    budget: Budget
    rules: Rules
    spill_dir: Path
    spill_cap_bytes: int | None = None
    pool: int = 0
    observer: Observer | None = None
    fails_fast: bool = False


class JobResult(NamedTuple):
    """A job that has ended. `rulings` are the arbiter's about it, in order; growths that were
    granted at once are none."""

    job: int
    outcome: Outcome
    reading: Reading
    cpu_s: float
    wall_s: float
    fuel: int
    rulings: tuple[Ruling, ...]


class _Run:
    """A job in its slot; its lease, once the capsule is loaded."""

    def __init__(self, job: JobTerms) -> None:
        self.job = job
        self.lease: Lease | None = None
        self.began = time.monotonic()

    def result(self, outcome: Outcome | None) -> JobResult:
        """How it ended: `outcome` is that of a job whose lease has none of its own."""
        lease = self.lease
        if lease is None:
            ended = outcome or outcomes.refused(InternalError("the job has no lease"))
            return JobResult(self.job.job, ended, _NOTHING_USED, 0.0, 0.0, 0, ())
        seat = lease.seat
        return JobResult(
            self.job.job,
            outcome or lease.outcome,
            lease.read(),
            lease.cpu_s,
            lease.wall_s,
            lease.fuel,
            () if seat is None else tuple(seat.rulings),
        )


class Batch:
    """Runs jobs under one budget, once. To be closed, or used with `with`.

    Args:
        settings: how it runs.
        cache: where compiled capsules are kept; None compiles each once a batch.
        ledger_flag: what `--ledger` said: the stored ledger to tell; "none" tells nobody.

    Raises:
        SpillOntoMemory, SpillFolderUnusable: the rules spill and the folder will not do (exit 125).
    """

    def __init__(
        self,
        settings: BatchSettings,
        cache: ArtifactCache | None,
        ledger_flag: str | None = None,
    ) -> None:
        area = None
        if settings.rules.spills:
            area = SpillArea(settings.spill_dir, settings.spill_cap_bytes)
        self._settings = settings
        self._engine = Engine()
        self._capsules = CapsuleShelf(self._engine, cache)
        self._arbiter = Arbiter(
            settings.budget,
            settings.rules,
            self._engine.tick,
            area=area,
            busy_leases=min(settings.jobs, len(os.sched_getaffinity(0))),
            resident=host_memory.resident_bytes,
            observer=settings.observer,
        )
        self._pool = StorePool(settings.pool, self._arbiter.forget_idle)
        self._arbiter.drop_idle_by(self._pool.clear)
        self._ledger = Ledger()
        self._records: list[LeaseRecord] = []
        self._lock = threading.Lock()
        self._runs: dict[int, _Run] = {}
        self.baseline_bytes: int | None = None
        """What the process held as the batch began to run; None before, or where unknown."""
        self._jobs: Iterator[JobTerms] = iter(())
        self._taking = threading.Lock()
        self._are_all_taken = False
        self._jobs_failure: BaseException | None = None
        self._unread = 0  # jobs taken whose results nobody has been given
        self._events: queue.SimpleQueue[JobResult | None] = queue.SimpleQueue()
        self._is_stopping = False
        self._ending: str | None = None
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="batch-supervisor")
        self._failure: AtectlError | None = None
        # Last: it asks for a snapshot at once, on its own thread.
        self._flusher = _flusher(ledger_flag, self._snapshot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self, capsules: Iterable[Path]) -> None:
        """Load capsules before anything runs; one that cannot be loaded fails its own jobs."""
        for path in capsules:
            with suppress(AtectlError):
                self._capsules.get(path)

    def run(self, jobs: Iterable[JobTerms]) -> Iterator[JobResult]:
        """Run the jobs, and tell the result of each as it ends.

        `jobs` is iterated on other threads, one at a time, and only as slots get free.

        Raises:
            UnsatisfiableBudget: the limit is below what the process itself holds, and the rules
                park or spill (exit 125). Nothing was run.
            Exception: what iterating over `jobs` raised, once all that ran has been told.
        """
        from atectl.budget.file import refuse_unsatisfiable

        rules, budget = self._settings.rules, self._settings.budget
        self.baseline_bytes = self._arbiter.measure_baseline()
        refuse_unsatisfiable(budget, self.baseline_bytes, is_guarded=rules.is_guarded)
        self._supervisor.start()
        self._jobs = iter(jobs)
        for _ in range(self._settings.jobs):
            self._add_slot()
        yield from self._results()

    @property
    def has_more_results(self) -> bool:
        """Whether `run` has another result to tell at once."""
        return not self._events.empty()

    def overview(self) -> BatchOverview:
        """The batch as it is now."""
        with self._lock:
            leases = [(run.job.job, run.lease) for run in self._runs.values() if run.lease]
        now_s = self._arbiter.now_s
        return BatchOverview(
            now_s,
            tuple(lease_row(job, lease, now_s) for job, lease in leases if not lease.is_done),
            self._settings.budget,
            self._arbiter.pressure,
            self._arbiter.on_disk_bytes,
            self._arbiter.latest_rulings(),
        )

    @property
    def spill_failure(self) -> AtectlError | None:
        """Why memory could last not be spilled, None if it always could."""
        return self._arbiter.spill_failure

    def stop(self) -> None:
        """Take in no more jobs; those that run go on. Safe in a signal handler."""
        self._is_stopping = True

    def end_all(self, reason: str) -> None:
        """Take in no more jobs, and end those that run, for `reason`. Safe in a signal handler."""
        self._is_stopping = True
        self._ending = reason

    def close(self) -> AtectlError | None:
        """End what still runs and store the ledger; idempotent.

        Returns:
            Why the ledger may not be stored, None if it is or none is kept.
        """
        if not self._closing.is_set():
            self.end_all(outcomes.TERMINATED)
            self._capsules.close()
            self._await_slots()
            self._closing.set()
            if self._supervisor.ident is not None:
                self._supervisor.join()
            self._pool.clear()
            self._engine.close()
        return None if self._flusher is None else self._flusher.close(self._snapshot())

    # Results

    def _results(self) -> Iterator[JobResult]:
        while not self._is_over():
            try:
                event = self._events.get(timeout=SUPERVISION_S)
            except queue.Empty:
                if self._failure is not None:
                    raise self._failure from None
                continue
            if event is None:
                continue
            with self._lock:
                self._unread -= 1
            yield event
            if not self.has_more_results:
                self._closing.wait(_GATHERED_S)
        if self._jobs_failure is not None:
            raise self._jobs_failure

    def _is_over(self) -> bool:
        with self._lock:
            return not self._unread and (self._are_all_taken or self._is_stopping)

    # On the slots' threads

    def _add_slot(self) -> None:
        start_guest_thread(self._engine, self._serve, "batch-slot")

    def _serve(self) -> None:
        """Run one job after another, until there is none or a guest was given up on."""
        while (run := self._take()) is not None:
            if not self._conclude(run, self._run(run)):
                return

    def _take(self) -> _Run | None:
        """The next job; None if there is none, or none is to be begun any more."""
        self._await_turn()
        with self._taking:
            if self._is_stopping or self._are_all_taken:
                return None
            try:
                job = next(self._jobs, None)
            except BaseException as error:
                job, self._jobs_failure = None, error
            with self._lock:
                if job is None:
                    self._are_all_taken = True
                    self._events.put(None)  # for whoever waits for one more result
                elif not self._is_stopping:
                    self._unread += 1
                    run = self._runs[job.job] = _Run(job)
                    return run
            return None

    def _await_turn(self) -> None:
        """Wait while another slot has just begun, or too many results wait for their reader."""
        while (wait_s := self._not_before_s()) > 0 and not self._is_stopping:
            self._closing.wait(wait_s)

    def _not_before_s(self) -> float:
        """How long a slot is to wait before it looks again; not positive if it may go on."""
        with self._lock:
            if self._unread >= self._settings.jobs + _MOST_UNREAD:
                return _FRESH_S
            latest = max((run.began for run in self._runs.values()), default=0.0)
        return latest + _FRESH_S - time.monotonic()

    def _run(self, run: _Run) -> Outcome | None:
        """Run a job; its outcome if no lease came of it, or none that could tell its own."""
        refusal: AtectlError
        try:
            run.lease = self._lease(run.job)
            run.lease.run()
        except AtectlError as error:
            refusal = error
        except Exception as error:
            refusal = InternalError(f"{type(error).__name__}: {error}")
        else:
            return None
        if self._ending is not None:
            return outcomes.told_to_end(self._ending, run.job.terms.quota, 0)
        return outcomes.refused(refusal)

    def _lease(self, job: JobTerms) -> Lease:
        streams = Streams(*(None if path is None else str(path) for path in job[-3:]))
        terms = job.terms._replace(wasi=job.terms.wasi._replace(streams=streams))
        pool = self._pool if self._settings.pool else None
        standing = Standing(self._arbiter, job.job, job.priority, pool)
        capsule = self._capsules.get(job.capsule)
        return Lease(self._engine, capsule, terms, self._ledger, standing)

    def _conclude(self, run: _Run, outcome: Outcome | None = None) -> bool:
        """Hand on the result, once; False if another thread did."""
        with self._lock:
            if self._runs.pop(run.job.job, None) is None:
                return False
            if run.lease is not None and self._flusher is not None:
                self._records.append(run.lease.record())
        result = run.result(outcome)
        if self._settings.fails_fast and result.outcome[:2] != outcomes.SUCCESS:
            self._is_stopping = True
        self._events.put(result)
        return True

    # On the supervisor's thread

    def _supervise(self) -> None:
        while not self._closing.wait(SUPERVISION_S):
            try:
                self._look_after_leases()
                self._arbiter.reconcile()
            except Exception as error:
                self._failure = InternalError(f"{type(error).__name__}: {error}")
                self._is_stopping = True

    def _look_after_leases(self) -> None:
        if self._ending is not None:
            self._capsules.close()
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            if run.lease is None:
                continue
            if self._ending is not None:
                run.lease.end(self._ending)
            if run.lease.attend() and self._conclude(run):
                self._add_slot()

    def _await_slots(self) -> None:
        """Give the guests that were told to end the time it takes them."""
        for _ in range(int(_CLOSE_TIMEOUT_S / SUPERVISION_S)):
            with self._lock:
                if not self._runs:
                    return
            self._closing.wait(SUPERVISION_S)

    # On the ledger's thread

    def _snapshot(self) -> list[LeaseRecord]:
        """The leases that run, and those that have ended since the last look."""
        with self._lock:
            ended, self._records = self._records, []
            leases = [run.lease for run in self._runs.values() if run.lease is not None]
        return [*ended, *(lease.record() for lease in leases)]


def _flusher(
    ledger_flag: str | None, snapshot: Callable[[], Iterable[LeaseRecord]]
) -> "LeaseFlusher | None":
    """What stores the leases, running; None where no ledger is kept."""
    from atectl import config

    if config.ledger_path(ledger_flag) is None:
        return None
    from atectl.ledger_store.flusher import LeaseFlusher
    from atectl.ledger_store.opening import open_for_writing

    flusher = LeaseFlusher(lambda: open_for_writing(ledger_flag), snapshot)
    flusher.start()
    return flusher
