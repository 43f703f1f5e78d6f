"""The cells of a host: which lease runs in which, when one is made, and when one is given up."""

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from atectl.batch.cells.cell import Cell
from atectl.batch.cells.settings import CellSettings
from atectl.batch.cells.wire import Gone, Malformed, Wire
from atectl.batch.settings import Isolation
from atectl.capsule.errors import HostExhausted
from atectl.errors import CompilerGone
from atectl.system.held import Held, held_by

if TYPE_CHECKING:
    from atectl.capsule.compiler import Compiler

SERVING = "atectl.batch.cells.serving"

LEAST_CELLS, MOST_CELLS = 8, 32
"""How many cells are alive at once: as many as jobs run at once, but within these bounds."""

_WAIT_S = 0.05
_CELL_BYTES = 4 << 20
"""What a cell comes to hold of its own, with a small guest in it: 3.5 to 4.2 MiB."""

_KEPT_BYTES = 16 << 20
"""Below this it is not worth while to have a cell give back what its allocator keeps."""

_NEWEST_S = 0.005
"""How old what cells hold may be when it is asked for again."""


class Seat(NamedTuple):
    """A line in a cell, for one lease."""

    cell: Cell
    line: Wire


class Cells:
    """All cells of a host. To be closed.

    Args:
        compiler: has the process that forks cells.
        most: how many cells are alive at once.
        settings: how each runs.
        forget_idle: called with the bytes that idle stores of a cell held that has ended.
        expect: called with what the host will hold more, or less, for its cells.
        isolation: which leases never share a cell.
    """

    def __init__(
        self,
        compiler: "Compiler",
        most: int,
        settings: CellSettings,
        forget_idle: Callable[[int], None],
        expect: Callable[[int], None],
        isolation: Isolation,
    ) -> None:
        self._compiler = compiler
        self._isolation = isolation
        self._most = 1 if isolation == "none" else most
        self._cores = len(os.sched_getaffinity(0))
        self._told = settings.as_text()
        self._forget_idle = forget_idle
        self._expect = expect
        self._expected_cells = 0
        self._cells: list[Cell] = []
        self._making = 0
        self._forgotten_bytes = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._own_bytes = (0.0, 0)  # until when it holds, and what it is

    # For a lease

    def enter(
        self, principal: str, job: int, quota_bytes: int, is_wanted: Callable[[], bool]
    ) -> Seat | None:
        """Wait for a line in a cell; None if it is wanted no more.

        Args:
            quota_bytes: what the lease may hold.
            is_wanted: asked now and then whether it still is.

        Raises:
            HostExhausted: no cell could be made (exit 125).
            CompilerGone: the host is ending (exit 125).
        """
        key = "" if self._isolation == "none" else principal
        while True:
            with self._changed:
                if self._is_closed:
                    raise CompilerGone("the host is ending")
                cell, makes = self._choose(key)
                if cell is not None:
                    cell.running[job] = quota_bytes
                elif makes:
                    self._making += 1
                else:
                    self._changed.wait(_WAIT_S)
            self._tell_changes()
            if makes:
                cell = self._make(key, job, quota_bytes)
            if cell is not None:
                line = self._line_in(cell, job)
                if line is not None:
                    return Seat(cell, line)
            if not is_wanted():
                return None

    def _line_in(self, cell: Cell, job: int) -> Wire | None:
        """A line in a cell; None if that has ended meanwhile."""
        with self._changed:
            cell.hold_to_quotas()
            if cell.lines:
                return cell.lines.pop()
        try:
            return cell.new_line()
        except Gone:
            self._take_out(cell, job, ends=True)
            return None
        except BaseException:
            self._take_out(cell, job, ends=False)
            raise

    def _take_out(self, cell: Cell, job: int, *, ends: bool) -> None:
        """A lease did not get a line in a cell."""
        with self._changed:
            cell.running.pop(job, None)
            if ends:
                cell.kill()
            self._changed.notify_all()

    def leave(self, seat: Seat, job: int, *, is_whole: bool) -> None:
        """A lease has ended. Where it `is_whole`, its line can be used again."""
        with self._changed:
            seat.cell.running.pop(job, None)
            if is_whole:
                seat.cell.lines.append(seat.line)
            else:
                seat.line.close()
                seat.cell.is_doomed |= seat.cell.has_ended
            seat.cell.kill_if_given_up()
            is_over = seat.cell.is_doomed or self._isolation == "job"
            if is_over and not seat.cell.running:
                self._bury(seat.cell)
            self._changed.notify_all()
        self._tell_changes()

    def doom(self, cell: Cell, job: int) -> None:
        """A lease was given up in it: it is killed once nobody else runs there."""
        with self._changed:
            cell.is_doomed = True
            cell.given_up.add(job)
            cell.kill_if_given_up()

    def _choose(self, key: str) -> tuple[Cell | None, bool]:
        """A cell for a lease, or whether one is to be made for it."""
        self._drop_ended()
        own = [each for each in self._cells if each.key == key and not each.is_doomed]
        free = next((each for each in own if not each.running), None)
        if free is not None:
            return free, False
        busy = sum(bool(each.running) for each in self._cells) + self._making
        may_share = bool(own) and self._isolation != "job"
        if may_share and (busy >= self._cores or len(own) >= self._most):
            return min(own, key=lambda each: len(each.running)), False
        if len(self._cells) + self._making >= self._most:
            idle = next((each for each in self._cells if not each.running), None)
            if idle is not None:
                self._bury(idle)
            elif may_share:
                return min(own, key=lambda each: len(each.running)), False
            else:
                return None, False
        return None, True

    def _make(self, key: str, job: int, quota_bytes: int) -> Cell:
        try:
            try:
                cell = self._forked(key)
            except HostExhausted:  # or the process that forks was killed, and there is a new one
                cell = self._forked(key)
        finally:
            with self._changed:
                self._making -= 1
        with self._changed:
            cell.running[job] = quota_bytes
            self._cells.append(cell)
            if self._is_closed:
                cell.kill()
        return cell

    def _forked(self, key: str) -> Cell:
        server = self._compiler.fork_server(SERVING, self._told)
        zygote = self._compiler.zygote
        inherited = held_by(zygote) if zygote else None
        return Cell(server, key, inherited or Held(0, 0))

    def _drop_ended(self) -> None:
        for cell in tuple(self._cells):
            if not cell.running and cell.has_ended:
                self._bury(cell)

    def _bury(self, cell: Cell) -> None:
        """Under the lock: end a cell. What its idle stores held is to be told without the lock."""
        self._cells.remove(cell)
        cell.close()
        self._forgotten_bytes += cell.idle_bytes

    def _tell_changes(self) -> None:
        """Not under the lock, since the arbiter has its own, under which it calls this."""
        with self._changed:
            forgotten_bytes, self._forgotten_bytes = self._forgotten_bytes, 0
            more_cells = len(self._cells) + self._making - self._expected_cells
            self._expected_cells += more_cells
        if more_cells:
            self._expect(more_cells * _CELL_BYTES)
        if forgotten_bytes:
            self._forget_idle(forgotten_bytes)

    # For the host

    def tick(self) -> None:
        """Have every running guest reach a checkpoint."""
        for cell in self._all():
            if cell.running:
                cell.tick()

    def drop_idle(self) -> None:
        """Drop all idle stores."""
        for cell in self._all():
            answer = cell.ask({"do": "drop"}) if cell.idle_bytes else None
            if answer is None:
                continue
            try:
                self._forget_idle(cell.change_idle(0, answer.get("dropped")))
            except Malformed:
                cell.condemn()

    def trim(self) -> None:
        """Have those give freed memory back that hold much more than their leases are charged."""
        for cell in self._all():
            if cell.held_more_bytes > _KEPT_BYTES:
                cell.trim()

    def end_idle(self) -> None:
        """End all cells in which nothing runs: memory is scarce."""
        with self._changed:
            for cell in tuple(self._cells):
                if not cell.running:
                    self._bury(cell)
        self._tell_changes()

    def own_bytes(self) -> int:
        """What all cells hold of their own."""
        until_s, own_bytes = self._own_bytes
        now_s = time.monotonic()
        if now_s < until_s:
            return own_bytes
        own_bytes = sum(cell.own_bytes() for cell in self._all())
        self._own_bytes = (now_s + _NEWEST_S, own_bytes)
        return own_bytes

    def close(self) -> None:
        """End all cells; idempotent."""
        with self._changed:
            self._is_closed = True
            for cell in tuple(self._cells):
                cell.kill()
                if not cell.running:  # or its last lease does so, which sees its end
                    self._bury(cell)
            self._changed.notify_all()

    def _all(self) -> list[Cell]:
        with self._changed:
            return list(self._cells)
