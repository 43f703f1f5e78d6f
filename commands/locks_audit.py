"""`atectl locks audit`: who released which lock, and when."""

from .ledger_options import LimitOption, say
from .locks_options import connected
from .output import Output, print_json, print_view
from .output_option import OutputOption
from .redis_options import (
    CaOption,
    CertOption,
    KeyOption,
    PasswordFileOption,
    RedisOption,
    ServerNameOption,
    TimeoutOption,
)


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
    from atectl.lock_audit import LockAudit

    from .locks_json import attempt_json

    where = (redis, redis_password_file, redis_ca, redis_cert, redis_key)
    with connected(*where, redis_server_name, redis_timeout) as connection:
        attempts = LockAudit(lock_audit_path(), connection).attempts()[:limit]
    if output is Output.json:
        print_json({"attempts": [attempt_json(attempt) for attempt in attempts]})
    elif not attempts:
        say("nobody has released a lock with `atectl locks release` yet")
    else:
        from .views.lock_audit import attempts_table

        print_view(attempts_table(attempts))
