"""What `ledger top` shows: its live screen, and plain snapshots."""

import sys
import time
from collections.abc import Callable
from functools import partial

from atectl.errors import AtectlError, LedgerError
from atectl.ledger_store.records import LeaseRecord

from ..output.stdout import PIPED_WIDTH
from ..terminal.events import Resized
from ..terminal.frames import is_ascii_only
from ..terminal.live import Live
from ..terminal.screen import LiveScreen
from .top_state import Event, Sampled, SampleFailed, Told, TopState, reduce
from .top_view import top_screen, top_snapshot


def watch(
    state: TopState,
    sample: Callable[[str | None], Sampled],
    *,
    interval_s: float,
    looks: int | None,
) -> int:
    """Show the ledger live on the terminal until it is quit; the exit status.

    Args:
        state: the first state. Its size becomes that of the terminal.
        sample: reads the ledger, and all about a principal if one is given. A `LedgerError` is
            shown, and it is called again.
        interval_s: seconds between two samples.
        looks: how many samples to take before it ends; None for no end.
    """

    def look() -> Sampled | SampleFailed:
        try:
            return sample(live.state.wanted_details)
        except LedgerError as error:
            return SampleFailed(str(error), time.time())

    def change(before: TopState, event: Event | Resized) -> TopState:
        """The state after an event, and what that asks for beside."""
        after = reduce(before, event)
        if after.wanted_details not in (None, before.wanted_details):
            live.hurry()
        if after.ordered is not None:
            after = reduce(after, Told(_end(after.ordered)))
            live.hurry()
        return after

    view = partial(top_screen, ascii_only=is_ascii_only(sys.stdout))
    live: Live[TopState, Event] = Live(
        state, look, change, view, interval_s=interval_s, looks=looks
    )
    return LiveScreen[TopState, Event](live).run()


def _end(lease: LeaseRecord) -> str:
    """Tell a lease to end; what came of that."""
    from atectl.batch.ending import end_lease

    try:
        end_lease([lease], lease.id)
    except AtectlError as error:
        return str(error)
    return f"lease {lease.id} was told to end"


def print_snapshots(
    state: TopState, sample: Callable[[], Sampled], *, interval_s: float, count: int
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
            state = reduce(state, sample())
            console.print()
