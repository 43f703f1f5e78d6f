"""How signals end a batch, the first in order and the second at once; and how Ctrl-Z stops it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from .tally import Tally

if TYPE_CHECKING:
    from atectl.batch.batch import Batch

    from ..terminal.guest import GuestTerminal

_Handler = Callable[[int, FrameType | None], None]

_STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


class Ending:
    """What the signals came to: `exit_status` is None as long as none came."""

    def __init__(self) -> None:
        self.exit_status: int | None = None


@contextmanager
def ending_by_signals(
    batch: "Batch", tally: Tally, screens: "Sequence[GuestTerminal]", grace_s: float
) -> Iterator[Ending]:
    """End the batch by signals for as long as this is entered.

    Ctrl-C ends what runs. SIGTERM and SIGHUP give it `grace_s` to finish, then end it. No job is
    started after either, and a second signal ends this process at once.
    """
    ending = Ending()
    timers: list[threading.Timer] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        status = _STATUSES[signal.Signals(number)]
        if ending.exit_status is not None:
            for screen in screens:
                screen.leave_at_once()
            os._exit(status)
        ending.exit_status = status
        tally.is_stopping = True
        if number == signal.SIGINT:
            batch.end_all("interrupted")
            return
        batch.stop()
        timer = threading.Timer(grace_s, batch.end_all, ("terminated",))
        timer.daemon = True
        timer.start()
        timers.append(timer)

    handlers: dict[signal.Signals, _Handler] = dict.fromkeys(_STATUSES, on_signal)
    if screens:
        from ..terminal.guest import stop_with

        handlers[signal.SIGTSTP] = lambda _number, _frame: stop_with(screens)
    with _handling(handlers):
        try:
            yield ending
        finally:
            for timer in timers:
                timer.cancel()


@contextmanager
def _handling(handlers: dict[signal.Signals, _Handler]) -> Iterator[None]:
    """Handle signals, but for those that whoever started this process has it ignore."""
    previous: dict[signal.Signals, Callable[..., Any] | int | None] = {}
    for number, handler in handlers.items():
        if signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
