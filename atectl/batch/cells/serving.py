"""A cell: a process that runs leases of one principal, one after another on each of its lines.

It is forked by the process that also forks compilers, and does what the host tells it. Each line is
one lease at a time: the host's thread at one end, the guest's at the other. What concerns the cell
as a whole comes on its control stream, and is done by its first thread.
"""

import gc
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from socket import socket
from typing import TYPE_CHECKING, Any

from atectl.accounting import charged_state_bytes
from atectl.batch.cells.confinement import Confinement
from atectl.batch.cells.guest_line import GuestLine
from atectl.batch.cells.orders import (
    read_capsule,
    read_streams,
    read_terms,
    told_error,
    told_outcome,
    told_reading,
)
from atectl.batch.cells.outputs import LineOutputs, OutputPipe, most_told_bytes
from atectl.batch.cells.settings import MAX_CODES, CellSettings
from atectl.batch.cells.wire import Gone, Malformed, Wire
from atectl.capsule.artifact_file import MappedCode, map_code
from atectl.capsule.errors import HostExhausted
from atectl.capsule.loading import Capsule
from atectl.capsule.mapped_capsule import MappedCapsule, unfit
from atectl.capsule.phase import show_phase
from atectl.capsule.source import exhausted
from atectl.capsule.task import CONTROL
from atectl.engine.wasi import close_streams
from atectl.errors import AtectlError
from atectl.lease import outcome as outcomes
from atectl.lease.guest import start_guest_thread
from atectl.lease.lease import Lease
from atectl.lease.tenancy import Tenancy
from atectl.lease.terms import Terms
from atectl.system.memory import give_back_at_once, trim
from atectl.system.walls import folders, process, system_calls

if TYPE_CHECKING:
    from atectl.engine.metered import Engine
    from atectl.lease.store_pool import StorePool
    from atectl.ledger_store.process_ledger import OpenLease

_LARGE_BYTES = 128 << 10
"""From this size on, memory that is freed goes back to the system at once: what the engine keeps
for the instances of a lease is not to stay here once that has ended."""

_FORGOTTEN_AT_ONCE = 32
"""How many of the oldest codes are let go of together: collecting them takes a while."""


def prepare() -> None:
    """Work out what all cells need alike, in the process that forks them."""
    folders.prepare()
    system_calls.prepare()


def serve(engine: "Engine", told: str) -> None:
    """Be a cell until the host is gone, or wants it no more.

    Args:
        told: `CellSettings` as text.
    """
    show_phase("cell")
    gc.enable()  # which the process that forked this one has no need for
    settings = CellSettings.read(told)
    give_back_at_once(_LARGE_BYTES)
    walls = (
        process.limit_descriptors(settings.max_fds),
        process.leave_no_core(),
        process.gain_no_privileges(),
        folders.stay_apart(),
        system_calls.deny_in_process(network=False),
    )
    cell = _Cell(engine, settings, [each.wall for each in walls if not each.held])
    control = Wire(socket(fileno=CONTROL))
    with suppress(Gone):
        cell.serve(control)


class _Unfit(Exception):
    """The engine rejects the code of a capsule; the host has that compiled anew."""

    def __init__(self, error: AtectlError) -> None:
        super().__init__()
        self.error = error


class _NoLedger:
    """The ledger of a cell: its host keeps the accounts."""

    def record_peak(self, principal: str, peak_bytes: int) -> None: ...
    def open(self, lease: "OpenLease") -> None: ...
    def close(self, lease: "OpenLease") -> None: ...
    def amend(self, lease: "OpenLease") -> None: ...


class _Cell:
    """What the lines of a cell share.

    Args:
        missing: the walls of its process that could not be put up.
    """

    def __init__(
        self, engine: "Engine", settings: CellSettings, missing: Iterable[str] = ()
    ) -> None:
        self._engine = engine
        self._ledger = _NoLedger()
        self._lock = threading.Lock()
        self._leases: dict[int, Lease] = {}
        self._codes: dict[str, MappedCode] = {}
        self._pool = self._new_pool(settings.pool) if settings.pool else None
        self._dropped_bytes = 0
        self._capture_bytes = settings.capture_bytes
        self._has_lines = False
        self._pipes: dict[int, OutputPipe] = {}  # by the descriptor to read
        self._watched = select.epoll()
        self._wakes = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._posted: deque[Callable[[], None]] = deque()
        self._confinement = Confinement(engine, self._post)
        missing_here = () if self._confinement.is_there else (folders.FOLDERS,)
        self._missing = (*missing, *missing_here)

    def serve(self, control: Wire) -> None:
        """Do what the host says, and drain what guests write.

        Raises:
            Gone: the host is gone.
        """
        self._watched.register(CONTROL, select.EPOLLIN)
        self._watched.register(self._wakes, select.EPOLLIN)
        while True:
            for descriptor, _ in self._watched.poll():
                if descriptor == CONTROL:
                    while (message := control.receive_now()) is not None:
                        self.obey(control, *message)
                elif descriptor == self._wakes:
                    os.eventfd_read(self._wakes)
                    while self._posted:
                        self._posted.popleft()()
                elif (pipe := self._pipes.get(descriptor)) is not None:
                    pipe.take_piece()

    def _post(self, call: Callable[[], None]) -> None:
        """Have something called on the first thread."""
        self._posted.append(call)
        os.eventfd_write(self._wakes, 1)

    def obey(self, control: Wire, order: dict[str, Any], descriptors: tuple[int, ...]) -> None:
        """Do what the host says, on the first thread."""
        match order["do"]:
            case "line":
                most_bytes = most_told_bytes(self._capture_bytes)
                self._begin_line(Wire(socket(fileno=descriptors[0]), most_sent_bytes=most_bytes))
            case "tick":
                self._engine.tick()
            case "end":
                self._end(order["job"])
            case "read":
                control.send({"answer": order["ask"], "leases": self._readings()})
            case "measure":
                lease = self._leases.get(order["job"])
                # Of its processes the host counts what is in no file, too.
                resident = None if lease is None else lease.own_bytes()
                control.send({"answer": order["ask"], "resident": resident})
            case "drop":
                control.send({"answer": order["ask"], "dropped": self._drop_idle()})
            case "trim":
                trim()
                control.send({"answer": order["ask"]})

    def _begin_line(self, wire: Wire) -> None:
        serve = partial(self._serve_line, wire)
        try:
            start_guest_thread(self._engine, serve, "cell-line")
        except HostExhausted as error:
            self._turn_away(wire, error)

    def _turn_away(self, wire: Wire, error: AtectlError) -> None:
        """Refuse the lease that comes on a line with no thread, and close the line."""
        with suppress(Gone):
            for descriptor in wire.receive().descriptors:
                os.close(descriptor)
            wire.send({"failed": told_error(error)})
        wire.close()

    def _end(self, job: int) -> None:
        lease = self._leases.get(job)
        if lease is not None:
            lease.end(outcomes.TERMINATED)

    def _readings(self) -> dict[int, Any]:
        with self._lock:
            leases = dict(self._leases)
        return {job: [*told_reading(lease.read()), lease.cpu_s] for job, lease in leases.items()}

    # Idle stores

    def _new_pool(self, most_each: int) -> "StorePool":
        from atectl.lease.store_pool import StorePool

        return StorePool(most_each, self._count_dropped)

    def _count_dropped(self, dropped_bytes: int) -> None:
        with self._lock:
            self._dropped_bytes += dropped_bytes

    def _drop_idle(self) -> int:
        """Drop every idle store; what those held that were dropped since this was last told."""
        if self._pool is not None:
            self._pool.clear()
        return self._take_dropped()

    def _take_dropped(self) -> int:
        with self._lock:
            dropped_bytes, self._dropped_bytes = self._dropped_bytes, 0
        return dropped_bytes

    # On the lines' threads

    def _serve_line(self, wire: Wire) -> None:
        """Run one lease after another."""
        with self._lock:
            is_first, self._has_lines = not self._has_lines, True
        outputs = LineOutputs(self._capture_bytes, is_first=is_first)
        for pipe in outputs.pipes:
            self._pipes[pipe.reader] = pipe
            self._watched.register(pipe.reader, select.EPOLLIN)
        try:
            while True:
                order, descriptors = wire.receive()
                self._answer(wire, self._run(wire, outputs, order, descriptors))
        except Gone:
            wire.close()
            for pipe in outputs.pipes:
                del self._pipes[pipe.reader]
            outputs.close()

    def _answer(self, wire: Wire, result: dict[str, Any]) -> None:
        try:
            wire.send(result)
        except Malformed:
            from atectl.system.walls.errors import ResultOverLimit

            error = ResultOverLimit("the results of the call are larger than a cell may tell")
            wire.send({**result, "outcome": told_outcome(outcomes.refused(error))})

    def _run(
        self,
        wire: Wire,
        outputs: LineOutputs,
        order: dict[str, Any],
        descriptors: tuple[int, ...],
    ) -> dict[str, Any]:
        """Run a lease; what came of it."""
        try:
            code = descriptors[-1] if "code" in order else None
            files = read_streams(order["terms"], descriptors[: len(order["terms"]["streams"])])
            try:
                terms = read_terms(order["terms"], *outputs.beside(files))
                known = read_capsule(order["capsule"])
                capsule = MappedCapsule(known, *self._code(wire, known, code))
                line = GuestLine(
                    wire,
                    order["credit"],
                    self._confinement.apart,
                    tells_begin=self._pool is not None,
                )
                tenancy = Tenancy(line, order["job"], order["priority"], self._pool)
                lease = Lease(self._engine, capsule, terms, self._ledger, tenancy)
                with self._lock:
                    self._leases[order["job"]] = lease
                if self._missing:
                    wire.send({"missing": self._missing})
                try:
                    self._run_guest(lease, wire, terms, has_files=bool(files))
                finally:
                    with self._lock:
                        del self._leases[order["job"]]
                        if charged_state_bytes(known.creates.state_bytes):
                            # Nobody is charged for it once its lease has ended.
                            self._codes.pop(known.sha256, None)
            finally:
                close_streams(files)
        except _Unfit as unfit:
            return {"failed": told_error(unfit.error), "unfit": True}
        except AtectlError as error:
            return {"failed": told_error(error)}
        except OSError as error:
            return {"failed": told_error(exhausted(order["capsule"]["name"], error.errno))}
        return {
            "outcome": told_outcome(lease.outcome),
            "reading": told_reading(lease.read()),
            "cpu_s": lease.cpu_s,
            "fuel": lease.fuel,
            "kept": line.kept_bytes,
            "dropped": self._take_dropped(),
            **outputs.told(has_failed=lease.outcome[:2] != outcomes.SUCCESS),
        }

    def _run_guest(self, lease: Lease, wire: Wire, terms: Terms, *, has_files: bool) -> None:
        """Run a lease: on this thread, unless something is to be opened for it."""
        granted, confinement = terms.wasi.folders, self._confinement

        def keep_to_folders() -> None:
            wall = confinement.keep_to(granted)
            if not wall.held:
                wire.send({"missing": (wall.wall,)})

        if (granted or has_files) and confinement.is_there:
            confinement.apart(lambda: lease.run(keep_to_folders))
        else:
            confinement.keep_to_code()
            lease.run()

    def _code(self, wire: Wire, capsule: Capsule, handed: int | None) -> MappedCode:
        """The code of a capsule: the one that is here, or was handed with its order, or is asked
        for."""
        with self._lock:
            known = self._codes.get(capsule.sha256)
        if known is None:
            return self._map(capsule, self._asked_for(wire) if handed is None else handed)
        if handed is not None:
            os.close(handed)
        return known

    def _asked_for(self, wire: Wire) -> int:
        wire.send({"lacks": "code"})
        (descriptor,) = wire.receive().descriptors
        return descriptor

    def _map(self, capsule: Capsule, descriptor: int) -> MappedCode:
        map_here = partial(map_code, self._engine, capsule.kind, descriptor)
        try:
            code = self._confinement.openly(map_here)
        finally:
            os.close(descriptor)
        if code is None:
            raise _Unfit(unfit(capsule.name))
        with self._lock:
            self._codes[capsule.sha256] = code
            if len(self._codes) > MAX_CODES:
                for oldest in tuple(self._codes)[:_FORGOTTEN_AT_ONCE]:
                    del self._codes[oldest]
                gc.collect()  # its descriptors are wanted
        return code
