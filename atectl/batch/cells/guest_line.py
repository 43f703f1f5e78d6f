"""A lease's way to the arbiter from within a cell: its guest asks on its own line, and waits.

What the host lets it hold beyond what it has asked for is its credit: a growth within that costs
no message.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from atectl.batch.cells.orders import told_error
from atectl.batch.cells.wire import Wire
from atectl.errors import AtectlError
from atectl.lease import outcome as outcomes
from atectl.ledger_store.records import RUNNING, SPILLED

if TYPE_CHECKING:
    from pathlib import Path

    from atectl.lease.tenancy import Guest
    from atectl.spill.area import SpillArea

MOST_CREDIT_BYTES = 4 << 20
"""Freed memory up to this size is kept as credit; what is more goes back to the host at once."""


class GuestLine:
    """The place of one lease at its host's arbiter, and what gives it that place.

    Args:
        wire: the lease's line.
        credit_bytes: what it may take without asking.
        apart: calls something on a thread that may open files; the guest's own may not.
        tells_begin: whether the host waits to hear what the lease holds when it begins.
    """

    def __init__(
        self,
        wire: Wire,
        credit_bytes: int,
        apart: Callable[[Callable[[], Any]], Any],
        *,
        tells_begin: bool,
    ) -> None:
        self.was_refused = False
        self.held_s = 0.0
        self.state = RUNNING
        self.kept_bytes = 0
        self._wire = wire
        self._apart = apart
        self._tells_begin = tells_begin
        self._lease: Guest | None = None
        self._area: SpillArea | None = None
        self._credit_bytes = credit_bytes

    def register(
        self, lease: "Guest", _number: int, _priority: int = 0, idle_bytes: int = 0
    ) -> "GuestLine":
        self._lease = lease
        if self._tells_begin:
            self._wire.send({"begin": idle_bytes})
        return self

    def admit(self, added_bytes: int) -> bool:
        if self.was_refused:
            return False
        if added_bytes <= self._credit_bytes:
            self._credit_bytes -= added_bytes
            return True
        missing_bytes = added_bytes - self._credit_bytes
        answer = self._ask({"grow": missing_bytes})
        if answer["granted"] < missing_bytes:
            self._end()
            return False
        self._credit_bytes = answer["granted"] - missing_bytes
        return True

    def give_back(self, freed_bytes: int) -> None:
        self._credit_bytes += freed_bytes
        if self._credit_bytes > MOST_CREDIT_BYTES:
            freed_bytes, self._credit_bytes = self._credit_bytes, 0
            self._wire.send({"free": freed_bytes})

    def checkpoint(self) -> None:
        freed_bytes, self._credit_bytes = self._credit_bytes, 0
        if self._ask({"tick": freed_bytes})["ends"]:
            self._end()

    def leave(self, kept_bytes: int = 0) -> None:
        self.kept_bytes = kept_bytes

    def abandon(self) -> None:
        """The host abandons a lease; a cell does not."""

    def wake(self) -> None:
        """The host wakes a lease that is held."""

    def _end(self) -> None:
        """The host wants the guest to end. It says so on the control stream, too, but later."""
        assert self._lease is not None  # noqa: S101 - it is registered before it runs
        self.was_refused = True
        self._lease.end(outcomes.TERMINATED)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Ask the host, and do what it says until it answers."""
        began_s = time.monotonic()
        self._wire.send(question)
        try:
            while True:
                answer, _ = self._wire.receive()
                if "spill" not in answer:
                    return answer
                self._wire.send(self._apart(partial(self._spill, answer)))
        finally:
            self.state = RUNNING
            self.held_s += time.monotonic() - began_s

    def _spill(self, order: dict[str, Any]) -> dict[str, Any]:
        """Write the lease's memory to disk; what came of it."""
        from pathlib import Path

        assert self._lease is not None  # noqa: S101 - it is registered before it runs
        try:
            area = self._area or self._open_area(Path(order["spill"]))
            self._area = area
            area.cap_bytes = area.used_bytes + order["room"]
            freed_bytes = self._lease.spill(area)
        except AtectlError as error:
            return {"unspilled": told_error(error), "stored": self._lease.stored_bytes}
        self.state = SPILLED
        return {"spilled": freed_bytes, "stored": self._lease.stored_bytes}

    def _open_area(self, folder: "Path") -> "SpillArea":
        from atectl.spill.area import SpillArea

        return SpillArea(folder)
