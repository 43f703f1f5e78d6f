"""`atectl locks show`: everything about the lock of one actor."""

from typing import TYPE_CHECKING

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..options.single import LedgerOption, OutputOption
from ..output.stdout import Output, print_json, print_view, stdout_console
from .options import (
    ActorArgument,
    LockOptions,
    ProbeOption,
    parse_probe,
)

if TYPE_CHECKING:
    from atectl.locks.charged import ChargedLock
    from atectl.locks.details import LockDetails
    from atectl.redis.connection import RedisConnection


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
    """Show one lock in full: holder, actor, worker, namesakes, and what releasing would do."""
    from atectl.locks.charged import charged
    from atectl.locks.details import lock_details
    from atectl.locks.results import lock_report

    lock_ttl_s = locks.ttl_s
    probe_s = parse_probe(probe, lock_ttl_s, is_wanted=False)
    with connected(redis) as connection:
        details = lock_details(connection, actor, locks.prefix, lock_ttl_s=lock_ttl_s)
        if probe_s is not None:
            details = _looked_again(connection, details, probe_s, lock_ttl_s)
        rows = list(charged(details.locks, ledger))
        warnings = warnings_of_place(connection)
    if output is Output.json:
        print_json(lock_report(details, rows, warnings))
    else:
        print_details(details, rows, lock_ttl_s, warnings)


def print_details(
    details: "LockDetails", rows: "list[ChargedLock]", lock_ttl_s: float, warnings: list[str]
) -> None:
    """Draw everything about a lock."""
    from .details_view import lock_details_view

    ascii_only = stdout_console().options.ascii_only
    print_view(
        lock_details_view(details, rows, lock_ttl_s, more_warnings=warnings, ascii_only=ascii_only)
    )


def warnings_of_place(connection: "RedisConnection") -> list[str]:
    """What to know about locks kept in this place, as words that the view explains."""
    found = {"replica": connection.is_replica, "failover": connection.kind != "single"}
    return [word for word, holds in found.items() if holds]


def _looked_again(
    connection: "RedisConnection", details: "LockDetails", probe_s: float, lock_ttl_s: float
) -> "LockDetails":
    from atectl.locks.listing import look_again

    from ..terminal.countdown import count_down

    if any(lock.key is not None for lock in details.locks):
        count_down(probe_s, lambda left: f"looking again in {left} s")
    again = look_again(connection, details.locks, lock_ttl_s=lock_ttl_s)
    return details._replace(locks=tuple(again))
