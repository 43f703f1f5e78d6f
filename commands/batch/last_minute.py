"""How high something was in the last minute, in stretches of two seconds."""

from collections import deque

STRETCH_S = 2.0
STRETCHES = 30


class LastMinute:
    """The highest value of each stretch. Times are in seconds and never go back."""

    def __init__(self) -> None:
        self._highest: deque[tuple[int, int]] = deque(maxlen=STRETCHES)

    def add(self, at_s: float, value: int) -> None:
        """Take a value that was measured at `at_s`."""
        stretch = int(at_s // STRETCH_S)
        if self._highest and self._highest[-1][0] == stretch:
            value = max(value, self._highest.pop()[1])
        self._highest.append((stretch, value))

    def until(self, now_s: float) -> tuple[int | None, ...]:
        """The highest of each stretch, the one of `now_s` last; None where nothing was measured."""
        newest = int(now_s // STRETCH_S)
        found = dict(self._highest)
        return tuple(found.get(each) for each in range(newest - STRETCHES + 1, newest + 1))
