"""What `ledger top` shows: the loop of its live screen, and plain snapshots."""

import signal
import sys
import time
from collections.abc import Callable
from io import StringIO

from atectl.errors import LedgerError
from atectl.ledger_store.overview import Overview

from ..output.stdout import PIPED_WIDTH
from ..terminal.events import Key, Resized
from ..terminal.keys import LiveTerminal
from ..terminal.screen import changed_lines
from ..terminal.signals import ENDINGS, Ending, SignalPipe, ending_among, signal_pipe, stop_with
from .top_state import Event, Sampled, SampleFailed, TopState, reduce

_BEGIN_FRAME, _END_FRAME = "\x1b[?2026h", "\x1b[?2026l"


def watch(
    state: TopState, sample: Callable[[], Overview], *, interval_s: float, frames: int | None
) -> int:
    """Show the ledger live on the terminal until it is quit; the exit status.

    Args:
        state: what to begin with; its size is the terminal's from here on.
        sample: reads the ledger; a `LedgerError` from it is shown, and it is asked again.
        interval_s: seconds between two samples.
        frames: samples to show before ending by itself; None is endless.
    """
    with (
        signal_pipe(*ENDINGS, signal.SIGWINCH, signal.SIGTSTP) as signals,
        LiveTerminal() as terminal,
    ):
        try:
            return _Watch(terminal, signals, sample, interval_s, frames).run(state)
        except (EOFError, OSError):
            # The terminal went away, which is what SIGHUP is for; it need not have come yet.
            return ENDINGS[signal.SIGHUP].status


class _Watch:
    def __init__(
        self,
        terminal: LiveTerminal,
        signals: SignalPipe,
        sample: Callable[[], Overview],
        interval_s: float,
        frames: int | None,
    ) -> None:
        self._terminal = terminal
        self._signals = signals
        self._sample = sample
        self._interval_s = interval_s
        self._frames_left = frames
        self._due = time.monotonic()
        self._shown: list[str] = []
        self._shown_size = (0, 0)

    def run(self, state: TopState) -> int:
        state = reduce(state, Resized(*self._terminal.size()))
        while not state.is_done:
            if time.monotonic() >= self._due and not state.is_paused:
                if self._frames_left == 0:
                    return 0
                state = reduce(state, self._take())
            self._draw(state)
            events = self._wait(state)
            for event in events:
                if isinstance(event, Ending):
                    return event.status
                state = reduce(state, event)
        return 0

    def _take(self) -> Event:
        self._due = time.monotonic() + self._interval_s
        if self._frames_left is not None:
            self._frames_left -= 1
        try:
            return Sampled(self._sample())
        except LedgerError as error:
            return SampleFailed(str(error), time.time())

    def _wait(self, state: TopState) -> list[Event | Ending]:
        timeout_s = None if state.is_paused else max(self._due - time.monotonic(), 0)
        has_key = self._terminal.wait(timeout_s, self._signals.reader)
        events: list[Event | Ending] = []
        received = self._signals.received()
        ending = ending_among(received)
        if ending is not None:
            return [ending]
        if signal.SIGTSTP in received:
            stop_with([self._terminal])
            self._shown = []
        if received & {signal.SIGTSTP, signal.SIGWINCH}:
            events.append(Resized(*self._terminal.size()))
        if has_key:
            events += [Key(name) for name in self._terminal.read_keys()]
        return events

    def _draw(self, state: TopState) -> None:
        size = (state.width, state.height)
        if size != self._shown_size:
            self._shown, self._shown_size = [], size
        lines = frame_lines(state)
        changed = changed_lines(lines, self._shown)
        if changed:
            frame = f"{_BEGIN_FRAME}{changed}{_END_FRAME}"
            self._terminal.write(frame.encode(_encoding(), "replace"))
        self._shown = lines


def frame_lines(state: TopState) -> list[str]:
    """The screen, a string with its colours for each line of the terminal."""
    from rich.console import Console

    from .top_view import top_screen

    console = Console(file=StringIO(), force_terminal=True, width=state.width, highlight=False)
    with console.capture() as capture:
        console.print(top_screen(state, state.width, ascii_only=not _encoding().startswith("utf")))
    return capture.get().split("\n")[: state.height]


def _encoding() -> str:
    return sys.stdout.encoding.lower()


def print_snapshots(
    state: TopState, sample: Callable[[], Overview], *, interval_s: float, count: int
) -> None:
    """Print the state, and `count` - 1 more samples of it, `interval_s` seconds apart."""
    from rich.console import Console

    from .top_view import top_snapshot

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(width=width, color_system=None, force_terminal=False, highlight=False)
    for left in range(count - 1, -1, -1):
        console.print(top_snapshot(state, console.width))
        sys.stdout.flush()
        if left:
            time.sleep(interval_s)
            state = reduce(state, Sampled(sample()))
            console.print()
