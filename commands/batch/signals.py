"""How signals end a batch: Ctrl-C at once, a termination after a time of grace."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from atectl.lease.outcome import INTERRUPTED, TERMINATED

from ..terminal.signals import Ending, Received, Screen, ended_by_signals
from .loop import Runner
from .tally import Tally


@contextmanager
def ending_by_signals(
    batch: Runner, tally: Tally, screens: Sequence[Screen], grace_s: float
) -> Iterator[Received]:
    """End the batch by signals for as long as this is entered.

    Ctrl-C ends the jobs that run. SIGTERM and SIGHUP give them `grace_s` seconds to finish, then
    end them. No job is started after either, and a second signal ends this process at once.
    """
    timers: list[threading.Timer] = []

    def end(ending: Ending) -> None:
        tally.is_stopping = True
        if ending.reason == INTERRUPTED:
            batch.end_all(INTERRUPTED)
            return
        batch.stop()
        timer = threading.Timer(grace_s, batch.end_all, (TERMINATED,))
        timer.daemon = True
        timer.start()
        timers.append(timer)

    with ended_by_signals(end, screens) as received:
        try:
            yield received
        finally:
            for timer in timers:
                timer.cancel()
