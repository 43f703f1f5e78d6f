"""The host's end of a lease's line: it answers the guest, and has its memory written to disk.

The thread that runs the lease calls all of it, and so waits at the arbiter where the guest waits.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from atectl.accounting import MAX_TOTAL
from atectl.batch.cells.orders import read_error
from atectl.batch.cells.wire import Malformed, Wire, whole

if TYPE_CHECKING:
    from atectl.arbitration.place import Place
    from atectl.spill.area import SpillArea

_LENT_TIMES = 3
"""How many times as much as a growth asks for is lent beside it, if nobody could miss that."""

_FIRST_BYTES = 1 << 20
_MOST_LENT_BYTES = 4 << 20


class Lessee(Protocol):
    """The lease whose line it is."""

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


class HostLine:
    """One lease's line, for as long as that runs.

    Args:
        wire: the line.
        lease: the lease.

    Attributes:
        stored_bytes: what of the lease's memory lies on disk.
    """

    def __init__(self, wire: Wire, lease: Lessee) -> None:
        self.stored_bytes = 0
        self._wire = wire
        self._lease = lease
        self._area: SpillArea | None = None

    def first_credit(self) -> int:
        """What its guest may take without asking: as much as small guests begin with."""
        place = self._lease.place
        return 0 if place is None else place.lend(min(_FIRST_BYTES, self._lease.quota_bytes))

    def send(self, order: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Have the cell begin: see `Wire.send`."""
        self._wire.send(order, descriptors)

    def serve(self) -> dict[str, Any]:
        """Answer the guest until it has ended; what came of it.

        Raises:
            Gone: the cell has ended before.
            Malformed: it said what no cell says.
        """
        while True:
            told = self._receive()
            if "grow" in told:
                self._wire.send({"granted": self._granted(told["grow"])})
            elif "free" in told:
                self._give_back(told["free"])
            elif "tick" in told:
                self._give_back(told["tick"])
                self._place.checkpoint()
                self._wire.send({"ends": self._lease.is_ending})
            elif "lacks" in told:
                self._hand_code()
            elif "begin" in told and self._lease.place is None:
                self._lease.begin(told["begin"])
            else:
                return told

    def spill(self, area: "SpillArea") -> int:
        """Have the cell write the guest's memory to disk; the resident bytes that this freed.

        Raises:
            SpillCapReached: there is no room under the cap (exit 125).
            AtectlError: what went wrong in the cell.
            Gone, Malformed: as of `serve`.
        """
        room_bytes = max(self._place.seat.held_bytes - self.stored_bytes, 0)
        area.take(room_bytes)
        stored_bytes = self.stored_bytes
        try:
            self._wire.send({"spill": str(area.folder), "room": room_bytes})
            told = self._receive()
            stored_bytes = whole(told.get("stored"), self.stored_bytes + room_bytes)
        finally:
            area.give_back(room_bytes - (stored_bytes - self.stored_bytes))
            self.stored_bytes, self._area = stored_bytes, area
        if "unspilled" in told:
            raise read_error(told["unspilled"])
        return whole(told.get("spilled"), MAX_TOTAL)

    def leave_disk(self) -> None:
        """Count that what lay on disk is gone with the guest."""
        if self._area is not None:
            self._area.give_back(self.stored_bytes)
            self.stored_bytes = 0

    @property
    def _place(self) -> "Place":
        place = self._lease.place
        if place is None:
            raise Malformed("a cell asked for a lease that has not begun")
        return place

    def _receive(self) -> dict[str, Any]:
        told, descriptors = self._wire.receive()
        for descriptor in descriptors:  # no cell has any to give
            os.close(descriptor)
        return told

    def _hand_code(self) -> None:
        """The cell has not had this capsule before."""
        descriptor = self._lease.code()
        try:
            self._wire.send({"code": True}, (descriptor,))
        finally:
            os.close(descriptor)

    def _granted(self, asked: object) -> int:
        """How much the guest gets, with what is lent to it; -1 if it gets nothing and is to end."""
        place = self._place
        left_bytes = max(self._lease.quota_bytes - place.seat.held_bytes, 0)
        added_bytes = whole(asked, left_bytes)
        if not place.admit(added_bytes):
            return -1
        lent_bytes = min(_LENT_TIMES * added_bytes, _MOST_LENT_BYTES, left_bytes - added_bytes)
        return added_bytes + (place.lend(lent_bytes) if lent_bytes else 0)

    def _give_back(self, told: object) -> None:
        freed_bytes = whole(told, self._place.seat.held_bytes)
        if freed_bytes:
            self._place.give_back(freed_bytes)
