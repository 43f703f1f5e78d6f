"""What cells hold beyond what their leases are charged, and what these are seen to use."""

import time
from collections.abc import Callable, Iterable

from atectl.batch.cells.cell import CELL_BYTES, Cell
from atectl.batch.cells.host_lease import CellLease
from atectl.batch.cells.wire import Malformed
from atectl.lease import outcome as outcomes
from atectl.system.walls.amounts import SLACK_BYTES
from atectl.system.walls.errors import host_growth
from atectl.units import show_size

_LOOKS_BETWEEN_READINGS = 5


class CellWatch:
    """Looks at cells in turn, a few times a second.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._looks = 0
        self._clock = clock
        self._looked_s = clock()

    def look(self, leases: Iterable[CellLease]) -> None:
        """See what the cells of these leases hold, and end those in a cell that holds too much.

        What a cell holds more than any with small guests is charged to its leases, in equal parts.
        Now and then each cell also tells what its leases use.
        """
        self._looks += 1
        now_s = self._clock()
        elapsed_s, self._looked_s = now_s - self._looked_s, now_s
        for cell, inside in _by_cell(leases).items():
            cell.bound_threads()
            _measure(cell, inside)
            charged_bytes = max(cell.held_more_bytes - CELL_BYTES, 0) / len(inside)
            for lease in inside:
                seconds = min(elapsed_s, lease.wall_s)
                lease.use.see_host(cell.held_more_bytes, charged_bytes, seconds)
            if cell.held_more_bytes > SLACK_BYTES:
                cell.trim()  # it may be what earlier leases left
                _measure(cell, inside)
            if cell.held_more_bytes > SLACK_BYTES:
                _end(cell, inside)
            is_due = self._looks % _LOOKS_BETWEEN_READINGS == 0
            if is_due or not all(lease.use.was_told for lease in inside):
                _take_readings(cell, inside)


def _by_cell(leases: Iterable[CellLease]) -> dict[Cell, list[CellLease]]:
    found: dict[Cell, list[CellLease]] = {}
    for lease in leases:
        if lease.cell is not None and not lease.is_done:
            found.setdefault(lease.cell, []).append(lease)
    return found


def _measure(cell: Cell, leases: Iterable[CellLease]) -> None:
    charged_bytes = sum(lease.charged_bytes for lease in leases) + cell.idle_bytes
    cell.held_more_bytes = cell.own_bytes() - charged_bytes


def _end(cell: Cell, leases: Iterable[CellLease]) -> None:
    """End the leases of a cell for what the host holds for them beside their memory.

    If that was done before and it still holds so much, it is ended itself, with all of them.
    """
    if cell.is_doomed:
        cell.kill()
    cell.is_doomed = True
    error = host_growth(show_size(cell.held_more_bytes))
    for lease in leases:
        lease.end(outcomes.QUOTA, error)


def _take_readings(cell: Cell, leases: Iterable[CellLease]) -> None:
    """Take what a cell tells of its leases."""
    told = cell.readings()
    if not isinstance(told, dict):
        return
    try:
        for lease in leases:
            lease.take_reading(told.get(str(lease.number)))
    except Malformed:
        cell.condemn()
