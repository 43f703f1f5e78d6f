"""The leases of a batch that run in cells: what they share, and the watch over them."""

from typing import TYPE_CHECKING

from atectl.arbitration.wording import Abortion
from atectl.batch.cells.cells import LEAST_CELLS, MOST_CELLS, Cells
from atectl.batch.cells.host_lease import CellHost, CellLease
from atectl.batch.cells.outputs import FILES_OF_LINE
from atectl.batch.cells.settings import (
    FILES_OF_CELL,
    FILES_OF_CODE,
    MAX_CODES,
    CellSettings,
)
from atectl.batch.cells.watch import CellWatch
from atectl.system import descriptors

if TYPE_CHECKING:
    from collections.abc import Callable

    from atectl.arbitration.arbiter import Arbiter
    from atectl.batch.job import JobTerms
    from atectl.batch.loop import Loop
    from atectl.batch.settings import BatchSettings
    from atectl.capsule.compiler import Compiler
    from atectl.capsule.loading import Capsule
    from atectl.lease.runtime import Runtime
    from atectl.lease.terms import Terms

_BESIDE_SLEEPER = (
    "others waited for the memory of a guest of the same principal that slept past its deadline, "
    "in the process of this one"
)
_NO_SLEEPERS = "have no guest of the principal sleep past its deadline, or isolate each job"


class CellLeases:
    """Makes the leases of a batch, each to run in a cell, and looks after them. To be closed.

    Args:
        settings: those of the batch.
        runtime: has the ledger.
        compiler: has the process that forks cells.
        arbiter: decides about the leases.
        loop: calls all of this, but for `tick`, `trim` and `own_bytes`.
    """

    def __init__(
        self,
        settings: "BatchSettings",
        runtime: "Runtime",
        compiler: "Compiler",
        arbiter: "Arbiter",
        loop: "Loop",
    ) -> None:
        # Each lease has a line, which takes descriptors, as does the code of each capsule.
        other_files = settings.max_fds + FILES_OF_CELL + FILES_OF_CODE * (MAX_CODES + 1)
        free_files = max(descriptors.most() - other_files, FILES_OF_LINE)
        most_lines = min(settings.jobs, free_files // FILES_OF_LINE)
        self._cells = Cells(
            compiler,
            loop,
            settings.cells or min(max(settings.jobs, LEAST_CELLS), MOST_CELLS),
            most_lines,
            CellSettings(
                other_files + FILES_OF_LINE * (most_lines + 1),
                settings.pool,
                settings.capture_bytes,
            ),
            arbiter.forget_idle,
            arbiter.expect,
            settings.isolation,
            settings.max_fds,
        )
        is_pooled = settings.pool > 0
        self._host = CellHost(
            loop, self._cells, arbiter, runtime.ledger, is_pooled, settings.capture_bytes
        )
        self._arbiter = arbiter
        self._has_walls = settings.isolation != "none"
        self._watch = CellWatch()
        self._running: set[CellLease] = set()
        arbiter.drop_idle_by(self._cells.drop_idle)

    def lease(
        self,
        capsule: "Capsule",
        terms: "Terms",
        job: "JobTerms",
        began_s: float,
        when_done: "Callable[[], None]",
    ) -> CellLease:
        """A lease that has yet to be started."""
        lease = CellLease(self._host, capsule, terms, job.job, job.priority, began_s, when_done)
        self._running.add(lease)
        return lease

    def tick(self) -> None:
        """Have every running guest reach a checkpoint."""
        self._cells.tick()

    def trim(self) -> None:
        """Have cells give freed memory back that their allocators keep."""
        self._cells.trim()

    def own_bytes(self) -> int:
        """What all cells hold of their own."""
        return self._cells.own_bytes()

    def look(self) -> None:
        """See what cells hold and use, a few times a second."""
        if not self._arbiter.is_calm:
            self._cells.end_idle()
        if self._has_walls and self._arbiter.holds_anybody_back:
            self._end_given_up()
        self._running -= {lease for lease in tuple(self._running) if lease.is_done}
        self._watch.look(tuple(self._running))

    def _end_given_up(self) -> None:
        """End the cells in which a guest was given up: somebody waits for the memory that it keeps.

        Leases that run beside it, of the same principal, end as if the arbiter had chosen them, so
        that they are run again.
        """
        for lease in self._running:
            if lease.cell is not None and lease.cell.given_up:
                needed_bytes = lease.held_bytes
                lease.abort(Abortion(_BESIDE_SLEEPER, _NO_SLEEPERS, needed_bytes, may_fit=True))
        self._cells.end_given_up()

    def close(self) -> None:
        """End all cells, once nobody runs the loop any more; idempotent."""
        for lease in self._running:
            lease.let_go()
        self._cells.close()
