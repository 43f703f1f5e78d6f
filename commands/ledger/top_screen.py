"""What `ledger top` shows: its live screen, and plain snapshots."""

import sys
import time
from collections.abc import Callable
from functools import partial

from atectl.errors import LedgerError
from atectl.ledger_store.overview import Overview

from ..output.stdout import PIPED_WIDTH
from ..terminal.frames import is_ascii_only
from ..terminal.live import Live
from ..terminal.screen import LiveScreen
from .top_state import Event, Sampled, SampleFailed, TopState, reduce
from .top_view import top_screen, top_snapshot


def watch(
    state: TopState, sample: Callable[[], Overview], *, interval_s: float, looks: int | None
) -> int:
    """Show the ledger live on the terminal until it is quit; the exit status.

    Args:
        state: the first state. Its size becomes that of the terminal.
        sample: reads the ledger. A `LedgerError` is shown, and it is called again.
        interval_s: seconds between two samples.
        looks: how many samples to take before it ends; None for no end.
    """

    def look() -> Sampled | SampleFailed:
        try:
            return Sampled(sample())
        except LedgerError as error:
            return SampleFailed(str(error), time.time())

    view = partial(top_screen, ascii_only=is_ascii_only(sys.stdout))
    live: Live[TopState, Event] = Live(
        state, look, reduce, view, interval_s=interval_s, looks=looks
    )
    return LiveScreen[TopState, Event](live).run()


def print_snapshots(
    state: TopState, sample: Callable[[], Overview], *, interval_s: float, count: int
) -> None:
    """Print `count` snapshots, `interval_s` seconds apart. `state` is the first."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(width=width, color_system=None, force_terminal=False, highlight=False)
    for left in range(count - 1, -1, -1):
        console.print(top_snapshot(state, console.width))
        sys.stdout.flush()
        if left:
            time.sleep(interval_s)
            state = reduce(state, Sampled(sample()))
            console.print()
