"""Many jobs under one host budget, in cells.

A coordinator runs them on a thread of its own. The caller iterates over the results, which come as
the jobs end.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from atectl.arbitration.arbiter import Arbiter
from atectl.batch.cells.cell_leases import CellLeases
from atectl.batch.cells.settings import SERVING
from atectl.batch.coordinator import SUPERVISION_S, Coordinator
from atectl.batch.intake import JobSource
from atectl.batch.job import JobResult, JobTerms, Wanted
from atectl.batch.job_reader import JobReader
from atectl.batch.loop import Loop
from atectl.batch.results import ResultQueue
from atectl.batch.settings import BatchSettings
from atectl.capsule.compiler import Compiler
from atectl.capsule.shelf import CapsuleShelf
from atectl.errors import AtectlError
from atectl.lease import outcome as outcomes
from atectl.lease.runtime import Runtime
from atectl.system import memory as host_memory

if TYPE_CHECKING:
    from atectl.batch.overview import BatchOverview

_LOOKS_AT_FORKER = 20
"""After so many looks another at what the process holds that forks compilers."""

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
        compiler = Compiler(runtime.target, limits, niceness=_COMPILING_NICENESS)
        # Before all else: starting it is cheap only while this process has one thread. It imports
        # the engine at once, which this process has no use for.
        compiler.prepare(SERVING)
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
        self._capsules = CapsuleShelf(runtime.target, runtime.cache, compiler, room)
        self._loop = Loop()
        self._cells = CellLeases(settings, runtime, compiler, self._arbiter, self._loop)
        self.baseline_bytes: int | None = None
        """The memory of the process when the batch began to run; None before, or if unknown."""
        self._closing = threading.Event()
        self._results = ResultQueue(self._closing)
        self._looks = count(1)
        self._coordinator = Coordinator(
            settings,
            runtime,
            self._loop,
            self._capsules,
            self._cells,
            self._arbiter,
            self._results,
            self._look,
        )
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

        `jobs` is iterated on another thread, and only a few are read ahead.

        Raises:
            UnsatisfiableBudget, Exception: see `serve`, and what iterating over `jobs` raised,
                after the results of all that ran.
        """
        return self.serve(JobReader(jobs))

    def serve(self, jobs: JobSource) -> Iterator[JobResult]:
        """Run the jobs that come, and yield the result of each as it ends, until it is over.

        Raises:
            UnsatisfiableBudget: the limit is below what the process itself holds, and the rules
                park or spill (exit 125). Nothing was run.
            Exception: what kept jobs from coming, after the results of all that ran.
        """
        from atectl.budget.file import refuse_unsatisfiable

        rules, budget = self._settings.rules, self._settings.budget
        self.baseline_bytes = self._measure_baseline()
        refuse_unsatisfiable(budget, self.baseline_bytes, is_guarded=rules.is_guarded)
        self._coordinator.open(jobs)
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
        leases = [(run.job.job, run.lease) for run in self._coordinator.runs if run.lease]
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
        self._coordinator.stop()

    def end_all(self, reason: str) -> None:
        """Start no more jobs, and end those that run, for `reason`. Safe in a signal handler."""
        self._coordinator.end_all(reason)

    def end_one(self, job: int, reason: str) -> None:
        """End one job, if it runs, for `reason`; the others go on."""
        self._coordinator.end_one(job, reason)

    def close(self) -> AtectlError | None:
        """End what still runs and store the ledger; idempotent.

        Returns:
            Why the ledger may not have been stored; None if it was, or if none is kept.
        """
        if not self._closing.is_set():
            self.end_all(outcomes.TERMINATED)
            self._capsules.close()
            self._coordinator.close(_CLOSE_TIMEOUT_S)
            self._closing.set()
            self._cells.close()
            self._compiler.close()
            self._loop.close()
        return self._runtime.close()

    def _read_results(self) -> Iterator[JobResult]:
        while not self._results.is_over:
            result = self._results.next(SUPERVISION_S)
            if result is not None:
                self._coordinator.count_read()
                yield result
                self._results.gather()
            elif self._closing.is_set():
                return
            elif self._coordinator.failure is not None:
                raise self._coordinator.failure
        if self._coordinator.failure is not None:
            raise self._coordinator.failure

    # What it holds

    def _tick(self) -> None:
        """Have every running guest reach a checkpoint."""
        self._cells.tick()

    def _trim(self) -> None:
        host_memory.trim()
        self._cells.trim()

    def _measure_baseline(self) -> int | None:
        """Take what it holds now as its baseline; nothing compiles at that."""
        self._compiler.wait_until_prepared()
        self._look_at_forker()
        return self._arbiter.measure_baseline()

    def _look(self) -> None:
        if next(self._looks) % _LOOKS_AT_FORKER == 0:
            self._look_at_forker()

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
