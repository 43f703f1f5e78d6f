"""`atectl locks release`: letting go of a lock whose holder is gone, after looking twice."""

import sys
from typing import Annotated

import typer

from atectl.errors import UsageError
from atectl.locks.errors import TokenNeeded
from atectl.locks.keys import DEFAULT_PREFIX

from ..options.ledger import LedgerOption
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
from .options import (
    DEFAULT_TTL,
    ActorArgument,
    PrefixOption,
    ProbeOption,
    TtlOption,
    parse_probe,
    parse_ttl,
)


def release(
    actor: ActorArgument,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the lock frees itself; delete nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look and judge; delete nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Release it although its holder may be alive.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Go ahead without asking; takes --token.")
    ] = False,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Only the lock that has this token.")
    ] = None,
    probe: ProbeOption = None,
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
    """Release a lock that nobody renews any more; waiting for its TTL is usually better.

    It is deleted only if it still is the one that was shown. Every attempt is noted.
    """
    from .releasing import Release, carry_out

    if yes and token is None:
        raise TokenNeeded("--yes goes ahead without asking, so --token has to say with which lock")
    if wait and (force or dry_run):
        raise UsageError("--wait deletes nothing: it goes with neither --force nor --dry-run")
    lock_ttl_s = parse_ttl(ttl)
    wanted = Release(
        actor=actor,
        prefix=prefix,
        lock_ttl_s=lock_ttl_s,
        probe_s=parse_probe(probe, lock_ttl_s, is_wanted=True) or 0.0,
        ledger=ledger,
        token=token,
        is_wait=wait,
        is_dry_run=dry_run,
        is_forced=force,
        is_agreed=yes,
        can_ask=sys.stdin.isatty(),
    )
    where = (redis, redis_password_file, redis_ca, redis_cert, redis_key)
    with connected(*where, redis_server_name, redis_timeout) as connection:
        status = carry_out(connection, wanted)
    raise typer.Exit(status)
