"""`atectl ledger top`: a live screen on a terminal, plain snapshots elsewhere."""

import sys
from typing import Annotated

import typer

from atectl.errors import BadDuration
from atectl.ledger_store.opening import LedgerReader
from atectl.ledger_store.overview import GroupBy
from atectl.units import parse_duration

from ..options.single import LedgerOption, RowsOption
from ..terminal.frames import can_draw
from .options import HostOption, PrincipalOption, SortOption
from .sorting import ORDER_OF, SortBy

MIN_INTERVAL_S = 0.1
RECENT_LEASES = 50
"""How many leases of a principal the details have at most: as many as a high screen shows."""


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
    by: Annotated[
        GroupBy, typer.Option(help="Show accounts below the leases, or what runs by this.")
    ] = GroupBy.principal,
) -> None:
    """Watch accounts and running leases live. In a pipe, print snapshots."""
    from .top_state import Sampled, TopState, reduce

    interval_s = _parse_interval(interval)
    reader = LedgerReader(ledger)

    def sample(about: str | None = None) -> Sampled:
        """The ledger now, and all about one principal if one is given."""
        from atectl.ledger_store.overview import account_details, take_overview

        with reader.store() as store:
            overview = take_overview(store, principal, host)
            details = None
            if about is not None and store.account(about) is not None:
                details = account_details(store, about, RECENT_LEASES)
            return Sampled(overview, details)

    # The first sample is taken here: a ledger that cannot be opened is an error, not a red line.
    is_live = not once and _is_live()
    order = ORDER_OF[sort]
    state = TopState(0, 0, order=order, limit=rows, by=by, shows_idle=not is_live)
    state = reduce(state, sample())
    if not is_live:
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
