"""`atectl locks show`: shows everything about the lock of one actor."""

from typing import TYPE_CHECKING

import typer

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..options.single import LedgerOption, OutputOption
from ..output.stdout import Output, print_json, print_view, stdout_console
from .options import (
    ActorArgument,
    LockOptions,
    ProbeOption,
    counted_down,
    parse_probe,
)

if TYPE_CHECKING:
    from atectl.locks.charged import ChargedLock
    from atectl.locks.details import LockDetails


@with_option_groups
def show(
    actor: ActorArgument,
    probe: ProbeOption = None,
    output: OutputOption = Output.table,
    *,
    locks: LockOptions,
    ledger: LedgerOption = None,
    redis: RedisOptions,
) -> None:
    """Show one lock in full: holder, actor, worker, same names, and what a release would do."""
    from atectl.locks.charged import Charges, charged
    from atectl.locks.details import lock_details
    from atectl.locks.results import lock_report
    from atectl.redis.reading import Gap

    from .gaps import end_status

    lock_ttl_s = locks.ttl_s
    second = counted_down(parse_probe(probe, lock_ttl_s, is_wanted=False))
    with connected(redis) as connection:
        details = lock_details(connection, actor, locks.prefix, lock_ttl_s=lock_ttl_s, probe=second)
    charges = Charges(ledger)
    rows = list(charged(details.locks, charges))
    if charges.fault is not None:
        details = details._replace(incomplete=(*details.incomplete, Gap.of(charges.fault)))
    if output is Output.json:
        print_json(lock_report(details, rows))
    else:
        print_details(details, rows, lock_ttl_s, output)
    if status := end_status(details.incomplete, "what is shown"):
        raise typer.Exit(status)


def print_details(
    details: "LockDetails",
    rows: "list[ChargedLock]",
    lock_ttl_s: float,
    output: Output = Output.table,
) -> None:
    """Draw everything about a lock."""
    from .details_view import lock_details_view

    ascii_only = stdout_console().options.ascii_only
    print_view(lock_details_view(details, rows, lock_ttl_s, ascii_only=ascii_only), output)
