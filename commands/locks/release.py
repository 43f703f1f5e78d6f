"""`atectl locks release`: releases a lock whose holder is gone, after two looks at it."""

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from atectl.locks.releasing import Intent


WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until the lock frees itself; delete nothing.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only look and judge; delete nothing.")
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Release it although its holder may be alive.")
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Release it without asking; needs --token.")
]
TokenOption = Annotated[
    str | None, typer.Option(metavar="TOKEN", help="Only the lock that has this token.")
]


@with_option_groups
def release(
    actor: ActorArgument,
    wait: WaitOption = False,
    dry_run: DryRunOption = False,
    force: ForceOption = False,
    yes: YesOption = False,
    token: TokenOption = None,
    probe: ProbeOption = None,
    *,
    locks: LockOptions,
    ledger: LedgerOption = None,
    redis: RedisOptions,
) -> None:
    """Release a lock that nobody renews any more; waiting for its TTL is usually better.

    It is deleted only if it is still as it was shown. Every attempt is noted.
    """
    from atectl.locks.releasing import ReleaseRequest

    from .operator import carry_out

    request = ReleaseRequest(
        actor=actor,
        prefix=locks.prefix,
        lock_ttl_s=locks.ttl_s,
        probe_s=parse_probe(probe, locks.ttl_s, is_wanted=True) or 0.0,
        intent=_intent(wait=wait, dry_run=dry_run, force=force, yes=yes),
        token=token,
        is_forced=force,
    )
    with connected(redis) as connection:
        status = carry_out(connection, request, ledger)
    raise typer.Exit(status)


def _intent(*, wait: bool, dry_run: bool, force: bool, yes: bool) -> "Intent":
    from atectl.locks.releasing import Intent

    if wait and (force or dry_run):
        raise UsageError("--wait deletes nothing: it goes with neither --force nor --dry-run")
    if wait:
        return Intent.WAIT
    if dry_run:
        return Intent.JUDGE
    return Intent.RELEASE if yes else Intent.ASK
