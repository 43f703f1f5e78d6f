"""`atectl locks ls`: lists actor locks with their verdicts."""

import sys
from typing import Annotated

import typer

from atectl.errors import UsageError
from atectl.locks.sorting import ORDER_OF, SortBy

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..options.single import LedgerOption, LimitOption, OutputOption
from ..output.stdout import Output
from .options import (
    FailOn,
    LockOptions,
    ProbeOption,
    counted_down,
    parse_probe,
)


@with_option_groups
def ls(
    pattern: Annotated[
        str | None,
        typer.Argument(help="Only these actors: a glob on ATESPACE/NAME, or on NAME alone."),
    ] = None,
    probe: ProbeOption = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only expiring, stuck, foreign and stranded ones.")
    ] = False,
    atespace: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only actors of this atespace.")
    ] = None,
    sort: Annotated[SortBy | None, typer.Option(help="What the locks are sorted by.")] = None,
    limit: LimitOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the locks live until q is pressed.")
    ] = False,
    output: OutputOption = Output.table,
    fail_on: Annotated[
        list[FailOn] | None, typer.Option(help="Exit with status 1 if any lock has this verdict.")
    ] = None,
    *,
    locks: LockOptions,
    ledger: LedgerOption = None,
    redis: RedisOptions,
) -> None:
    """List actor locks with their holders, and actors left stranded without one.

    On a terminal, locks are looked at twice, one renewal apart. Elsewhere that needs --probe, or
    --stale or --fail-on, which cannot be answered otherwise.
    """
    from atectl.locks.listing import Selection
    from atectl.locks.survey import Listing

    from .gaps import end_status
    from .listing import print_json_listing, print_table

    is_table = output is Output.table
    if watch and not (sys.stdin.isatty() and sys.stdout.isatty() and is_table):
        raise UsageError("--watch needs a terminal, and draws a table")
    failing = fail_on or []
    lock_ttl_s = locks.ttl_s
    is_wanted = (
        (is_table and sys.stdout.isatty()) or stale or any(each.needs_probe for each in failing)
    )
    listing = Listing(
        selection=Selection(locks.prefix, pattern, atespace),
        lock_ttl_s=lock_ttl_s,
        probe=counted_down(
            parse_probe(probe, lock_ttl_s, is_wanted=is_wanted), "; Ctrl-C leaves it at one look"
        ),
        is_stale_only=stale,
        # As JSON, locks are printed as they are found unless an order is asked for.
        order=ORDER_OF[sort or SortBy.actor] if sort or is_table else None,
        limit=limit,
        ledger=ledger,
    )
    with connected(redis) as connection:
        if watch:
            from .watch import watch_locks

            raise typer.Exit(watch_locks(connection, listing))
        show = print_table if is_table else print_json_listing
        shown = show(connection, listing)
    status = end_status(shown.incomplete, "the list")
    if any(each.verdicts & shown.verdicts for each in failing):
        status = 1
    if status:
        raise typer.Exit(status)
