"""The host's end of a line in a cell: it answers one guest after another, and knows what each has
on disk."""

import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from atectl.accounting import MAX_TOTAL
from atectl.batch.cells.channel import Channel, LongMessages
from atectl.batch.cells.orders import read_error
from atectl.batch.cells.wire import Gone, Malformed, whole
from atectl.errors import AtectlError

if TYPE_CHECKING:
    from atectl.arbitration.place import Place
    from atectl.batch.loop import Loop
    from atectl.spill.area import SpillArea

_LENT_TIMES = 3
"""How many times as much as a growth asks for is lent beside it, if nobody could miss that."""

_LENT_PART = 4
"""If one part in so many of what its guest holds is more than that, so much is lent: who grows far
by small steps asks for few of them."""

_FIRST_BYTES = 1 << 20
_MOST_LENT_BYTES = 4 << 20


class Lessee(Protocol):
    """The lease that runs on a line."""

    @property
    def place(self) -> "Place | None":
        """Where it waits; None before it has begun."""
        ...

    @property
    def quota_bytes(self) -> int: ...

    @property
    def is_ending(self) -> bool: ...

    def code(self) -> int:
        """A descriptor of the code of its capsule, to be closed."""
        ...

    def begin(self, told: object) -> None:
        """Its guest begins in a store that may hold memory already: so much as is told."""
        ...

    def take_missing(self, told: object) -> None:
        """Walls of these names are not around it."""
        ...

    def have_spilled(self, freed_bytes: int, failure: AtectlError | None) -> None:
        """Its memory is on disk, or could not be written there."""
        ...

    def take_result(self, told: dict[str, Any]) -> None:
        """It has ended in its cell, and this is what came of it."""
        ...

    def never_begin(self) -> None:
        """It is to end, and its cell was not told of it yet."""
        ...

    def lose(self, error: Exception | None = None) -> None:
        """Its cell has ended under it, or said what no cell says; or the host cannot go on with
        it, because of an error."""
        ...


class _Beginning(NamedTuple):
    """What a cell is told to begin a lease."""

    order: dict[str, Any]
    descriptors: Sequence[int]
    hands_code: bool


class _Spilling(NamedTuple):
    """Memory that is being written out: where, and how much room was taken there for it."""

    area: "SpillArea"
    room_bytes: int


class HostLine:
    """A line: the leases on it come one after another.

    Args:
        stream: its end of the socket.
        loop: watches it, and calls all of this.
        condemn: called if what came over it is what no cell says.
        when_gone: called if the cell has ended, or was condemned.
        most_told_bytes: the size of the largest message that is taken.
        long_messages: those of all lines in the cell.
    """

    def __init__(
        self,
        stream: socket.socket,
        loop: "Loop",
        condemn: Callable[[], None],
        when_gone: Callable[[], None],
        most_told_bytes: int,
        long_messages: LongMessages,
    ) -> None:
        self.stored_bytes = 0
        """What of the lease's memory lies on disk."""
        self._condemn = condemn
        self._when_gone = when_gone
        self._lease: Lessee | None = None
        self._area: SpillArea | None = None
        self._asked_bytes: int | None = None  # what its guest waits for; 0 at a tick
        self._spilling: _Spilling | None = None
        self._may_lack_code = False
        self._beginning: _Beginning | None = None  # while it waits for its first memory
        self._channel = Channel(stream, loop, self._hear, most_told_bytes, long_messages)

    @property
    def is_closed(self) -> bool:
        """Whether no lease can run on it any more."""
        return self._channel.is_closed

    def begin(
        self,
        lease: Lessee,
        order: dict[str, Any],
        descriptors: Sequence[int],
        *,
        hands_code: bool = False,
        first_bytes: int = 0,
    ) -> None:
        """Have the cell run a lease.

        Args:
            lease: what is told on the line from now on is told to it.
            order: what the cell is told of it.
            descriptors: those of its streams.
            hands_code: whether the code of its capsule goes with them.
            first_bytes: what it holds before its guest runs, such as for its code. The cell is
                told once that is granted.

        Raises:
            OSError: there is no descriptor left for the code.
        """
        self._lease, self._may_lack_code = lease, True
        beginning = _Beginning(order, descriptors, hands_code)
        if not first_bytes:
            self._begin(lease, beginning)
            return
        self._beginning, self._asked_bytes = beginning, first_bytes
        self._answer_if(self._place.admit(first_bytes))

    def _begin(self, lease: Lessee, beginning: _Beginning) -> None:
        order, descriptors, hands_code = beginning
        if hands_code:
            self._hand_code(lease, order, descriptors)
        else:
            self._channel.send(order, descriptors)

    def first_credit(self, lease: Lessee, first_bytes: int = 0) -> int:
        """What its guest may take without asking: as much as small guests begin with.

        Args:
            first_bytes: what is asked for beside that, as for `begin`.
        """
        left_bytes = lease.quota_bytes - first_bytes
        return 0 if lease.place is None else lease.place.lend(min(_FIRST_BYTES, left_bytes))

    def answer(self, *, goes_on: bool) -> None:
        """Tell the guest what it waits for: its growth, or to go on after a tick."""
        asked_bytes, self._asked_bytes = self._asked_bytes, None
        if asked_bytes is None or self._lease is None:
            return
        if self._beginning is not None:
            self._answer_first(self._lease, self._beginning, asked_bytes, goes_on=goes_on)
        elif asked_bytes:
            granted_bytes = self._with_credit(asked_bytes) if goes_on else -1
            self._channel.send({"granted": granted_bytes})
        else:
            self._channel.send({"ends": self._lease.is_ending})

    def _answer_first(
        self, lease: Lessee, beginning: _Beginning, granted_bytes: int, *, goes_on: bool
    ) -> None:
        self._beginning = None
        if not goes_on:
            lease.never_begin()
            return
        credit_bytes = beginning.order["credit"] + granted_bytes
        order = {**beginning.order, "credit": credit_bytes}
        try:
            self._begin(lease, beginning._replace(order=order))
        except OSError as error:  # there is no descriptor left to hand
            lease.lose(error)

    def spill(self, area: "SpillArea") -> None:
        """Have the cell write the guest's memory to disk. The lease is told what came of it.

        Raises:
            SpillCapReached: there is no room under the cap (exit 125).
        """
        room_bytes = max(self._place.seat.standing.spillable_bytes - self.stored_bytes, 0)
        area.take(room_bytes)
        self._area, self._spilling = area, _Spilling(area, room_bytes)
        self._channel.send({"spill": str(area.folder), "room": room_bytes})

    def leave(self) -> None:
        """Its lease has ended: what lay on disk is gone with the guest."""
        if self._spilling is not None:
            self._spilling.area.give_back(self._spilling.room_bytes)
        if self._area is not None:
            self._area.give_back(self.stored_bytes)
        self.stored_bytes, self._area, self._spilling = 0, None, None
        self._lease, self._asked_bytes, self._beginning = None, None, None

    def close(self) -> None:
        """Idempotent."""
        self._channel.close()

    # What the cell says

    def _hear(self) -> None:
        if self._channel.is_closed:
            return
        lease = self._lease
        try:
            for told, descriptors in self._channel.received():
                for descriptor in descriptors:  # no cell has any to give
                    os.close(descriptor)
                self._take(told)
        except Malformed:
            self._condemn()
            self._lose_cell()
        except Gone:
            self._lose_cell()
        except Exception as error:
            self._end(lease, error)

    def _lose_cell(self) -> None:
        self._when_gone()
        self._end(self._lease)

    def _end(self, lease: Lessee | None, error: Exception | None = None) -> None:
        self._channel.close()
        if lease is not None:
            lease.lose(error)

    def _take(self, told: dict[str, Any]) -> None:
        lease = self._lease
        if lease is None:
            raise Malformed("a cell spoke on a line on which nothing runs")
        if self._spilling is not None:
            self._take_spilled(lease, self._spilling, told)
        elif self._asked_bytes is not None:
            raise Malformed("a guest spoke that waits for its answer")
        elif "outcome" in told or "failed" in told:
            lease.take_result(told)
        elif "grow" in told:
            self._grow(told["grow"])
        elif told.get("free"):
            self._give_back(told["free"])
        elif "tick" in told:
            self._give_back(told["tick"])
            self._asked_bytes = 0
            self._answer_if(self._place.checkpoint())
        elif "lacks" in told and self._may_lack_code:
            self._may_lack_code = False
            self._hand_code(lease, {})
        elif "begin" in told and lease.place is None:
            lease.begin(told["begin"])
        elif "missing" in told:
            lease.take_missing(told["missing"])
        else:
            raise Malformed("a message says nothing that a cell says")

    def _take_spilled(self, lease: Lessee, spilling: _Spilling, told: dict[str, Any]) -> None:
        stored_bytes = whole(told.get("stored"), self.stored_bytes + spilling.room_bytes)
        freed_bytes, failure = 0, None
        if "unspilled" in told:
            failure = read_error(told["unspilled"])
        else:
            freed_bytes = whole(told.get("spilled"), MAX_TOTAL)
        spilling.area.give_back(spilling.room_bytes - (stored_bytes - self.stored_bytes))
        self.stored_bytes, self._spilling = stored_bytes, None
        lease.have_spilled(freed_bytes, failure)

    @property
    def _place(self) -> "Place":
        place = None if self._lease is None else self._lease.place
        if place is None:
            raise Malformed("a cell asked for a lease that has not begun")
        return place

    def _hand_code(
        self, lease: Lessee, order: dict[str, Any], descriptors: Sequence[int] = ()
    ) -> None:
        """The cell does not have the code of this capsule: send that with an order."""
        code = lease.code()
        try:
            self._channel.send({**order, "code": True}, (*descriptors, code))
        finally:
            os.close(code)

    def _grow(self, told: object) -> None:
        place = self._place
        added_bytes = whole(told, self._left_bytes(place))
        if not added_bytes:
            raise Malformed("a guest asks to grow by nothing")
        self._asked_bytes = added_bytes
        self._answer_if(place.admit(added_bytes))

    def _answer_if(self, goes_on: bool | None) -> None:
        if goes_on is not None:
            self.answer(goes_on=goes_on)

    def _with_credit(self, added_bytes: int) -> int:
        """What the guest gets: what it was granted, and what is lent to it."""
        place = self._place
        wanted_bytes = max(_LENT_TIMES * added_bytes, place.seat.held_bytes // _LENT_PART)
        lent_bytes = min(wanted_bytes, _MOST_LENT_BYTES, self._left_bytes(place))
        return added_bytes + (place.lend(lent_bytes) if lent_bytes else 0)

    def _left_bytes(self, place: "Place") -> int:
        """What of its quota is left."""
        return max((self._lease.quota_bytes if self._lease else 0) - place.seat.held_bytes, 0)

    def _give_back(self, told: object) -> None:
        freed_bytes = whole(told, self._place.seat.held_bytes)
        if freed_bytes:
            self._place.give_back(freed_bytes)
