"""What every live display has: a state, looks that keep it up to date, and lines to draw.

`screen` shows it on the whole terminal, `guest` as a table below the output of a guest. A look is
taken on another thread, so a server that does not answer delays neither keys nor output.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from .events import Resized
from .looker import Looker

if TYPE_CHECKING:
    from rich.console import RenderableType

TICK_S = 1.0
"""How often the state is told of the time, if it wants to know."""

State = TypeVar("State")
Event = TypeVar("Event")


class Live(Generic[State, Event]):
    """A live display without its place on the terminal. To be closed.

    Args:
        state: the first state.
        look: finds out what is new. It returns an event, also for a failure that is to be shown.
            What it raises is raised by `update`.
        reduce: returns the state after an event: an answer of `look`, a new size, or what is fed.
        view: what to draw of a state.
        interval_s: seconds from the end of a look to the beginning of the next.
        first_look_s: seconds until the first look.
        looks: how many looks to take before it is over; None for no end.
        tick: an event for the state about once a second, such as how late it is; None for none.
    """

    def __init__(
        self,
        state: State,
        look: Callable[[], Event],
        reduce: Callable[[State, Resized | Event], State],
        view: "Callable[[State], RenderableType]",
        *,
        interval_s: float,
        first_look_s: float = 0.0,
        looks: int | None = None,
        tick: Callable[[], Event] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self.is_over = False
        self._looker = Looker(look)
        self._reduce = reduce
        self._view = view
        self._interval_s = interval_s
        self._looks_left = looks
        self._tick = tick
        self._clock = clock
        self._due = clock() + first_look_s
        self.size = (0, 0)
        """Columns and lines, as last told."""

    @property
    def reader(self) -> int:
        """A descriptor that is readable when a look has ended."""
        return self._looker.reader

    def feed(self, event: Resized | Event) -> None:
        """Change the state by an event."""
        self.state = self._reduce(self.state, event)

    def resize(self, width: int, height: int) -> None:
        """Take a new size, in columns and lines: an event, and the size of what is drawn."""
        self.size = (width, height)
        self.feed(Resized(width, height))

    def update(self, *, is_paused: bool = False) -> bool:
        """Take the answer of a look that has ended, and begin the next look if it is due.

        If the next look is due and there are to be no more, the display is over. While it is
        paused, no look begins.

        Returns:
            Whether there was an answer.
        """
        if self._tick is not None:
            self.feed(self._tick())
        answers = self._looker.answer()
        for answer in answers:
            self._due = self._clock() + self._interval_s
            self.feed(answer)
        if self.patience_s(is_paused=is_paused) == 0:
            self._begin_look()
        return bool(answers)

    def hurry(self) -> None:
        """Have the next look taken at once: what is asked for has changed."""
        self._due = self._clock()

    def patience_s(self, *, is_paused: bool = False) -> float | None:
        """Seconds until `update` has something to do; None if not before `reader` is readable."""
        most_s = None if self._tick is None else TICK_S
        if self._looker.is_looking or is_paused or self.is_over:
            return most_s
        due_s = max(self._due - self._clock(), 0)
        return due_s if most_s is None else min(due_s, most_s)

    def lines(self) -> list[str]:
        """The state as it is drawn: a string with its colours for each line of the terminal."""
        # Rich is imported when there is something to draw: its import takes a while.
        from ..drawing.lines import text_lines

        width, height = self.size
        return text_lines(self._view(self.state), width)[:height]

    def close(self) -> None:
        """Take no more looks."""
        self._looker.close()

    def _begin_look(self) -> None:
        if self._looks_left == 0:
            self.is_over = True
            return
        if self._looks_left is not None:
            self._looks_left -= 1
        self._looker.ask()
