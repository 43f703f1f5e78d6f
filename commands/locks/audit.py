"""`atectl locks audit`: lists who released which lock, and when."""

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..options.single import LimitOption, OutputOption
from ..output.stderr import say
from ..output.stdout import Output, print_json, print_view


@with_option_groups
def audit(
    output: OutputOption = Output.table,
    limit: LimitOption = None,
    *,
    redis: RedisOptions,
) -> None:
    """List the attempts to release a lock, the newest first, from your file and from Redis."""
    from atectl.config import lock_audit_path
    from atectl.locks.audit import LockAudit
    from atectl.locks.results import AttemptList

    with connected(redis) as connection:
        attempts = LockAudit(lock_audit_path(), connection).attempts()[:limit]
    if output is Output.json:
        print_json(AttemptList(tuple(attempts)))
    elif not attempts:
        say("nobody has released a lock with `atectl locks release` yet")
    else:
        from .audit_view import attempts_table

        print_view(attempts_table(attempts))
