"""How many jobs are at a host at once: enough to keep it busy until more can come."""

import math
import time

_AHEAD_S = 0.6
"""For how long the jobs that wait at a host should last it."""

_MOST = 4096
_FIRST_AHEAD = 6
_NEW = 0.3
"""The share of the latest exchange in what is believed of a host's speed."""


class Window:
    """The window of one host, which follows how fast results come from there.

    Args:
        slots: how many jobs the host runs at once.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._rate = 0.0
        self._since_s: float | None = None
        self.size = slots + _FIRST_AHEAD

    def begin(self) -> None:
        """The host has got jobs after it had none: its time counts from now on."""
        self._since_s = time.monotonic()

    def end(self) -> None:
        """The host has none any more."""
        self._since_s = None

    def adapt(self, results: int, *, is_dry: bool) -> None:
        """Note how many results came; with `is_dry` the host has no waiting job left."""
        now_s = time.monotonic()
        if self._since_s is None or not results:
            return
        took_s = max(now_s - self._since_s, 1e-3)
        rate, self._since_s = results / took_s, now_s
        self._rate = rate if not self._rate else (1 - _NEW) * self._rate + _NEW * rate
        ahead = max(1, math.ceil(self._rate * _AHEAD_S))
        if is_dry:
            # It could have done more: its speed is not known yet.
            ahead = max(ahead, min(2 * (self.size - self._slots), ahead * 4))
        self.size = min(self._slots + ahead, _MOST)
