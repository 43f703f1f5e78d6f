"""`atectl locks ls`: every actor lock, with what it is found to be."""

import sys
from typing import Annotated

import typer

from atectl.errors import UsageError
from atectl.locks.keys import DEFAULT_PREFIX

from ..options.ledger import LedgerOption, LimitOption
from ..options.output import OutputOption
from ..options.redis import (
    CaOption,
    CertOption,
    KeyOption,
    PasswordFileOption,
    RedisOption,
    ServerNameOption,
    TimeoutOption,
    connected,
)
from ..output.stdout import Output
from .options import (
    DEFAULT_TTL,
    FailOn,
    PrefixOption,
    ProbeOption,
    TtlOption,
    parse_probe,
    parse_ttl,
)
from .sorting import ORDER_OF, SortBy


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
        bool, typer.Option("--watch", help="Keep looking until q is pressed.")
    ] = False,
    output: OutputOption = Output.table,
    fail_on: Annotated[
        list[FailOn] | None, typer.Option(help="Exit with 1 if any lock is found to be this.")
    ] = None,
    prefix: PrefixOption = DEFAULT_PREFIX,
    ttl: TtlOption = DEFAULT_TTL,
    ledger: LedgerOption = None,
    redis: RedisOption = None,
    redis_password_file: PasswordFileOption = None,
    redis_ca: CaOption = None,
    redis_cert: CertOption = None,
    redis_key: KeyOption = None,
    redis_server_name: ServerNameOption = None,
    redis_timeout: TimeoutOption = None,
) -> None:
    """List actor locks with their holders, and actors left stranded without one.

    On a terminal locks are looked at twice, a renewal apart; elsewhere only with --probe, or where
    --stale or --fail-on cannot be answered otherwise.
    """
    from .listing import Listing, Selection, print_json_listing, print_table, watch_locks

    if watch and not (sys.stdin.isatty() and sys.stdout.isatty() and output is Output.table):
        raise UsageError("--watch needs a terminal, and draws a table")
    failing = fail_on or []
    lock_ttl_s = parse_ttl(ttl)
    on_terminal = sys.stdout.isatty() and output is Output.table
    is_wanted = on_terminal or stale or any(each.needs_probe for each in failing)
    listing = Listing(
        selection=Selection(prefix, pattern, atespace),
        lock_ttl_s=lock_ttl_s,
        probe_s=parse_probe(probe, lock_ttl_s, is_wanted=is_wanted),
        is_stale_only=stale,
        order=None if sort is None else ORDER_OF[sort],
        limit=limit,
        ledger=ledger,
    )
    where = (redis, redis_password_file, redis_ca, redis_cert, redis_key)
    with connected(*where, redis_server_name, redis_timeout) as connection:
        if watch:
            raise typer.Exit(watch_locks(connection, listing))
        show = print_json_listing if output is Output.json else print_table
        found = show(connection, listing)
    if any(each.verdicts & found for each in failing):
        raise typer.Exit(1)
