"""Many jobs under one host budget: one engine, a thread a lease, results as they come.

Jobs are taken in on one thread, as slots get free; guests run on the slots' threads; a supervisor
sees to deadlines and to the arbiter; whoever iterates over the results is told of each.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from atectl import host_memory
from atectl import outcome as outcomes
from atectl.accounting import Budget, Ledger, Pressure, Reading
from atectl.arbiter import Arbiter, Observer, Ruling
from atectl.arbitration import Phase, Rules
from atectl.artifact_cache import ArtifactCache
from atectl.capsule_shelf import CapsuleShelf
from atectl.engine import Engine
from atectl.errors import AtectlError, InternalError
from atectl.host import Lease, Standing, Terms, start_guest_thread
from atectl.ledger_store import LeaseRecord
from atectl.outcome import Outcome
from atectl.spill import SpillArea
from atectl.store_pool import StorePool
from atectl.wasi import Streams

if TYPE_CHECKING:
    from atectl.ledger_store.flusher import LeaseFlusher

SUPERVISION_S = 0.05
"""Between two looks at deadlines and at the pressure."""

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
    how many idle stores are kept of each reactor and principal; 0 keeps none.
    """

    jobs: int
    budget: Budget
    rules: Rules
    spill_dir: Path
    spill_cap_bytes: int | None = None
    pool: int = 0
    observer: Observer | None = None


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


class LeaseRow(NamedTuple):
    """A lease that has not ended. `state` is `running`, `waiting` (inside its growth request),
    `parked`, `spilled`, `ending` or `aborted`; `resident_bytes` None is unknown."""

    job: int
    principal: str
    capsule: str
    label: str
    state: str
    current_bytes: int
    resident_bytes: int | None
    quota_bytes: int
    wall_s: float


class BatchView(NamedTuple):
    """A batch at one moment. `spilled_bytes` is what lies on disk now; `rulings` the latest."""

    rows: tuple[LeaseRow, ...]
    budget: Budget
    pressure: Pressure
    spilled_bytes: int
    rulings: tuple[Ruling, ...]


class _Run:
    """A job in its slot; its lease, once the capsule is loaded."""

    def __init__(self, job: JobTerms) -> None:
        self.job = job
        self.lease: Lease | None = None

    def result(self, refusal: AtectlError | None = None) -> JobResult:
        lease = self.lease
        if lease is None:
            error = refusal or InternalError("the job has no lease")
            return JobResult(self.job.job, outcomes.refused(error), _NOTHING_USED, 0.0, 0.0, 0, ())
        seat = lease.seat
        return JobResult(
            self.job.job,
            lease.outcome,
            lease.read(),
            lease.cpu_s,
            lease.wall_s,
            lease.fuel,
            () if seat is None else tuple(seat.rulings),
        )


class _Stopped(NamedTuple):
    """No more jobs are taken in; `failure` is what taking them in raised."""

    failure: BaseException | None


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
            busy_leases=min(settings.jobs, os.cpu_count() or 1),
            resident=host_memory.resident_bytes,
            observer=settings.observer,
        )
        self._pool = StorePool(settings.pool, self._arbiter.count_idle)
        self._arbiter.drop_idle = self._pool.clear
        self._ledger = Ledger()
        self._records: list[LeaseRecord] = []
        self._lock = threading.Lock()
        self._runs: dict[int, _Run] = {}
        self._unfinished = 0  # jobs taken in whose results nobody has been given
        # Twice the slots, so that no slot waits for whoever reads the results.
        self._places = threading.Semaphore(2 * settings.jobs)
        self._due: queue.SimpleQueue[JobTerms | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[JobResult | _Stopped] = queue.SimpleQueue()
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

        `jobs` is iterated on another thread, and only as slots get free.

        Raises:
            UnsatisfiableBudget: the limit is below what the process itself holds, and the rules
                park or spill (exit 125). Nothing was run.
        """
        from atectl.budget import refuse_unsatisfiable

        rules, budget = self._settings.rules, self._settings.budget
        baseline_bytes = self._arbiter.measure_baseline()
        refuse_unsatisfiable(budget, baseline_bytes, is_guarded=rules.parks or rules.spills)
        self._supervisor.start()
        for _ in range(self._settings.jobs):
            self._add_slot()
        threading.Thread(
            target=self._take_in, args=(jobs,), name="batch-intake", daemon=True
        ).start()
        yield from self._results()

    def overview(self) -> BatchView:
        """The batch as it is now."""
        with self._lock:
            leases = [(run.job.job, run.lease) for run in self._runs.values() if run.lease]
        return BatchView(
            tuple(_row(job, lease) for job, lease in leases if not lease.is_done),
            self._settings.budget,
            self._arbiter.pressure,
            self._arbiter.spilled_bytes,
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
            for _ in range(self._settings.jobs):
                self._due.put(None)
            self._await_slots()
            self._closing.set()
            if self._supervisor.ident is not None:
                self._supervisor.join()
            self._pool.clear()
            self._engine.close()
        return None if self._flusher is None else self._flusher.close(self._snapshot())

    # Results

    def _results(self) -> Iterator[JobResult]:
        is_fed = False
        while not self._is_over(is_fed=is_fed):
            try:
                event = self._events.get(timeout=SUPERVISION_S)
            except queue.Empty:
                if self._failure is not None:
                    raise self._failure from None
                continue
            if isinstance(event, _Stopped):
                if event.failure is not None:
                    raise event.failure
                is_fed = True
                continue
            with self._lock:
                self._unfinished -= 1
            self._places.release()
            yield event

    def _is_over(self, *, is_fed: bool) -> bool:
        with self._lock:
            return not self._unfinished and (is_fed or self._is_stopping)

    # On the intake's thread

    def _take_in(self, jobs: Iterable[JobTerms]) -> None:
        failure = None
        try:
            self._places.acquire()
            for job in jobs:
                with self._lock:
                    if self._is_stopping:
                        break
                    self._unfinished += 1
                self._due.put(job)
                self._places.acquire()
                if self._is_stopping:
                    break
        except BaseException as error:
            failure = error
        self._events.put(_Stopped(failure))

    # On the slots' threads

    def _add_slot(self) -> None:
        start_guest_thread(self._engine, self._serve, "batch-slot")

    def _serve(self) -> None:
        """Run one job after another, until there is none or a guest was given up on."""
        while (job := self._due.get()) is not None:
            run = _Run(job)
            if self._is_stopping:
                self._drop()
                continue
            with self._lock:
                self._runs[job.job] = run
            refusal = self._run(run)
            if not self._conclude(run, refusal):
                return

    def _drop(self) -> None:
        """A job that was taken in and not begun has no result."""
        with self._lock:
            self._unfinished -= 1

    def _run(self, run: _Run) -> AtectlError | None:
        try:
            run.lease = self._lease(run.job)
        except AtectlError as error:
            return error
        except Exception as error:
            return InternalError(f"{type(error).__name__}: {error}")
        run.lease.run()
        return None

    def _lease(self, job: JobTerms) -> Lease:
        streams = Streams(*(None if path is None else str(path) for path in job[-3:]))
        terms = job.terms._replace(wasi=job.terms.wasi._replace(streams=streams))
        pool = self._pool if self._settings.pool else None
        standing = Standing(self._arbiter, job.job, job.priority, pool)
        capsule = self._capsules.get(job.capsule)
        return Lease(self._engine, capsule, terms, self._ledger, standing)

    def _conclude(self, run: _Run, refusal: AtectlError | None = None) -> bool:
        """Hand on the result, once; False if another thread did."""
        with self._lock:
            if self._runs.pop(run.job.job, None) is None:
                return False
            if run.lease is not None and self._flusher is not None:
                self._records.append(run.lease.record())
        self._events.put(run.result(refusal))
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


def _state(lease: Lease) -> str:
    seat = lease.seat
    if seat is not None and seat.aborting:
        return "aborted"
    if lease.is_ending:
        return "ending"
    if seat is not None and seat.phase is Phase.PARKED and seat.asked_bytes:
        return "waiting"
    return lease.state


def _row(job: int, lease: Lease) -> LeaseRow:
    reading = lease.read()
    return LeaseRow(
        job=job,
        principal=lease.terms.principal,
        capsule=lease.capsule.name,
        label=lease.terms.label,
        state=_state(lease),
        current_bytes=reading.current_bytes,
        resident_bytes=lease.resident_bytes(),
        quota_bytes=lease.terms.quota.memory_bytes,
        wall_s=lease.wall_s,
    )


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
