"""A lease that runs in a cell, as its host knows it: from its start to its outcome.

The thread of the loop calls all that changes it. What the cell says is checked. What the host can
know by itself is not taken from the cell: what the lease holds, when it was told to end, its time.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from atectl.accounting import Observation, Reading, charged_state_bytes
from atectl.batch.cells.believing import believable_resident
from atectl.batch.cells.errors import CellLost
from atectl.batch.cells.lease_use import LeaseUse
from atectl.batch.cells.orders import (
    read_cells_outcome,
    read_refusal,
    told_capsule,
    told_terms,
)
from atectl.batch.cells.outputs import NO_OUTPUT, read_output
from atectl.batch.cells.wire import Malformed, items, text, whole
from atectl.capsule.loading import Capsule
from atectl.capsule.source import WANTS, exhausted
from atectl.engine.wasi import NO_FILES, OpenStream, close_streams, open_streams
from atectl.errors import AbortedByArbiter, AtectlError, InternalError
from atectl.lease import outcome as outcomes
from atectl.lease.course import Course
from atectl.lease.outcome import Outcome
from atectl.lease.record import new_id, observation_of, record_of
from atectl.lease.starting import state_over_quota
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import RUNNING, LeaseRecord
from atectl.system.walls.wall import OF_CELLS

if TYPE_CHECKING:
    from atectl.arbitration.arbiter import Arbiter
    from atectl.arbitration.place import Place
    from atectl.arbitration.seat import Seat
    from atectl.arbitration.wording import Abortion
    from atectl.batch.cells.cell import Cell
    from atectl.batch.cells.cells import Cells
    from atectl.batch.cells.host_line import HostLine
    from atectl.batch.loop import Loop
    from atectl.spill.area import SpillArea


class CellHost(NamedTuple):
    """What the leases in cells share."""

    loop: "Loop"
    cells: "Cells"
    arbiter: "Arbiter"
    ledger: ProcessLedger
    is_pooled: bool
    """Whether cells keep stores for later leases."""
    capture_bytes: int | None
    """How much cells keep of each output of a job; see `outputs.LineOutputs`."""


class CellLease:
    """One run of a capsule in a cell.

    Args:
        host: what it shares with others.
        capsule: what runs.
        terms: what it is granted.
        number: its own, unique among the leases of the host.
        priority: a lease of higher priority is more important.
        began_s: when its deadline and its wall-clock time begin to count, by `time.monotonic`.
        when_done: called once it has its outcome.
    """

    def __init__(
        self,
        host: CellHost,
        capsule: Capsule,
        terms: Terms,
        number: int,
        priority: int,
        began_s: float,
        when_done: Callable[[], None],
    ) -> None:
        self.id = new_id()
        self.capsule = capsule
        self.terms = terms
        self._course = Course(began_s)
        self.abortion: Abortion | None = None
        """What it was told when it was ended to free memory; None if it was not."""
        self._host = host
        self._number = number
        self._priority = priority
        self._when_done = when_done
        self._streams: tuple[OpenStream, ...] = ()
        self._cell: Cell | None = None
        self._line: HostLine | None = None
        self._place: Place | None = None
        self._has_left = False
        self.use = LeaseUse(terms.quota)
        self.has_unfit_code = False
        """Whether the engine rejected the code of its capsule, so that nothing of it ran."""
        self.held_walls: tuple[str, ...] = ()
        """The walls that are around its guest, or were; none before it is in a cell."""
        self.output = NO_OUTPUT
        """What its guest wrote that went to no file, as its cell told at its end."""

    # For whoever runs it

    def start(self) -> None:
        """Have it run as soon as there is a cell for it."""
        self._host.ledger.open(self)
        refusal = state_over_quota(self.capsule, self.terms.quota)
        if refusal is not None:  # mapping its code would take that much
            self.use.refuse(self._state_bytes)
            self._leave(outcomes.refused(refusal))
            return
        try:
            self._streams = open_streams(self.terms.wasi.streams or NO_FILES)
        except Exception as error:
            self._leave(outcomes.refused(self._fault(error)))
        else:
            self._host.cells.enter(self)

    def end(self, reason: str, error: AtectlError | None = None) -> None:
        """Tell the guest to end: see `Lease.end`. The first reason counts."""
        if self.is_done:
            return
        self._course.tell_to_end(reason, error)
        self._tell_to_end()
        if self._place is not None:
            self._place.wake()

    def attend(self) -> None:
        """Enforce the deadline: see `Lease.attend`.

        A guest that does not end is given up, and its cell is killed once nobody else runs there.
        """
        if self.is_done:
            return
        if self.is_ending:
            if self._cell is None or self._course.is_overdue:
                self._give_up()
            else:
                self._tell_to_end()  # it may not have begun in its cell when it was told
        elif self._course.has_passed(self.terms.quota.deadline_s):
            self.end(outcomes.DEADLINE)

    def overrule(self, outcome: Outcome) -> None:
        """Replace the outcome of a lease that has ended, also in the ledger."""
        self._course.outcome = outcome
        self._host.ledger.amend(self)

    def let_go(self) -> None:
        """Close what it has open, at the end of its host; nobody asks for its outcome any more."""
        close_streams(self._streams)
        self._streams = ()

    # How it is

    @property
    def is_done(self) -> bool:
        """Whether it has its outcome."""
        return self._course.outcome is not None

    @property
    def outcome(self) -> Outcome:
        """How it ended; only once it has."""
        assert self._course.outcome is not None  # noqa: S101 - it has run
        return self._course.outcome

    @property
    def is_ending(self) -> bool:
        """Whether the guest was told to end."""
        return self._course.cause is not None

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
        return self._course.wall_s

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the guest as its cell told of them last."""
        return self.use.cpu_s

    @property
    def fuel(self) -> int:
        """Fuel burned, known once the guest has ended."""
        return self.use.fuel

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

    @property
    def charged_bytes(self) -> int:
        """What of that counts for its host: while it is on disk only what cannot go there."""
        return 0 if self._place is None else self._place.seat.standing.charged_bytes

    def read(self) -> Reading:
        """Its memory, as far as its host knows it."""
        return self.use.read()

    def take_reading(self, told: object) -> None:
        """Take what its cell says of it while it runs.

        Raises:
            Malformed: that is no reading.
        """
        if told is not None and not self.is_done:  # it knows only those that have begun
            self.use.take_reading(told, self.wall_s)

    # For the ledger

    def observation(self) -> Observation:
        """What its principal's account counts for it."""
        return observation_of(self, self._course)

    def record(self) -> LeaseRecord:
        """The lease as it is listed: now, or as it ended."""
        return record_of(self, self._course)

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
        cell = self._cell
        if cell is None:
            return 0
        answer = cell.ask({"do": "measure", "job": self._number})
        told = None if answer is None else answer.get("resident")
        of_others_bytes = sum(cell.running.values()) - self.quota_bytes + cell.idle_bytes
        return believable_resident(told, self.held_bytes, cell.own_bytes(), of_others_bytes)

    @property
    def stored_bytes(self) -> int:
        """What of its memory lies on disk."""
        return 0 if self._line is None else self._line.stored_bytes

    def spill(self, area: "SpillArea") -> None:
        """Have its cell write its memory to disk.

        Raises:
            SpillCapReached: there is no room under the cap (exit 125).
        """
        assert self._line is not None  # noqa: S101 - its guest waits on it
        self._line.spill(area)

    def abort(self, abortion: "Abortion") -> None:
        """End it to free memory. The arbiter gives the reason and the remedy."""
        self.abortion = abortion
        self.end(outcomes.ARBITER, AbortedByArbiter(abortion.why, remedy=abortion.remedy))

    def woken(self) -> None:
        """See soon whether its guest may go on."""
        self._host.loop.post(self._look)

    # In its cell

    def enter(self, cell: "Cell", line: "HostLine") -> None:
        """Have it run in a cell, on this line."""
        self._cell, self._line = cell, line
        if self.is_ending:  # while it waited for this
            self._leave(self._told_to_end())
            return
        self.held_walls = OF_CELLS if cell.has_data_limit else OF_CELLS[1:]
        if not self._host.is_pooled:
            self._register()
        first_bytes = 0 if self._place is None else self._state_bytes
        order = {
            "job": self._number,
            "priority": self._priority,
            "capsule": told_capsule(self.capsule),
            "terms": told_terms(self.terms, self._streams),
            "credit": line.first_credit(self, first_bytes),
        }
        streams = [each.descriptor for each in self._streams]
        try:
            line.begin(
                self,
                order,
                streams,
                hands_code=not cell.has_code(self.capsule.sha256),
                first_bytes=first_bytes,
            )
        except OSError as error:  # there is no descriptor left to hand
            self.lose(error)

    def turn_away(self, error: AtectlError) -> None:
        """There is no cell for it."""
        self._leave(self._told_to_end() if self.is_ending else outcomes.refused(error))

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

    def take_missing(self, told: object) -> None:
        """Walls of these names are not around its guest, as its cell says before that runs.

        Raises:
            Malformed: there are no such walls, or it has said so before.
        """
        names = {text(each) for each in items(told)}
        if not names or not names.issubset(self.held_walls):
            raise Malformed("a cell told of walls that there are not")
        self.held_walls = tuple(each for each in self.held_walls if each not in names)

    def code(self) -> int:
        """A descriptor of the code of its capsule, to be closed."""
        assert self._cell is not None  # noqa: S101 - that asked for it
        assert self.capsule.artifact is not None  # noqa: S101 - no host maps any
        self._cell.hand_code(self.capsule.sha256)
        return self.capsule.artifact.duplicate()

    def have_spilled(self, freed_bytes: int, failure: AtectlError | None) -> None:
        """Its memory is on disk, or could not be written there."""
        if self._place is not None:
            self._answer(self._place.spilled(freed_bytes, failure))

    def take_result(self, told: dict[str, Any]) -> None:
        """It has ended in its cell, and this is what came of it.

        Raises:
            Malformed: no cell says that.
        """
        assert self._cell is not None  # noqa: S101 - that told it
        if "failed" in told:
            self.has_unfit_code = told.get("unfit") is True
            self._leave(read_refusal(told["failed"]))
            return
        outcome = read_cells_outcome(told["outcome"])
        self.use.take_result(told, self.wall_s)
        self.output = read_output(told.get("output"), self._host.capture_bytes)
        kept_bytes = whole(told.get("kept"), self.held_bytes if self._host.is_pooled else 0)
        dropped_bytes = self._cell.change_idle(kept_bytes, told.get("dropped"))
        if dropped_bytes:
            self._host.arbiter.forget_idle(dropped_bytes)
        if outcome.reason == outcomes.TERMINATED:
            outcome = self._told_to_end()
        self._leave(outcome, kept_bytes)

    def never_begin(self) -> None:
        """It is to end, and its cell was not told of it yet."""
        self._leave(self._told_to_end())

    def lose(self, error: Exception | None = None) -> None:
        """Its cell has ended under it, or the host cannot go on with it because of an error."""
        cell = self._cell
        if error is not None:
            self._leave(outcomes.refused(self._fault(error)))
        elif cell is None or (self.is_ending and not cell.misbehaved):
            self._leave(self._told_to_end())
        else:
            lost = cell.why_lost()
            self._leave(Outcome(outcomes.CELL_LOST, lost.exit_status, lost))

    def _register(self, idle_bytes: int = 0) -> None:
        number, priority = self._number, self._priority
        arbiter = self._host.arbiter
        self._place = arbiter.register(self, number, priority, idle_bytes, self._state_bytes)

    @property
    def _state_bytes(self) -> int:
        return charged_state_bytes(self.capsule.creates.state_bytes)

    def _look(self) -> None:
        if self._place is not None:
            self._answer(self._place.look())

    def _answer(self, goes_on: bool | None) -> None:
        if goes_on is not None and self._line is not None:
            self._line.answer(goes_on=goes_on)

    # Ending

    def _fault(self, error: Exception) -> AtectlError:
        if isinstance(error, AtectlError):
            return error
        if isinstance(error, OSError) and error.errno in WANTS:
            return exhausted(self.capsule.name, error.errno)
        return InternalError(f"{type(error).__name__}: {error}")

    def _tell_to_end(self) -> None:
        if self._cell is not None and not self.is_done:
            self._cell.end(self._number)

    def _told_to_end(self) -> Outcome:
        cause = self._course.cause
        if cause is None:
            error = CellLost("the cell ended its guest, and nobody had asked for that")
            return Outcome(outcomes.CELL_LOST, error.exit_status, error)
        held_s = 0.0 if self._place is None else self._place.held_s
        asked_bytes = self.read().largest_refused_bytes
        return outcomes.told_to_end(
            cause.reason, self.terms.quota, asked_bytes, cause.error, held_s
        )

    def _give_up(self) -> None:
        """Its guest sleeps on: it gets its outcome, and its cell is ended with it if it can be."""
        outcome = self._told_to_end()
        if self._cell is None:
            self._host.cells.turn_back(self)
            self._leave(outcome)
            return
        if self._place is not None:
            self._place.abandon()
        self._finish(outcome)
        self._host.cells.doom(self._cell, self._number)

    def _leave(self, outcome: Outcome, kept_bytes: int = 0) -> None:
        """It has ended, and its place and its line are free, but for memory that is kept."""
        self.let_go()
        place, cell, line = self._place, self._cell, self._line
        self._cell = self._line = None
        if line is not None:
            line.leave()
        # A cell in which nothing runs any more can be ended for those that wait for memory.
        if cell is not None and line is not None:
            self._host.cells.leave(cell, line, self._number)
        if place is not None and not self._has_left:
            self._has_left = True
            place.leave(kept_bytes)
        self._host.cells.let_in()
        self._finish(outcome)

    def _finish(self, outcome: Outcome) -> None:
        if self.is_done:
            return
        self._course.finish(outcome)
        self._host.ledger.close(self)
        self._when_done()
