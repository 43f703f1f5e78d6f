"""A live screen: it has the whole terminal, and keys change its state."""

import signal
import sys
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from atectl.system.signals import stop_as_asked

from .events import Key
from .frames import changed_lines, frame
from .keys import LiveTerminal, TerminalGone
from .live import Live
from .signals import (
    ENDINGS,
    Ending,
    SignalPipe,
    ending_among,
    leaving_at_quit,
    signal_pipe,
)

_WATCHED = (*ENDINGS, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)


class ScreenState(Protocol):
    """What a screen has to know of its state."""

    @property
    def is_paused(self) -> bool: ...
    @property
    def is_done(self) -> bool: ...


State = TypeVar("State", bound=ScreenState)
Event = TypeVar("Event")


class LiveScreen(Generic[State, Event]):
    """Shows something live on the terminal until it is over, left, or ended by a signal."""

    def __init__(self, live: Live[State, Key | Event]) -> None:
        self._live = live
        self._shown: Sequence[str] = ()
        self._shown_size = (0, 0)

    def run(self) -> int:
        """Show it to its end; the exit status."""
        terminal = LiveTerminal()
        with signal_pipe(*_WATCHED) as signals, leaving_at_quit([terminal]):
            try:
                ending = _come_to_the_front(terminal, signals)
                if ending is None:
                    with terminal:
                        ending = self._loop(terminal, signals)
            except TerminalGone:
                # It was hung up, which is what SIGHUP tells; that need not have come yet.
                ending = ENDINGS[signal.SIGHUP]
            finally:
                self._live.close()
        return 0 if ending is None else ending.status

    def _loop(self, terminal: LiveTerminal, signals: SignalPipe) -> Ending | None:
        live = self._live
        live.resize(*terminal.size())
        while not live.state.is_done:
            live.update(is_paused=live.state.is_paused)
            if live.is_over:
                break
            self._draw(terminal)
            patience_s = live.patience_s(is_paused=live.state.is_paused)
            has_key = terminal.wait(patience_s, signals.reader, live.reader)
            received = signals.received()
            ending = ending_among(received)
            if ending is not None:
                return ending
            if received & {signal.SIGTSTP, signal.SIGCONT}:
                ending = _leave_for_others(terminal, signals, is_stopped=signal.SIGTSTP in received)
                if ending is not None:
                    return ending
                self._shown = ()
                has_key = False  # another job may have read it
            if received & {signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH}:
                live.resize(*terminal.size())
            for name in terminal.read_keys() if has_key else ():
                live.feed(Key(name))
        return None

    def _draw(self, terminal: LiveTerminal) -> None:
        if self._live.size != self._shown_size:
            self._shown, self._shown_size = (), self._live.size
        lines = self._live.lines()
        changed = changed_lines(lines, self._shown)
        if changed:
            terminal.write(frame(changed).encode(sys.stdout.encoding, "replace"))
        self._shown = lines


def _come_to_the_front(terminal: LiveTerminal, signals: SignalPipe) -> Ending | None:
    """Wait, stopped, until this program is in front; what ends it before that, if anything does."""
    while not terminal.is_in_front:
        terminal.stop_behind()
        ending = ending_among(signals.received())
        if ending is not None:
            return ending
    return None


def _leave_for_others(
    terminal: LiveTerminal, signals: SignalPipe, *, is_stopped: bool
) -> Ending | None:
    """Stop as Ctrl-Z asks, or go on after a stop that nobody announced; what ends the program."""
    if is_stopped:
        terminal.suspend()
        stop_as_asked()
    ending = ending_among(signals.received()) or _come_to_the_front(terminal, signals)
    if ending is None:
        terminal.resume() if is_stopped else terminal.repair()
    return ending
