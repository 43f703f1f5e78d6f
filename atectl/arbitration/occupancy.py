"""How many running leases it takes to keep the cores busy.

As many as there are cores, if each computes all the time. Of guests that wait for a file or a clock
it takes more, and nobody can tell by looking at one how much it computes. So it is measured: while
so many leases ran on average, the cores were busy for such a share of the time. If they were busy
all the time, fewer might have been enough, and one fewer is tried.
"""

from collections.abc import Callable

_WINDOW_S = 0.2
"""How long is measured at once: the system counts what a core does in hundredths of a second."""

_ALL = 0.97
"""The share of the time from which on the cores are taken to be busy all of it."""

_LEAST_SHARE = 1 / 8
"""At most so much more than ran is taken to be needed at once, however idle the cores were."""

_TOLERANCE = 0.25
"""How much of a lease may be missing: of leases that compute, some time is always lost."""


class Occupancy:
    """What is known of that, by a clock that its owner reads.

    Args:
        cores: how many leases are needed at least.
        idle_s: how long the cores were idle so far, all together; None where nobody can tell.
    """

    def __init__(self, cores: int, idle_s: Callable[[], float | None]) -> None:
        self.needed = cores
        """How many leases keep the cores busy, as measured last."""
        self._cores = cores
        self._read_idle_s = idle_s
        self._running = 0
        self._noted_s = 0.0
        self._running_s = 0.0
        self._began: tuple[float, float] | None = None

    def note(self, now_s: float, running: int) -> None:
        """So many leases run from now on."""
        self._running_s += self._running * (now_s - self._noted_s)
        self._noted_s, self._running = now_s, running

    def look(self, now_s: float) -> None:
        """See how busy the cores were while leases ran; to be called every now and then."""
        if self._began is not None and now_s - self._began[0] < _WINDOW_S:
            return
        idle_s = self._read_idle_s()
        if idle_s is None:
            return
        self.note(now_s, self._running)
        if self._began is not None:
            self._judge(now_s - self._began[0], idle_s - self._began[1])
        self._began, self._running_s = (now_s, idle_s), 0.0

    def forget(self) -> None:
        """Begin anew at the next look: leases wait for nobody now."""
        self._began, self.needed = None, self._cores

    def _judge(self, passed_s: float, idle_s: float) -> None:
        """See what the cores did in that time."""
        busy_share = 1 - idle_s / (passed_s * self._cores)
        running = self._running_s / passed_s
        if busy_share < _ALL:
            needed = int(running / max(busy_share, _LEAST_SHARE) + _TOLERANCE)
        else:
            needed = self.needed - 1
        self.needed = max(self._cores, needed)
