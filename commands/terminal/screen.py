"""A live screen: what is looked at, keys and signals go into a state, frames come out.

Looking goes on beside the keyboard, so that a server that does not answer holds up no key.
"""

import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Generic, Protocol, TypeVar

from .events import Key, Resized
from .keys import LiveTerminal
from .signals import ENDINGS, SignalPipe, ending_among, signal_pipe, stop_with

_BEGIN_FRAME, _END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
_LOOKING_S = 0.05
"""How often it is asked whether a look is over."""


class LiveState(Protocol):
    """What the loop has to know of a state."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def is_paused(self) -> bool: ...
    @property
    def is_done(self) -> bool: ...


State = TypeVar("State", bound=LiveState)
Sample = TypeVar("Sample")


class LiveScreen(Generic[State, Sample]):
    """The loop around a pure state.

    Args:
        look: what is asked, `interval_s` seconds after its last answer, on a thread of its own.
        reduce: the state after a key, a new size or the answer of a look.
        draw: the lines of the whole screen.
    """

    def __init__(
        self,
        look: Callable[[], Sample],
        reduce: Callable[[State, Key | Resized | Sample], State],
        draw: Callable[[State], list[str]],
        interval_s: float,
    ) -> None:
        self._look = look
        self._reduce = reduce
        self._draw_lines = draw
        self._interval_s = interval_s
        self._due = time.monotonic()
        self._under_way: Future[Sample] | None = None
        self._shown: list[str] = []
        self._shown_size = (0, 0)

    def run(self, state: State) -> int:
        """Show it until it is done or a signal ends it; the exit status."""
        with (
            signal_pipe(*ENDINGS, signal.SIGWINCH, signal.SIGTSTP) as signals,
            LiveTerminal() as terminal,
        ):
            try:
                return self._loop(state, terminal, signals)
            except (EOFError, OSError):
                # The terminal went away, which is what SIGHUP is for; it need not have come yet.
                return ENDINGS[signal.SIGHUP].status

    def _loop(self, state: State, terminal: LiveTerminal, signals: SignalPipe) -> int:
        state = self._reduce(state, Resized(*terminal.size()))
        while not state.is_done:
            state = self._looked(state)
            self._draw(state, terminal)
            has_key = terminal.wait(self._patience_s(state), signals.reader)
            received = signals.received()
            ending = ending_among(received)
            if ending is not None:
                return ending.status
            if signal.SIGTSTP in received:
                stop_with([terminal])
                self._shown = []
            if received & {signal.SIGTSTP, signal.SIGWINCH}:
                state = self._reduce(state, Resized(*terminal.size()))
            for name in terminal.read_keys() if has_key else ():
                state = self._reduce(state, Key(name))
        return 0

    def _patience_s(self, state: State) -> float | None:
        if self._under_way is not None:
            return _LOOKING_S
        return None if state.is_paused else max(self._due - time.monotonic(), 0)

    def _looked(self, state: State) -> State:
        """The state with the answer of the last look, if it is there; begin the next if due."""
        if self._under_way is not None and self._under_way.done():
            answer, self._under_way = self._under_way.result(), None
            self._due = time.monotonic() + self._interval_s
            state = self._reduce(state, answer)
        if self._under_way is None and not state.is_paused and time.monotonic() >= self._due:
            self._under_way = Future()
            Thread(target=_fulfil, args=(self._under_way, self._look), daemon=True).start()
        return state

    def _draw(self, state: State, terminal: LiveTerminal) -> None:
        size = (state.width, state.height)
        if size != self._shown_size:
            self._shown, self._shown_size = [], size
        lines = self._draw_lines(state)
        changed = changed_lines(lines, self._shown)
        if changed:
            frame = f"{_BEGIN_FRAME}{changed}{_END_FRAME}"
            terminal.write(frame.encode(sys.stdout.encoding, "replace"))
        self._shown = lines


def _fulfil(future: "Future[Sample]", look: Callable[[], Sample]) -> None:
    try:
        future.set_result(look())
    except BaseException as fault:
        future.set_exception(fault)


def changed_lines(lines: Sequence[str], shown: Sequence[str]) -> str:
    """What turns the screen that shows `shown` into `lines`: only lines that differ.

    Each is as wide as the screen, so nothing need be cleared.
    """
    return "".join(
        f"\x1b[{place + 1};1H{line}"
        for place, line in enumerate(lines)
        if place >= len(shown) or shown[place] != line
    )
