"""Memory for compiling capsules, as it is left beside the leases of a host."""

import threading
from collections.abc import Callable

from atectl.arbitration.compiles import Ask, Grant
from atectl.arbitration.enforcer import Enforcer

BESIDE_BYTES = 16 << 20
"""What a process that compiles takes beside the memory that it is granted: pages of the engine's
code, and copies of pages that it shared with the process that forked it. While the smallest
capsules are compiled, all processes together hold 12 to 18 MiB more."""

LEAST_BYTES = 6 << 20
"""What a capsule is granted to be compiled if it is alone, however little there is left."""

_LOOK_S = 0.05
"""How often one that waits looks whether it is still wanted, and whether there is room by now."""

_MIB = 1 << 20


class CompileRoom:
    """Lets capsules be compiled under the budget of an arbiter.

    One begins once what it needs fits below soft and no lease is held for want of memory; or once
    no lease runs and nothing else compiles, with what is left below the limit then.

    Args:
        enforcer: what decides about the leases, and owns the lock that is taken here.
        at_once: how many are compiled at the same time, but for what takes no core.
        most_bytes: what compiling one may take at most, however much is left.
    """

    def __init__(self, enforcer: Enforcer, at_once: int, most_bytes: int) -> None:
        self._enforcer = enforcer
        self._compiles = enforcer.compiles
        self._at_once = at_once
        self._most_bytes = most_bytes
        self._changed = threading.Condition(enforcer.lock)

    def enter(self, ask: Ask, is_wanted: Callable[[], bool]) -> Grant | None:
        """Wait until a capsule may be compiled; None if it is wanted no more.

        Args:
            is_wanted: asked now and then whether anybody still waits for it.
        """
        with self._changed:
            self._compiles.wait(ask)
            grant: Grant | None = None
            try:
                while is_wanted():
                    grant = self._next_to_begin(ask)
                    if grant is not None:
                        self._compiles.begin(grant)
                        break
                    self._changed.wait(_LOOK_S)
            finally:
                if grant is None:
                    self._compiles.leave_line(ask)
            self._count()
            self._changed.notify_all()
            return grant

    def extend(self, grant: Grant, added_bytes: int) -> int:
        """Grant so much more, or as much as there is; the bytes that were added."""
        with self._changed:
            wanted_bytes = min(added_bytes, grant.most_bytes - grant.granted_bytes)
            if self._enforcer.is_guarded:
                wanted_bytes = min(wanted_bytes, self._room_bytes(is_alone=self._is_alone(grant)))
            added_bytes = max(wanted_bytes, 0)
            grant.granted_bytes += added_bytes
            self._count()
            return added_bytes

    def note(self, grant: Grant, resident_bytes: int) -> None:
        """A process that compiles was seen to hold so much."""
        with self._changed:
            grant.resident_bytes = resident_bytes
            self._count()

    def leave(self, grant: Grant) -> None:
        """A process that compiled is gone, with its memory."""
        with self._changed:
            self._compiles.end(grant)
            self._count()
            self._enforcer.settle_unless_calm()
            self._changed.notify_all()

    # Under the lock

    def _count(self) -> None:
        self._enforcer.use.compile(self._compiles.counted_bytes)

    def _is_alone(self, but_for: Grant | None = None) -> bool:
        others = [grant for grant in self._compiles.running if grant is not but_for]
        return not (others or self._enforcer.seats.unfinished)

    def _room_bytes(self, *, is_alone: bool) -> int:
        use = self._enforcer.use
        return self._enforcer.budget.room_to_compile_bytes(use.pressure, is_alone=is_alone)

    def _next_to_begin(self, ask: Ask) -> Grant | None:
        """What is granted to one that waits, if it is its turn."""
        busy = sum(grant.ask.takes_core for grant in self._compiles.running)
        has_core = busy < self._at_once
        may_begin = [
            first for first in self._compiles.first_in_line if has_core or not first.takes_core
        ]
        # Each that waits comes here whenever anything changes: most of them are not to measure.
        if not any(first is ask for first in may_begin):
            return None
        self._enforcer.use.read()
        for first in may_begin:
            granted = self._granted(first)
            if granted is not None:
                return granted if first is ask else None
        return None

    def _granted(self, ask: Ask) -> Grant | None:
        """What is granted to one whose turn it is; None if it is to wait."""
        most_bytes = self._most_alone_bytes()
        needed_bytes = min(ask.needed_bytes, most_bytes)
        if not self._enforcer.is_guarded:
            return Grant(ask, most_bytes, most_bytes, BESIDE_BYTES, has_all=True)
        if self._enforcer.seats.holds_anybody_back:
            return None
        pressure = self._enforcer.use.pressure
        if needed_bytes + BESIDE_BYTES <= self._enforcer.budget.room_below_soft_bytes(pressure):
            return Grant(ask, needed_bytes, most_bytes, BESIDE_BYTES, has_all=False)
        if not self._is_alone():
            return None
        # It may be little, but nobody makes progress otherwise.
        self._drop_idle()
        left_bytes = _whole(self._room_bytes(is_alone=True) - BESIDE_BYTES)
        all_bytes = min(most_bytes, max(left_bytes, LEAST_BYTES))
        has_all = needed_bytes >= all_bytes
        granted_bytes = min(needed_bytes, all_bytes)
        return Grant(ask, granted_bytes, most_bytes, BESIDE_BYTES, has_all=has_all)

    def _most_alone_bytes(self) -> int:
        """What compiling one capsule may come to take, if it is alone on the host."""
        enforcer = self._enforcer
        if not enforcer.is_guarded:
            return self._most_bytes
        left_bytes = enforcer.budget.most_to_compile_bytes(enforcer.use.baseline_bytes)
        return min(self._most_bytes, max(_whole(left_bytes - BESIDE_BYTES), LEAST_BYTES))

    def _drop_idle(self) -> None:
        if self._enforcer.drop_idle is not None and self._enforcer.use.idle_bytes:
            self._enforcer.drop_idle()
            self._enforcer.use.read()


def _whole(size_bytes: int) -> int:
    """So much in whole MiB."""
    return size_bytes // _MIB * _MIB
