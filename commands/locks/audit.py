"""`atectl locks audit`: lists who released which lock, and when."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import typer

from atectl.errors import AtectlError

from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..options.single import OutputOption, RowsOption
from ..output.stderr import report_error, report_warning, say
from ..output.stdout import Output, print_json, print_view

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection


@with_option_groups
def audit(
    output: OutputOption = Output.table,
    rows: RowsOption = None,
    *,
    redis: RedisOptions,
) -> None:
    """List the attempts to release a lock, the newest first, from your file and from Redis."""
    from atectl.config import lock_audit_path
    from atectl.locks.audit import LockAudit
    from atectl.locks.errors import Incomplete
    from atectl.locks.results import AttemptList
    from atectl.redis.reading import Gap
    from atectl.units import counted

    faults: list[AtectlError] = []
    with _reached(redis, faults) as connection:
        attempts, unread = LockAudit(lock_audit_path(), connection).attempts()
    faults += unread
    attempts = attempts[:rows]
    if output is Output.json:
        print_json(AttemptList(tuple(attempts), tuple(map(Gap.of, faults))))
    elif attempts:
        from .audit_view import attempts_table

        print_view(attempts_table(attempts), output)
    elif not faults:
        say("nobody has released a lock with `atectl locks release` yet")
    for fault in faults:
        report_warning(fault)
    if faults:
        places = counted(len(faults), "place")
        report_error(Incomplete(f"the list is incomplete: {places} could not be read"))
        raise typer.Exit(faults[0].exit_status)


def _reached(
    redis: RedisOptions, faults: list[AtectlError]
) -> "AbstractContextManager[RedisConnection | None]":
    """The connection; None if there is no server to be had, which is noted as a fault."""
    from atectl.redis.errors import RedisFailure

    try:
        return connected(redis)
    except RedisFailure as fault:
        faults.append(fault)
        return nullcontext()
