"""How many running leases it takes to keep the cores busy.

If each computes all the time, as many as there are cores. If guests wait for files or clocks, more
are needed, and the arbiter cannot tell from a single lease how much it computes. So this is
measured: how many leases ran on average, and for what share of the time the cores were busy. If
they were busy all the time, fewer leases might have been enough, and one fewer is tried.
"""

from collections.abc import Callable

_WINDOW_S = 0.2
"""How long is measured at once: the system counts what a core does in hundredths of a second."""

_ALL = 0.97
"""The share of the time from which on the cores are taken to be busy all of it."""

_LEAST_SHARE = 1 / 8
"""The least share of busy time that is believed: so the estimate grows eightfold at most in one
window, however idle the cores were."""

_TOLERANCE = 0.25
"""How much of a lease may be missing: of leases that compute, some time is always lost."""


class Occupancy:
    """Estimates how many running leases keep the cores busy. Its owner passes in the time.

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
        """Note that `running` leases run from now on."""
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
