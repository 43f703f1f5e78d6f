"""`ledger top` without a live screen: plain snapshots on stdout, no terminal control in them."""

import sys
import time
from collections.abc import Callable

from rich.console import Console  # noqa: TID253

from atectl.ledger_store.overview import Overview

from .output import PIPED_WIDTH
from .top_state import Sampled, TopState, reduce
from .views.ledger_top import top_snapshot


def print_snapshots(
    state: TopState, sample: Callable[[], Overview], *, interval_s: float, count: int
) -> None:
    """Print the state, and `count` - 1 more samples of it, `interval_s` seconds apart."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(width=width, color_system=None, force_terminal=False, highlight=False)
    for left in range(count - 1, -1, -1):
        console.print(top_snapshot(state, console.width))
        sys.stdout.flush()
        if left:
            time.sleep(interval_s)
            state = reduce(state, Sampled(sample()))
            console.print()
