"""Many jobs under one host budget, in cells.

Each slot is a thread that stands in for the guest of one job after another: see `cells`. A
supervisor thread enforces deadlines and calls the arbiter. The caller iterates over the results,
which come as the jobs end.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from atectl.arbitration.arbiter import Arbiter
from atectl.batch.cells.cell_leases import CellLeases
from atectl.batch.cells.host_lease import CellLease
from atectl.batch.intake import Intake
from atectl.batch.job import JobResult, JobRun, JobTerms, Wanted
from atectl.batch.job_files import JobFiles
from atectl.batch.results import ResultQueue
from atectl.batch.settings import BatchSettings
from atectl.capsule.compiler import Compiler
from atectl.capsule.shelf import CapsuleShelf
from atectl.engine.wasi import NO_FILES
from atectl.errors import AtectlError, CompilerGone, InternalError
from atectl.lease import outcome as outcomes
from atectl.lease.outcome import Outcome
from atectl.lease.runtime import Runtime
from atectl.lease.terms import Terms
from atectl.system import memory as host_memory

if TYPE_CHECKING:
    from atectl.batch.overview import BatchOverview

SUPERVISION_S = 0.05
"""Seconds between two checks of the deadlines and of the pressure."""

_LOOKS_AT_FORKER = 20
"""After so many of them another at what the process holds that forks compilers."""

_COMPILING_NICENESS = 5
"""How much lower the priority of compiling is than that of the guests."""

_CLOSE_TIMEOUT_S = 2.0


class Batch:
    """Runs jobs under one budget, once. To be closed, or used with `with`.

    Args:
        settings: how it runs.
        runtime: what its leases run on; the batch closes it.

    Raises:
        SpillOntoMemory, SpillFolderUnusable: the rules spill, and the folder is not fit for it
            (exit 125).
    """

    def __init__(self, settings: BatchSettings, runtime: Runtime) -> None:
        area = None
        if settings.rules.spills:
            from atectl.spill.area import SpillArea

            area = SpillArea(settings.spill_dir, settings.spill_cap_bytes)
        self._settings = settings
        self._runtime = runtime
        cores = len(os.sched_getaffinity(0))
        limits = runtime.compiling.settled(settings.budget.limit_bytes)
        compiler = Compiler(runtime.engine, limits, niceness=_COMPILING_NICENESS)
        # Before all else: starting it is cheap only while this process has one thread.
        compiler.prepare()
        self._compiler = compiler
        self._forker_bytes = 0
        self._arbiter = Arbiter(
            settings.budget,
            settings.rules,
            self._tick,
            area=area,
            busy_leases=min(settings.jobs, cores),
            resident=self._resident_bytes,
            observer=settings.observer,
            trim=self._trim,
        )
        self._compiled_at_once = min(settings.jobs, cores)
        most_bytes = limits.memory_bytes or 0
        room = self._arbiter.compile_room(self._compiled_at_once, most_bytes)
        self._capsules = CapsuleShelf(runtime.engine, runtime.cache, compiler, room)
        self._cells = CellLeases(settings, runtime, compiler, self._arbiter)
        self.baseline_bytes: int | None = None
        """The memory of the process when the batch began to run; None before, or if unknown."""
        self._closing = threading.Event()
        self._results = ResultQueue(self._closing)
        self._intake = Intake(settings.jobs, self._closing, on_last=self._results.wake)
        self._files = JobFiles(settings.reserved, settings.max_output_bytes)
        self._runs: dict[int, JobRun] = {}
        self._lock = threading.Lock()
        self._ending: str | None = None
        self._is_winding_up = False
        self._supervisor = threading.Thread(target=self._supervise, name="batch-supervisor")
        self._failure: AtectlError | None = None
        runtime.store_ledger()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self, capsules: Mapping[Path, Wanted]) -> None:
        """Load capsules before anything runs; one that cannot be loaded fails its own jobs."""
        self._measure_baseline()
        left = iter(capsules.items())
        taking = threading.Lock()

        def load_some() -> None:
            while True:
                with taking:
                    found = next(left, None)
                if found is None:
                    return
                path, (principal, as_command) = found
                with suppress(AtectlError):
                    self._capsules.get(path, principal, as_command=as_command)

        # One more than compile at once, so that the next is looked up meanwhile.
        threads = [
            threading.Thread(target=load_some, name="batch-loading", daemon=True)
            for _ in range(min(len(capsules) - 1, self._compiled_at_once))
        ]
        for thread in threads:
            thread.start()
        load_some()
        for thread in threads:
            thread.join()

    def run(self, jobs: Iterable[JobTerms]) -> Iterator[JobResult]:
        """Run the jobs, and yield the result of each as it ends.

        `jobs` is iterated on other threads, one at a time, and only as slots get free.

        Raises:
            UnsatisfiableBudget: the limit is below what the process itself holds, and the rules
                park or spill (exit 125). Nothing was run.
            Exception: what iterating over `jobs` raised, after the results of all that ran.
        """
        from atectl.budget.file import refuse_unsatisfiable

        rules, budget = self._settings.rules, self._settings.budget
        self.baseline_bytes = self._measure_baseline()
        refuse_unsatisfiable(budget, self.baseline_bytes, is_guarded=rules.is_guarded)
        self._supervisor.start()
        self._intake.open(jobs)
        for _ in range(self._settings.jobs):
            self._add_slot()
        yield from self._read_results()

    @property
    def has_more_results(self) -> bool:
        """Whether `run` can yield another result without waiting."""
        return self._results.has_more

    def overview(self) -> "BatchOverview":
        """The batch as it is now."""
        from atectl.batch.overview import BatchOverview, lease_row

        ledger = self._runtime.ledger
        records = {record.id: record for record in ledger.running()}
        with self._lock:
            leases = [(run.job.job, run.lease) for run in self._runs.values() if run.lease]
        now_s = self._arbiter.now_s
        return BatchOverview(
            now_s,
            tuple(
                lease_row(job, lease, records[lease.id], now_s)
                for job, lease in leases
                if lease.id in records
            ),
            self._settings.budget,
            self._arbiter.pressure,
            self._arbiter.on_disk_bytes,
            self._arbiter.latest_rulings(),
            tuple(ledger.accounts()),
        )

    @property
    def spill_failure(self) -> AtectlError | None:
        """Why the latest spill that failed did so; None if none failed."""
        return self._arbiter.spill_failure

    def stop(self) -> None:
        """Start no more jobs; those that run go on. Safe in a signal handler.

        A job whose capsule is still being compiled ends without running.
        """
        self._is_winding_up = True
        self._intake.stop()

    def end_all(self, reason: str) -> None:
        """Start no more jobs, and end those that run, for `reason`. Safe in a signal handler."""
        self._intake.stop()
        self._ending = reason

    def close(self) -> AtectlError | None:
        """End what still runs and store the ledger; idempotent.

        Returns:
            Why the ledger may not have been stored; None if it was, or if none is kept.
        """
        if not self._closing.is_set():
            self.end_all(outcomes.TERMINATED)
            self._capsules.close()
            self._await_slots()
            self._closing.set()
            if self._supervisor.ident is not None:
                self._supervisor.join()
            self._cells.close()
            self._compiler.close()
        return self._runtime.close()

    def _read_results(self) -> Iterator[JobResult]:
        while not self._intake.is_over:
            result = self._results.next(SUPERVISION_S)
            if result is not None:
                self._intake.count_read()
                yield result
                self._results.gather()
            elif self._failure is not None:
                raise self._failure
        if self._intake.failure is not None:
            raise self._intake.failure

    # What it holds

    def _tick(self) -> None:
        """Have every running guest reach a checkpoint."""
        self._cells.tick()

    def _trim(self) -> None:
        host_memory.trim()
        self._cells.trim()

    def _measure_baseline(self) -> int | None:
        """Take what it holds now as its baseline; nothing compiles at that."""
        self._look_at_forker()
        return self._arbiter.measure_baseline()

    def _look_at_forker(self) -> None:
        # What it shares with a child that it has just forked is its own again afterwards.
        self._forker_bytes = max(self._forker_bytes, self._compiler.private_bytes())

    def _resident_bytes(self) -> int | None:
        """What this process holds, what the process that forks compilers does not share, and the
        compiled code that is in memory alone."""
        resident = host_memory.resident_bytes()
        if resident is None:
            return None
        of_cells = self._cells.own_bytes()
        return resident + self._forker_bytes + self._capsules.kept_bytes + of_cells

    # On the slots' threads

    def _add_slot(self) -> None:
        threading.Thread(target=self._serve, name="batch-slot", daemon=True).start()

    def _serve(self) -> None:
        """Run one job after another, until there is none or the supervisor gave up on one."""
        while (job := self._intake.take()) is not None:
            run = JobRun(job)
            with self._lock:
                self._runs[job.job] = run
            if not self._conclude(run, self._run(run)):
                return

    def _run(self, run: JobRun) -> Outcome | None:
        """Run a job. Returns None if its lease knows the outcome, or else the outcome."""
        refusal: AtectlError
        try:
            run.lease = self._lease(run)
            run.lease.run()
        except AtectlError as error:
            refusal = error
            job = run.job
            self._runtime.charge_for_refusal(job.capsule.name, job.terms, error)
        except Exception as error:
            refusal = InternalError(f"{type(error).__name__}: {error}")
        else:
            return None
        was_cut = self._is_winding_up and isinstance(refusal, CompilerGone)
        ending = self._ending or (outcomes.TERMINATED if was_cut else None)
        if ending is not None:
            return outcomes.told_to_end(ending, run.job.terms.quota, 0)
        return outcomes.refused(refusal)

    def _lease(self, run: JobRun) -> CellLease:
        job = run.job
        terms = self._terms(job)
        deadline_s = terms.quota.deadline_s
        until = None if deadline_s is None else run.began_s + deadline_s
        capsule = self._capsules.get(
            job.capsule, terms.principal, until, as_command=terms.invoke is None
        )
        return self._cells.lease(capsule, terms, job, run.began_s)

    def _terms(self, job: JobTerms) -> Terms:
        """A job's terms, in which each of its files is checked before it is used."""
        terms, streams = job.terms, job.terms.wasi.streams
        if streams == NO_FILES:
            return terms
        check = partial(self._files.check, job.job, job.capsule)
        streams = (streams or NO_FILES)._replace(check=check)
        return terms._replace(wasi=terms.wasi._replace(streams=streams))

    def _conclude(self, run: JobRun, outcome: Outcome | None = None) -> bool:
        """Pass the result on, once. Returns False if another thread did so before."""
        with self._lock:
            if self._runs.pop(run.job.job, None) is None:
                return False
        self._intake.end(run.job.job)
        over = self._files.close(run.job.job)
        if over is not None and outcome is None and run.lease is not None:
            # It may have written too much just before its end, so that nobody ended it for that.
            run.lease.overrule(Outcome(outcomes.QUOTA, over.exit_status, over))
        result = run.result(outcome)
        if self._settings.fails_fast and result.outcome[:2] != outcomes.SUCCESS:
            self._intake.stop()
        self._results.put(result)
        return True

    # On the supervisor's thread

    def _supervise(self) -> None:
        for look in count(1):
            if self._closing.wait(SUPERVISION_S):
                return
            try:
                if look % _LOOKS_AT_FORKER == 0:
                    self._look_at_forker()
                self._look_after_leases()
                self._arbiter.reconcile()
            except Exception as error:
                self._failure = InternalError(f"{type(error).__name__}: {error}")
                self._intake.stop()

    def _look_after_leases(self) -> None:
        if self._ending is not None or self._is_winding_up:
            self._capsules.close()
        with self._lock:
            runs = list(self._runs.values())
        self._cells.look()
        for run in runs:
            if run.lease is None:
                continue
            if self._ending is not None:
                run.lease.end(self._ending)
            over = self._files.over_limit(run.job.job)
            if over is not None:
                run.lease.end(outcomes.QUOTA, over)
            if run.lease.attend() and self._conclude(run):
                self._add_slot()

    def _await_slots(self) -> None:
        """Wait a while for the guests that were told to end."""
        for _ in range(int(_CLOSE_TIMEOUT_S / SUPERVISION_S)):
            if self._intake.is_idle:
                return
            self._closing.wait(SUPERVISION_S)
