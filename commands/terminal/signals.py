"""Signals: one table of those that end a command, and two ways to receive them.

A command with an event loop reads signals from a pipe: `signal_pipe`. A command whose main thread
waits for guests handles them there: `ended_by_signals`. In both, a signal that was ignored when
the program was started stays ignored, as under nohup.
"""

import os
import signal
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple, NoReturn, Protocol

from atectl.errors import INTERRUPTED_STATUS, TERMINATED_STATUS
from atectl.lease.outcome import INTERRUPTED, TERMINATED

Handler = Callable[[int, FrameType | None], None]


class Ending(NamedTuple):
    """What a signal asks for: that the command ends, for this reason and with this status."""

    reason: str
    status: int


ENDINGS = {
    signal.SIGINT: Ending(INTERRUPTED, INTERRUPTED_STATUS),
    signal.SIGTERM: Ending(TERMINATED, TERMINATED_STATUS),
    signal.SIGHUP: Ending(TERMINATED, TERMINATED_STATUS),
}
"""The signals that end a command. Where several came, the first of this table counts."""


class Suspendable(Protocol):
    """What has to leave the terminal while the program is stopped."""

    def suspend(self) -> None: ...
    def resume(self) -> None: ...


class Leaving(Protocol):
    """What has to leave the terminal before the program ends at once."""

    def leave_at_once(self) -> None: ...


class Screen(Suspendable, Leaving, Protocol):
    """What is on the terminal beside the output of guests."""

    def cover_echo(self) -> None: ...


def ending_among(received: Container[int]) -> Ending | None:
    """What these signals ask for; None if none of them ends a command."""
    return next((ENDINGS[number] for number in ENDINGS if number in received), None)


def stop_with(screens: Sequence[Suspendable]) -> None:
    """Stop this process, as Ctrl-Z asks, with the screens off the terminal until it goes on."""
    from atectl.system.signals import stop_as_asked  # few are stopped, and all would pay for it

    for screen in screens:
        screen.suspend()
    stop_as_asked()
    for screen in screens:
        screen.resume()


@contextmanager
def leaving_at_quit(screens: Sequence[Leaving]) -> Iterator[None]:
    """Have Ctrl-\\ end the program at once, as always, but with the screens off the terminal.

    This is a handler in every command: one that is stuck and reads no pipe is to be ended too.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        for screen in screens:
            screen.leave_at_once()
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGQUIT)

    with _handling({signal.SIGQUIT: leave} if screens else {}):
        yield


class SignalPipe(NamedTuple):
    """`reader` is readable when a signal came."""

    reader: int

    def received(self) -> set[int]:
        """The numbers of the signals that came since the last call."""
        try:
            return set(os.read(self.reader, 1024))
        except BlockingIOError:
            return set()


@contextmanager
def signal_pipe(*signals: signal.Signals) -> Iterator[SignalPipe]:
    """Receive `signals` through a pipe for as long as this is entered."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    wakeup_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        with _handling(dict.fromkeys(signals, lambda _number, _frame: None)):
            yield SignalPipe(reader)
    finally:
        signal.set_wakeup_fd(wakeup_before)
        os.close(reader)
        os.close(writer)


class Received:
    """What was received so far: `ending` is None until a signal asks for the end."""

    def __init__(self) -> None:
        self.ending: Ending | None = None


@contextmanager
def ended_by_signals(
    end: Callable[[Ending], None], screens: Sequence[Screen] = ()
) -> Iterator[Received]:
    """End in order at the first signal, and at once at the second, for as long as this is entered.

    Args:
        end: begins an orderly end; called once, by the main thread between two of its steps.
        screens: what is on the terminal. It leaves for as long as Ctrl-Z stops the program.
    """
    received = Received()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        ending = ENDINGS[signal.Signals(number)]
        if received.ending is not None:
            _leave_at_once(ending.status, screens)
        received.ending = ending
        if number == signal.SIGINT:
            for screen in screens:
                screen.cover_echo()
        end(ending)

    handlers: dict[signal.Signals, Handler] = dict.fromkeys(ENDINGS, on_signal)
    if screens:
        handlers[signal.SIGTSTP] = lambda _number, _frame: stop_with(screens)
    with _handling(handlers), leaving_at_quit(screens):
        yield received


def _leave_at_once(status: int, screens: Sequence[Screen]) -> NoReturn:
    for screen in screens:
        screen.leave_at_once()
    os._exit(status)


@contextmanager
def _handling(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    previous: dict[signal.Signals, Callable[..., Any] | int | None] = {}
    for number, handler in handlers.items():
        # SIGCHLD asks for nothing. Ignored, it would have the system reap children unseen.
        if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
