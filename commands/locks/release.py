"""`atectl locks release`: releases a lock whose holder is gone, after two looks at it."""

from typing import Annotated

import typer

from atectl.errors import UsageError

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..options.single import LedgerOption
from .options import (
    ActorArgument,
    LockOptions,
    ProbeOption,
    parse_probe,
)


@with_option_groups
def release(
    actor: ActorArgument,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the lock frees itself; delete nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look and judge; delete nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Release it although its holder may be alive.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Release it without asking; needs --token.")
    ] = False,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Only the lock that has this token.")
    ] = None,
    probe: ProbeOption = None,
    *,
    locks: LockOptions,
    ledger: LedgerOption = None,
    redis: RedisOptions,
) -> None:
    """Release a lock that nobody renews any more; waiting for its TTL is usually better.

    It is deleted only if it is still as it was shown. Every attempt is noted.
    """
    from atectl.locks.releasing import Intent, ReleaseRequest

    from .operator import carry_out

    if wait and (force or dry_run):
        raise UsageError("--wait deletes nothing: it goes with neither --force nor --dry-run")
    intent = (
        Intent.WAIT if wait else Intent.JUDGE if dry_run else Intent.RELEASE if yes else Intent.ASK
    )
    lock_ttl_s = locks.ttl_s
    request = ReleaseRequest(
        actor=actor,
        prefix=locks.prefix,
        lock_ttl_s=lock_ttl_s,
        probe_s=parse_probe(probe, lock_ttl_s, is_wanted=True) or 0.0,
        intent=intent,
        token=token,
        is_forced=force,
    )
    with connected(redis) as connection:
        status = carry_out(connection, request, ledger)
    raise typer.Exit(status)
