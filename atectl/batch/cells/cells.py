"""The cells of a host: which lease runs in which, when one is made, and when one is given up."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from atectl.batch.cells.cell import CELL_BYTES, Cell
from atectl.batch.cells.host_line import HostLine
from atectl.batch.cells.outputs import most_told_bytes
from atectl.batch.cells.settings import SERVING, THREADS_OF_LINE, CellSettings
from atectl.batch.cells.wire import Gone, Malformed
from atectl.batch.loop import Loop
from atectl.batch.settings import Isolation
from atectl.capsule.errors import HostExhausted
from atectl.capsule.source import exhausted
from atectl.errors import AtectlError, CompilerGone
from atectl.system.held import Held, held_by

if TYPE_CHECKING:
    from atectl.capsule.compiler import Compiler, Server

LEAST_CELLS, MOST_CELLS = 8, 32
"""How many cells are alive at once: as many as jobs run at once, but within these bounds."""

_KEPT_BYTES = 16 << 20
"""Below this it is not worth while to have a cell give back what its allocator keeps."""

_NEWEST_S = 0.005
"""How old what cells hold may be when it is asked for again."""

_TRIES = 3
"""How often a cell is tried to be made for a lease. The process that forks may have been killed,
and may even take the second order while it ends; the third is for a new one."""


class Entrant(Protocol):
    """A lease that waits for a line in a cell."""

    @property
    def principal(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def quota_bytes(self) -> int: ...

    def enter(self, cell: Cell, line: HostLine) -> None:
        """Run there."""
        ...

    def turn_away(self, error: AtectlError) -> None:
        """There is no cell for it, and will be none."""
        ...


class Cells:
    """All cells of a host. To be closed.

    Leases enter, leave and are given up on the thread of the loop; the rest may be called from any.

    Args:
        compiler: has the process that forks cells.
        loop: calls back when a cell is ready.
        most: how many cells are alive at once.
        most_lines: how many leases one runs at once; who finds no line waits.
        settings: how each runs.
        forget_idle: called with the bytes that idle stores of a cell held that has ended.
        expect: called with what the host will hold more, or less, for its cells, and with what it
            holds for one.
        isolation: which leases never share a cell.
        guest_files: how many descriptors the guests of one may have open.
    """

    def __init__(
        self,
        compiler: "Compiler",
        loop: Loop,
        most: int,
        most_lines: int,
        settings: CellSettings,
        forget_idle: Callable[[int], None],
        expect: Callable[[int, int], None],
        isolation: Isolation,
        guest_files: int,
    ) -> None:
        self._compiler = compiler
        self._loop = loop
        self._isolation = isolation
        self._guest_files = guest_files
        self._most_lines = most_lines
        self._most = 1 if isolation == "none" else most
        self._cores = len(os.sched_getaffinity(0))
        self._told = settings.as_text()
        self._most_told_bytes = most_told_bytes(settings.capture_bytes)
        self._line_bytes = THREADS_OF_LINE * compiler.target.thread_stack_bytes
        self._forget_idle = forget_idle
        self._expect = expect
        self._waiting: dict[str, deque[Entrant]] = {}
        self._cells: list[Cell] = []
        self._awaited: set[Server] = set()  # processes that are being forked
        self._making = 0
        self._makes_ready = False  # whether one of these is for a lease to come
        self._follow = False  # whether cells have ended with their leases, so that others follow
        self._expected_cells = 0
        self._is_closed = False
        self._lock = threading.Lock()  # for the list of cells
        self._own_bytes = (0.0, 0)  # until when it holds, and what it is

    # For leases

    def enter(self, lease: Entrant) -> None:
        """Have a lease enter a line in a cell, as soon as there is one for it."""
        key = self._key_of(lease)
        self._waiting.setdefault(key, deque()).append(lease)
        self._let_in(key)

    def turn_back(self, lease: Entrant) -> None:
        """It waits for a cell no more."""
        waiting = self._waiting.get(self._key_of(lease))
        if waiting is not None and lease in waiting:
            waiting.remove(lease)

    def leave(self, cell: Cell, line: HostLine, job: int) -> None:
        """A lease has ended. Its line can be used again, unless that is closed."""
        cell.running.pop(job, None)
        cell.given_up.discard(job)
        if not line.is_closed:
            cell.lines.append(line)
        cell.kill_if_given_up()
        is_of_job = self._isolation == "job"
        if (cell.is_doomed or is_of_job) and not cell.running:
            self._bury(cell)
            self._follow = is_of_job

    def let_in(self) -> None:
        """Let leases in that wait, now that others have left."""
        for key in tuple(self._waiting):
            self._let_in(key)

    def doom(self, cell: Cell, job: int) -> None:
        """A lease was given up in it: it is killed once nobody else runs there."""
        cell.is_doomed = True
        cell.given_up.add(job)
        cell.kill_if_given_up()

    def end_given_up(self) -> None:
        """End the cells in which a guest was given up: its memory is wanted."""
        for cell in self._all():
            if cell.given_up:
                cell.kill()

    def _key_of(self, lease: Entrant) -> str:
        """What is the same of leases that may share a cell."""
        return "" if self._isolation == "none" else lease.principal

    def _let_in(self, key: str) -> None:
        """Let leases in that wait, as far as there are cells for them or may be."""
        waiting = self._waiting.get(key)
        while waiting:
            cell, makes = self._choose(key)
            if cell is None and not makes:
                return
            lease = waiting.popleft()
            if cell is not None:
                self._enter(cell, lease)
            else:
                self._making += 1
                self._make(key, lease, _TRIES)
        if waiting is not None and self._waiting.get(key) is waiting and not waiting:
            del self._waiting[key]
            self._keep_ready()

    def _choose(self, key: str) -> tuple[Cell | None, bool]:
        """A cell for a lease, or whether one is to be made for it."""
        if self._is_closed:
            return None, True
        own, free, ready = [], [], None
        for each in self._cells:
            if each.is_doomed:
                continue
            if each.key is None:
                ready = each
            elif each.key == key:
                if not each.running:
                    return each, False
                own.append(each)
                if len(each.running) < self._most_lines:
                    free.append(each)
        busy = sum(bool(each.running) for each in self._cells) + self._making
        may_share = bool(free) and self._isolation != "job"
        if may_share and (busy >= self._cores or len(own) >= self._most):
            return min(free, key=lambda each: len(each.running)), False
        if ready is not None:
            ready.key = key
            return ready, False
        if len(self._cells) + self._making >= self._most:
            idle = next((each for each in self._cells if not each.running), None)
            if idle is not None:
                self._bury(idle)
            elif may_share:
                return min(free, key=lambda each: len(each.running)), False
            else:
                return None, False
        return None, True

    def _enter(self, cell: Cell, lease: Entrant) -> None:
        cell.running[lease.number] = lease.quota_bytes
        cell.hold_to_quotas()
        try:
            line = self._line_in(cell)
        except Gone:
            cell.running.pop(lease.number)
            self._lost(cell)
            self.enter(lease)
        except OSError as error:
            cell.running.pop(lease.number)
            lease.turn_away(exhausted("a line in a cell", error.errno))
        else:
            lease.enter(cell, line)

    def _line_in(self, cell: Cell) -> HostLine:
        while cell.lines:
            line = cell.lines.pop()
            if not line.is_closed:
                return line
        gone = partial(self._lost, cell)
        most_bytes, long_messages = self._most_told_bytes, cell.long_messages
        stream = cell.new_line()
        line = HostLine(stream, self._loop, cell.condemn, gone, most_bytes, long_messages)
        cell.every_line = [*(each for each in cell.every_line if not each.is_closed), line]
        return line

    # Making and ending them

    def _keep_ready(self) -> None:
        """Where each lease has a cell of its own, have one made for the next while others run."""
        if not self._follow or self._makes_ready or self._waiting:
            return
        is_there = any(each.key is None for each in self._cells)
        if not is_there and len(self._cells) + self._making < self._most:
            self._making += 1
            self._makes_ready = True
            self._make(None, None, 1)

    def _make(self, key: str | None, lease: Entrant | None, tries: int) -> None:
        """Have a cell made for a lease, or for one to come. It was counted as being made."""
        try:
            if self._is_closed:
                raise CompilerGone("the host is ending")
            server = self._compiler.fork_server(SERVING, self._told)
        except OSError as error:
            self._not_made(lease, exhausted("a cell", error.errno))
        except AtectlError as error:
            self._not_made(lease, error)
        else:
            self._awaited.add(server)
            made = partial(self._made, server, key, lease, tries)
            self._loop.watch(server.pipe, made)
        self._tell_expected()

    def _not_made(self, lease: Entrant | None, error: AtectlError) -> None:
        self._making -= 1
        if lease is None:
            self._makes_ready = False
        else:
            lease.turn_away(error)

    def _made(self, server: "Server", key: str | None, lease: Entrant | None, tries: int) -> None:
        """A cell is there, or could not be made."""
        self._loop.unwatch(server.pipe)
        self._awaited.discard(server)
        zygote = self._compiler.zygote
        inherited = held_by(zygote) if zygote else None
        try:
            cell = Cell(server, key, inherited or Held(0, 0), self._line_bytes, self._guest_files)
        except HostExhausted as error:
            if tries > 1:
                self._make(key, lease, tries - 1)
            else:
                self._not_made(lease, error)
                self._tell_expected()
            return
        self._making -= 1
        with self._lock:
            self._cells.append(cell)
        if self._is_closed:
            cell.kill()
        if lease is None:
            self._makes_ready = False
        else:
            self._enter(cell, lease)
        self.let_in()  # others may have come for it meanwhile

    def _lost(self, cell: Cell) -> None:
        """A cell has ended, or is about to."""
        cell.is_doomed = True
        if not cell.running and cell in self._cells:
            self._bury(cell)

    def _bury(self, cell: Cell) -> None:
        """End a cell in which nothing runs."""
        with self._lock:
            self._cells.remove(cell)
        cell.close()
        self._tell_expected()
        if cell.idle_bytes:
            self._forget_idle(cell.idle_bytes)

    def _tell_expected(self) -> None:
        more_cells = len(self._cells) + self._making - self._expected_cells
        if more_cells:
            self._expected_cells += more_cells
            self._expect(more_cells * CELL_BYTES, CELL_BYTES)

    # For the host

    def tick(self) -> None:
        """Have every running guest reach a checkpoint."""
        for cell in self._all():
            if cell.running:
                cell.tick()

    def drop_idle(self) -> None:
        """End all cells in which nothing runs, and drop all idle stores of the others.

        No lease more begins in a cell that does not answer.
        """
        if self._loop.is_this_thread:
            self.end_idle()
        else:  # as what compiles has ended: somebody may wait for its memory
            self._loop.post(self.end_idle)
        for cell in self._all():
            if cell.idle_bytes <= 0:
                continue
            answer = cell.ask({"do": "drop"})
            if answer is None:
                cell.is_doomed = True
                continue
            try:
                self._forget_idle(cell.change_idle(0, answer.get("dropped")))
            except Malformed:
                cell.condemn()
            # On any other thread a result may have come meanwhile, with a store that was kept.
            if cell.idle_bytes > 0 and self._loop.is_this_thread:
                cell.condemn()  # it said that it kept what it had not

    def trim(self) -> None:
        """Have those give freed memory back that hold much more than their leases are charged."""
        for cell in self._all():
            if cell.held_more_bytes > _KEPT_BYTES:
                cell.trim()

    def end_idle(self) -> None:
        """End all cells in which nothing runs: memory is scarce."""
        for cell in self._all():
            if not cell.running:
                self._bury(cell)

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
        self._is_closed = True
        for server in self._awaited:
            server.control.close()
            os.close(server.pipe)
        self._awaited.clear()
        for cell in self._all():
            cell.close()

    def _all(self) -> list[Cell]:
        with self._lock:
            return list(self._cells)
