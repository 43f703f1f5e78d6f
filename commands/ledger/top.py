"""`atectl ledger top`: a live screen on a terminal, plain snapshots elsewhere."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from atectl.errors import BadDuration
from atectl.ledger_store.opening import LedgerReader
from atectl.units import parse_duration

from ..options.single import LedgerOption, RowsOption
from ..terminal.frames import can_draw
from .options import HostOption, PrincipalOption, SortOption
from .sorting import ORDER_OF, SortBy

if TYPE_CHECKING:
    from atectl.ledger_store.overview import Overview

MIN_INTERVAL_S = 0.1


def top(
    ledger: LedgerOption = None,
    interval: Annotated[
        str,
        typer.Option(
            "--interval",
            "-d",
            metavar="DURATION",
            help="Time between two samples, at least 100ms.",
        ),
    ] = "1s",
    once: Annotated[bool, typer.Option("--once", help="Print one snapshot and exit.")] = False,
    frames: Annotated[
        int | None, typer.Option("-n", min=1, metavar="N", help="Exit after N samples.")
    ] = None,
    sort: SortOption = SortBy.memory,
    rows: RowsOption = None,
    principal: PrincipalOption = None,
    host: HostOption = None,
) -> None:
    """Watch accounts and running leases live. In a pipe, print snapshots."""
    from .top_state import Sampled, TopState, reduce

    interval_s = _parse_interval(interval)
    reader = LedgerReader(ledger)

    def sample() -> "Overview":
        from atectl.ledger_store.overview import take_overview

        with reader.store() as store:
            return take_overview(store, principal, host)

    # The first sample is taken here: a ledger that cannot be opened is an error, not a red line.
    state = TopState(width=0, height=0, order=ORDER_OF[sort], limit=rows)
    state = reduce(state, Sampled(sample()))
    if once or not _is_live():
        from .top_screen import print_snapshots

        count = 1 if once or frames is None else frames
        print_snapshots(state, sample, interval_s=interval_s, count=count)
        return

    from .top_screen import watch

    raise typer.Exit(watch(state, sample, interval_s=interval_s, looks=frames))


def _parse_interval(text: str) -> float:
    interval_s = parse_duration(text)
    if interval_s < MIN_INTERVAL_S:
        raise BadDuration(f"--interval {text} is too short; the minimum is 100ms")
    return interval_s


def _is_live() -> bool:
    return can_draw() and sys.stdin.isatty() and sys.stdout.isatty()
