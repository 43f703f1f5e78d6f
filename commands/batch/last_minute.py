"""The highest values of a quantity in the last minute, one for every two seconds."""

from typing import NamedTuple

STRETCH_S = 2.0
STRETCHES = 30


class LastMinute(NamedTuple):
    """The last minute, in stretches of `STRETCH_S` seconds. Times never go back.

    `highest` has a pair for each stretch with a measured value: its number, and its highest value.
    """

    highest: tuple[tuple[int, int], ...] = ()

    def with_value(self, at_s: float, value: int) -> "LastMinute":
        """The minute with a value that was measured at `at_s`."""
        stretch, earlier = int(at_s // STRETCH_S), self.highest
        if earlier and earlier[-1][0] == stretch:
            value, earlier = max(value, earlier[-1][1]), earlier[:-1]
        return LastMinute((*earlier, (stretch, value))[-STRETCHES:])

    def until(self, now_s: float) -> tuple[int | None, ...]:
        """The highest value of each stretch, the latest last; None where none was measured."""
        newest, found = int(now_s // STRETCH_S), dict(self.highest)
        return tuple(found.get(each) for each in range(newest - STRETCHES + 1, newest + 1))
