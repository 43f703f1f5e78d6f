"""`atectl locks audit`: who released which lock, and when."""

from ..options.ledger import LimitOption
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
from ..output.stderr import say
from ..output.stdout import Output, print_json, print_view


def audit(
    output: OutputOption = Output.table,
    limit: LimitOption = None,
    redis: RedisOption = None,
    redis_password_file: PasswordFileOption = None,
    redis_ca: CaOption = None,
    redis_cert: CertOption = None,
    redis_key: KeyOption = None,
    redis_server_name: ServerNameOption = None,
    redis_timeout: TimeoutOption = None,
) -> None:
    """List the attempts to release a lock, the newest first, from this host's file and Redis."""
    from atectl.config import lock_audit_path
    from atectl.locks.audit import LockAudit

    from .as_json import attempt_json

    where = (redis, redis_password_file, redis_ca, redis_cert, redis_key)
    with connected(*where, redis_server_name, redis_timeout) as connection:
        attempts = LockAudit(lock_audit_path(), connection).attempts()[:limit]
    if output is Output.json:
        print_json({"attempts": [attempt_json(attempt) for attempt in attempts]})
    elif not attempts:
        say("nobody has released a lock with `atectl locks release` yet")
    else:
        from .audit_view import attempts_table

        print_view(attempts_table(attempts))
