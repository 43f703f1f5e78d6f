"""A lease that runs in a cell, as its host knows it: from its start to its outcome.

The thread that runs it stands in for the guest's own: it waits at the arbiter where the guest
waits, and answers it on its line. What the cell says is checked, and what the host can know by
itself is not taken from the cell: what the lease holds, when it was told to end, and its time.
"""

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from atectl.accounting import MAX_TOTAL, Observation, Reading, charged_state_bytes
from atectl.batch.cells.errors import CellLost
from atectl.batch.cells.host_line import HostLine
from atectl.batch.cells.orders import (
    read_error,
    read_outcome,
    read_reading,
    read_seconds,
    told_capsule,
    told_terms,
)
from atectl.batch.cells.wire import Gone, Malformed, whole
from atectl.capsule.loading import Capsule
from atectl.capsule.source import WANTS, exhausted
from atectl.engine.wasi import NO_FILES, close_streams, open_streams
from atectl.errors import AbortedByArbiter, AtectlError, InternalError
from atectl.lease import outcome as outcomes
from atectl.lease.lease import GRACE_S
from atectl.lease.outcome import Cause, Outcome
from atectl.lease.record import new_id, observation_of, record_of
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import RUNNING, LeaseRecord

if TYPE_CHECKING:
    from atectl.arbitration.arbiter import Arbiter
    from atectl.arbitration.place import Place
    from atectl.arbitration.seat import Seat
    from atectl.batch.cells.artifacts import Artifacts
    from atectl.batch.cells.cell import Cell
    from atectl.batch.cells.cells import Cells
    from atectl.batch.cells.cells import Seat as CellSeat
    from atectl.spill.area import SpillArea

_NOTHING = Reading(0, 0, 0, 0, 0, 0.0)


class CellHost(NamedTuple):
    """What the leases in cells share."""

    cells: "Cells"
    artifacts: "Artifacts"
    arbiter: "Arbiter"
    ledger: ProcessLedger
    is_pooled: bool
    """Whether cells keep stores for later leases."""


class CellLease:
    """One run of a capsule in a cell. It runs on the calling thread.

    Args:
        host: what it shares with others.
        capsule: what runs.
        terms: what it is granted.
        number: its own, unique among the leases of the host.
        priority: a lease of higher priority is more important.
        began_s: when its deadline and its wall-clock time begin to count, by `time.monotonic`.
    """

    def __init__(
        self,
        host: CellHost,
        capsule: Capsule,
        terms: Terms,
        number: int,
        priority: int,
        began_s: float,
    ) -> None:
        self.id = new_id()
        self.capsule = capsule
        self.terms = terms
        self.started_at = time.time()
        self._host = host
        self._number = number
        self._priority = priority
        self._started_s = began_s
        self._finished_s: float | None = None
        self._ended_at = 0.0
        self._cause: Cause | None = None
        self._cell: Cell | None = None
        self._line: HostLine | None = None
        self._place: Place | None = None
        self._seen: Reading | None = None
        self._cpu_s = 0.0
        self._fuel = 0
        self._outcome: Outcome | None = None
        self._lock = threading.Lock()

    # For whoever runs it

    def run(self) -> None:
        """Run it, on a thread of its own."""
        self._host.ledger.open(self)
        try:
            outcome = self._run()
        except AtectlError as error:
            outcome = outcomes.refused(error)
        except Exception as error:
            outcome = outcomes.refused(self._fault(error))
        self._finish(outcome)

    def end(self, reason: str, error: AtectlError | None = None) -> None:
        """Tell the guest to end: see `Lease.end`. The first reason counts."""
        if self.is_done:
            return
        if self._cause is None:
            self._cause = Cause(reason, error, time.monotonic())
        self._tell_to_end()
        if self._place is not None:
            self._place.wake()

    def attend(self) -> bool:
        """Enforce the deadline: see `Lease.attend`.

        A guest that does not end is given up, and its cell is killed once nobody else runs there.
        """
        now_s, deadline_s = time.monotonic(), self.terms.quota.deadline_s
        if self._cause is not None:
            if now_s >= self._cause.at_s + GRACE_S and not self.is_done:
                self._finish(self._told_to_end())
                if self._place is not None:
                    self._place.abandon()
                if self._cell is not None:
                    self._host.cells.doom(self._cell, self._number)
                return True
            self._tell_to_end()  # it may not have begun in its cell when it was told
        elif deadline_s is not None and now_s >= self._started_s + deadline_s:
            self.end(outcomes.DEADLINE)
        return False

    def overrule(self, outcome: Outcome) -> None:
        """Replace the outcome of a lease that has ended, also in the ledger."""
        self._outcome = outcome
        self._host.ledger.amend(self)

    # How it is

    @property
    def is_done(self) -> bool:
        """Whether it has its outcome."""
        return self._outcome is not None

    @property
    def outcome(self) -> Outcome:
        """How it ended; only once it has."""
        assert self._outcome is not None  # noqa: S101 - it has run
        return self._outcome

    @property
    def is_ending(self) -> bool:
        """Whether the guest was told to end."""
        return self._cause is not None

    @property
    def cell(self) -> "Cell | None":
        """Where it runs; None before and afterwards."""
        return self._cell

    @property
    def number(self) -> int:
        """Its number among the leases of the host."""
        return self._number

    @property
    def wall_s(self) -> float:
        """Wall-clock seconds from the start until now, or to the end."""
        return (self._finished_s or time.monotonic()) - self._started_s

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the guest as its cell told of them last."""
        return self._cpu_s

    @property
    def fuel(self) -> int:
        """Fuel burned, known once the guest has ended."""
        return self._fuel

    @property
    def state(self) -> str:
        """Its state until it has ended: `running`, `parked` or `spilled`."""
        return RUNNING if self._place is None else self._place.state

    @property
    def seat(self) -> "Seat | None":
        """What the arbiter knows about it, once it runs."""
        return None if self._place is None else self._place.seat

    @property
    def held_bytes(self) -> int:
        """What the host has granted it, and it has not given back."""
        return 0 if self._place is None else self._place.seat.held_bytes

    def read(self) -> Reading:
        """Its memory as its cell told of it last."""
        return self._seen or _NOTHING

    @property
    def was_read(self) -> bool:
        """Whether its cell has told anything of its memory yet."""
        return self._seen is not None

    def take_reading(self, told: object) -> None:
        """Take what its cell says of it while it runs.

        Raises:
            Malformed: that is no reading.
        """
        if not isinstance(told, list) or self.is_done:
            return
        self._take(read_reading(told[:-1]), read_seconds(told[-1]))

    # For its line

    @property
    def place(self) -> "Place | None":
        """Where it waits at its arbiter; None before it has begun."""
        return self._place

    @property
    def quota_bytes(self) -> int:
        return self.terms.quota.memory_bytes

    def begin(self, told: object) -> None:
        """Its guest begins in a store that may hold memory already: so much as is told."""
        assert self._cell is not None  # noqa: S101 - that told it
        self._register(self._cell.begin_in_idle(told))

    def code(self) -> int:
        """A descriptor of the code of its capsule, to be closed."""
        return self._host.artifacts.descriptor(self.capsule)

    # For the ledger

    def observation(self) -> Observation:
        """What its principal's account counts for it."""
        return observation_of(self, self._outcome)

    def record(self) -> LeaseRecord:
        """The lease as it is listed: now, or as it ended."""
        return record_of(self, self._outcome, self._ended_at)

    # For its arbiter

    @property
    def principal(self) -> str:
        return self.terms.principal

    @property
    def label(self) -> str:
        return self.terms.label

    @property
    def capsule_name(self) -> str:
        return self.capsule.name

    def resident_bytes(self) -> int | None:
        """How much of its memory is resident; None if its cell does not tell."""
        if self._cell is None:
            return 0
        answer = self._cell.ask({"do": "measure", "job": self._number})
        resident = None if answer is None else answer.get("resident")
        if isinstance(resident, bool) or not isinstance(resident, int):
            return None
        return min(max(resident, 0), self._cell.own_bytes())

    @property
    def stored_bytes(self) -> int:
        """What of its memory lies on disk."""
        return 0 if self._line is None else self._line.stored_bytes

    def spill(self, area: "SpillArea") -> int:
        """Have its cell write its memory to disk; the resident bytes that this freed.

        Raises:
            SpillCapReached: there is no room under the cap (exit 125).
            AtectlError: what went wrong in the cell.
        """
        assert self._line is not None  # noqa: S101 - its guest waits on it
        assert self._cell is not None  # noqa: S101 - likewise
        try:
            return self._line.spill(area)
        except Malformed:
            self._cell.condemn()
            raise

    def abort(self, why: str, remedy: str) -> None:
        """End it to free memory. The arbiter gives the reason and the remedy."""
        self.end(outcomes.ARBITER, AbortedByArbiter(why, remedy=remedy))

    # On its thread

    def _run(self) -> Outcome:
        streams = self.terms.wasi.streams or NO_FILES
        opened = open_streams(streams)
        try:
            wasi = self.terms.wasi._replace(streams=streams._replace(opened=opened))
            terms = self.terms._replace(wasi=wasi)
            entered = self._host.cells.enter(
                self.principal,
                self._number,
                self.quota_bytes,
                lambda: self._cause is None,
            )
            if entered is None:
                return self._told_to_end()
            return self._run_in(entered, terms)
        finally:
            close_streams(opened)

    def _run_in(self, entered: "CellSeat", terms: Terms) -> Outcome:
        line = HostLine(entered.line, self)
        self._cell, self._line = entered.cell, line
        is_whole = False
        kept_bytes = 0
        try:
            if self._cause is not None:  # while it waited for this
                is_whole = True
                return self._told_to_end()
            if not self._host.is_pooled:
                self._register()
            self._send(line, terms)
            told = line.serve()
            if "failed" in told:
                is_whole = True
                raise read_error(told["failed"])
            outcome, kept_bytes = self._take_result(entered.cell, told)
            is_whole = True
            return outcome
        except Malformed:
            entered.cell.condemn()
            return self._lost(entered.cell)
        except Gone:
            return self._lost(entered.cell)
        finally:
            try:
                line.leave_disk()
                if self._place is not None:
                    self._place.leave(kept_bytes)
            finally:
                self._host.cells.leave(entered, self._number, is_whole=is_whole)

    def _register(self, idle_bytes: int = 0) -> None:
        number, priority = self._number, self._priority
        fixed_bytes = charged_state_bytes(self.capsule.creates.state_bytes)
        arbiter = self._host.arbiter
        self._place = arbiter.register(self, number, priority, idle_bytes, fixed_bytes)

    def _send(self, line: HostLine, terms: Terms) -> None:
        """Have the cell begin."""
        order = {
            "job": self._number,
            "priority": self._priority,
            "capsule": told_capsule(self.capsule),
            "terms": told_terms(terms),
            "credit": line.first_credit(),
        }
        opened = (terms.wasi.streams or NO_FILES).opened or ()
        line.send(order, [each.descriptor for each in opened])

    def _take_result(self, cell: "Cell", told: dict[str, Any]) -> tuple[Outcome, int]:
        """The outcome, and what of its memory is kept in an idle store."""
        outcome = read_outcome(told.get("outcome"))
        self._take(read_reading(told.get("reading")), read_seconds(told.get("cpu_s")))
        self._fuel = whole(told.get("fuel"), MAX_TOTAL)
        kept_bytes = whole(told.get("kept"), self.held_bytes)
        dropped_bytes = cell.change_idle(kept_bytes, told.get("dropped"))
        if dropped_bytes:
            self._host.arbiter.forget_idle(dropped_bytes)
        if outcome.reason == outcomes.TERMINATED:
            return self._told_to_end(), kept_bytes
        return outcome, kept_bytes

    def _take(self, reading: Reading, cpu_s: float) -> None:
        most_bytes = self.terms.quota.memory_bytes
        if max(reading.current_bytes, reading.grown_bytes) > most_bytes:
            raise Malformed("a cell told of more memory than the quota is")
        self._seen, self._cpu_s = reading, cpu_s

    def _fault(self, error: Exception) -> AtectlError:
        if isinstance(error, OSError) and error.errno in WANTS:
            return exhausted(self.capsule.name, error.errno)
        return InternalError(f"{type(error).__name__}: {error}")

    # On any thread

    def _tell_to_end(self) -> None:
        if self._cell is not None and not self.is_done:
            self._cell.end(self._number)

    def _lost(self, cell: "Cell") -> Outcome:
        """Its cell has ended under it."""
        if self._cause is not None and not cell.misbehaved:
            return self._told_to_end()
        error = cell.why_lost()
        return Outcome(outcomes.CELL_LOST, error.exit_status, error)

    def _told_to_end(self) -> Outcome:
        cause = self._cause
        if cause is None:
            error = CellLost("the cell ended its guest, and nobody had asked for that")
            return Outcome(outcomes.CELL_LOST, error.exit_status, error)
        held_s = 0.0 if self._place is None else self._place.held_s
        asked_bytes = self.read().largest_refused_bytes
        return outcomes.told_to_end(
            cause.reason, self.terms.quota, asked_bytes, cause.error, held_s
        )

    def _finish(self, outcome: Outcome) -> None:
        with self._lock:
            if self._outcome is not None:
                return
            self._finished_s, self._ended_at = time.monotonic(), time.time()
            self._outcome = outcome
        self._host.ledger.close(self)
