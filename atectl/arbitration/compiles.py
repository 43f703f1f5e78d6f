"""What compiles under one budget: who is waiting, in which order they begin, who gives way.

Everything here is changed under the arbiter's lock.
"""

from collections import deque

MOST_YIELDS = 2
"""How often compiling one capsule gives way to leases; then they wait for it, as for an older one.
"""


class Ask:
    """One capsule that is to be compiled.

    Args:
        principal: who is charged.
        needed_bytes: what is expected to be enough memory for it.
        takes_core: whether it counts among those that may run at once.
    """

    __slots__ = ("needed_bytes", "principal", "takes_core", "yields")

    def __init__(self, principal: str, needed_bytes: int, *, takes_core: bool = True) -> None:
        self.takes_core = takes_core
        self.principal = principal
        self.needed_bytes = needed_bytes
        self.yields = 0
        """How often it has given way so far."""


class Grant:
    """What one capsule may take that is being compiled.

    Args:
        ask: the capsule.
        granted_bytes: what its process may take of memory of its own, now.
        most_bytes: to what that may be raised.
        beside_bytes: what it takes beside that.
    """

    __slots__ = (
        "ask", "beside_bytes", "granted_bytes", "has_all", "is_to_end", "most_bytes",
        "resident_bytes",
    )  # fmt: skip

    def __init__(
        self, ask: Ask, granted_bytes: int, most_bytes: int, beside_bytes: int, *, has_all: bool
    ) -> None:
        self.ask = ask
        self.granted_bytes = granted_bytes
        self.most_bytes = most_bytes
        self.beside_bytes = beside_bytes
        self.has_all = has_all
        """Whether it was alone on the host, and got all that this has left."""
        self.resident_bytes = 0
        """What its process was last seen to hold."""
        self.is_to_end = False
        """Whether its memory is wanted back: its process is to be ended."""

    @property
    def counted_bytes(self) -> int:
        """What it counts for in the pressure."""
        return max(self.granted_bytes + self.beside_bytes, self.resident_bytes)


class Compiles:
    """Capsules that are being compiled, and those that are waiting for it."""

    def __init__(self) -> None:
        self.running: list[Grant] = []
        """In the order in which they began."""
        self._waiting: dict[str, deque[Ask]] = {}

    def wait(self, ask: Ask) -> None:
        """It stands in line, behind all of its principal."""
        self._waiting.setdefault(ask.principal, deque()).append(ask)

    def leave_line(self, ask: Ask) -> None:
        """It does not wait any more."""
        line = self._waiting[ask.principal]
        line.remove(ask)
        if not line:
            del self._waiting[ask.principal]

    @property
    def first_in_line(self) -> list[Ask]:
        """The first of each principal, in the order in which principals have their turns."""
        return [line[0] for line in self._waiting.values()]

    def begin(self, grant: Grant) -> None:
        """One that waited begins; it is the turn of the other principals then."""
        self.leave_line(grant.ask)
        line = self._waiting.pop(grant.ask.principal, None)
        if line is not None:
            self._waiting[grant.ask.principal] = line
        self.running.append(grant)

    def end(self, grant: Grant) -> None:
        """It is over, and its memory is gone."""
        self.running.remove(grant)

    @property
    def counted_bytes(self) -> int:
        """What all that compiles counts for in the pressure."""
        return sum(grant.counted_bytes for grant in self.running)

    def give_way(self, missing_bytes: int, over_limit_bytes: int) -> None:
        """Have some end, the latest first, so that so much comes free.

        Args:
            missing_bytes: what leases wait for; one that has given way often is spared.
            over_limit_bytes: what the host is past its limit; nobody is spared for that.
        """
        freed_bytes = sum(grant.counted_bytes for grant in self.running if grant.is_to_end)
        for grant in reversed(self.running):
            is_spared = grant.ask.yields >= MOST_YIELDS
            least_bytes = over_limit_bytes if is_spared else max(missing_bytes, over_limit_bytes)
            if not grant.is_to_end and freed_bytes < least_bytes:
                grant.is_to_end = True
                grant.ask.yields += 1
                freed_bytes += grant.counted_bytes
