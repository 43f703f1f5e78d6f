"""Signals as bytes to wait for beside the keyboard, instead of interruptions anywhere."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class SignalPipe(NamedTuple):
    """`reader` is readable when a signal came."""

    reader: int

    def received(self) -> set[int]:
        """The numbers of the signals that came since this was last asked."""
        try:
            return set(os.read(self.reader, 1024))
        except BlockingIOError:
            return set()


@contextmanager
def signal_pipe(*signals: signal.Signals) -> Iterator[SignalPipe]:
    """Have `signals` come through a pipe for as long as this is entered."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {number: signal.signal(number, lambda *_: None) for number in signals}
    wakeup_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield SignalPipe(reader)
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
