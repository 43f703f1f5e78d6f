"""`atectl locks ls`: lists actor locks with their verdicts."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from atectl.locks.sorting import ORDER_OF, SortBy

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..options.single import LedgerOption, OutputOption, RowsOption
from ..output.stdout import Output
from .options import FailOn, LockOptions, ProbeOption, counted_down, parse_probe

if TYPE_CHECKING:
    from atectl.locks.survey import Listing
    from atectl.redis.connection import RedisConnection


PatternArgument = Annotated[
    str | None,
    typer.Argument(help="Only these actors: a glob on ATESPACE/NAME, or on NAME alone."),
]
StaleOption = Annotated[
    bool, typer.Option("--stale", help="Only expiring, stuck, foreign and stranded ones.")
]
AtespaceOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only actors of this atespace.")
]
SortOption = Annotated[SortBy | None, typer.Option(help="What the locks are sorted by.")]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Show the locks live until q is pressed.")
]
FailOnOption = Annotated[
    list[FailOn] | None, typer.Option(help="Exit with status 1 if any lock has this verdict.")
]


@with_option_groups
def ls(
    pattern: PatternArgument = None,
    probe: ProbeOption = None,
    stale: StaleOption = False,
    atespace: AtespaceOption = None,
    sort: SortOption = None,
    rows: RowsOption = None,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
    fail_on: FailOnOption = None,
    *,
    locks: LockOptions,
    ledger: LedgerOption = None,
    redis: RedisOptions,
) -> None:
    """List actor locks with their holders, and actors left stranded without one.

    On a terminal, locks are looked at twice, one renewal apart. Elsewhere that needs --probe, or
    --stale or --fail-on, which cannot be answered otherwise.
    """
    is_table, failing = output is not Output.json, fail_on or []
    if watch:
        from ..terminal.watching import require_screen

        require_screen(is_table=is_table)
    is_seen = is_table and sys.stdout.isatty()
    is_wanted = is_seen or stale or any(each.needs_probe for each in failing)
    probe_s = parse_probe(probe, locks.ttl_s, is_wanted=is_wanted)
    # As JSON, locks are printed as they are found unless an order is asked for.
    order = ORDER_OF[sort or SortBy.actor] if sort or is_table else None
    listing = _listing(locks, pattern, atespace, probe_s)._replace(
        is_stale_only=stale, order=order, limit=rows, ledger=ledger
    )
    with connected(redis) as connection:
        status = _shown(connection, listing, failing, output, is_live=watch)
    raise typer.Exit(status)


def _listing(
    locks: LockOptions, pattern: str | None, atespace: str | None, probe_s: float | None
) -> "Listing":
    from atectl.locks.listing import Selection
    from atectl.locks.survey import Listing

    return Listing(
        selection=Selection(locks.prefix, pattern, atespace),
        lock_ttl_s=locks.ttl_s,
        probe=counted_down(probe_s, "; Ctrl-C leaves it at one look"),
    )


def _shown(
    connection: "RedisConnection",
    listing: "Listing",
    failing: list[FailOn],
    output: Output,
    *,
    is_live: bool,
) -> int:
    """Show the locks. Returns the exit status: --fail-on goes before what could not be read."""
    from .gaps import end_status
    from .listing import print_json_listing, print_table

    if is_live:
        from .watch import watch_locks

        return watch_locks(connection, listing)
    if output is Output.json:
        shown = print_json_listing(connection, listing)
    else:
        shown = print_table(connection, listing, output)
    status = end_status(shown.incomplete, "the list")
    return 1 if any(each.verdicts & shown.verdicts for each in failing) else status
