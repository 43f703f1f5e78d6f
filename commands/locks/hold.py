"""`atectl locks hold`: runs a command while holding an actor's lock."""

import os
import shlex
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from atectl.accounting import DEFAULT_DEADLINE_S, Principal
from atectl.locks.keys import DEFAULT_PREFIX, lock_key, other_forms, parse_actor
from atectl.units import duration_text, parse_duration

from ..options.candidates import complete_principal
from ..options.places import RedisOptions, connected
from ..options.signature import with_option_groups
from ..output.stderr import report_error, report_warning, tell_of_wait
from ..terminal.signals import signal_pipe
from .options import DEFAULT_TTL, ActorArgument, PrefixOption

if TYPE_CHECKING:
    from atectl.locks.holding import LockTerms

DEFAULT_DEADLINE = duration_text(DEFAULT_DEADLINE_S)

HELP = "\n\n".join(
    (
        "Run a command while holding an actor's lock.",
        "The command finds ATECTL_LOCK_ACTOR, ATECTL_LOCK_KEY, ATECTL_LOCK_TOKEN and "
        "ATECTL_LOCK_FENCE in its environment; the fence is a number that rises with every "
        "holder. Whatever the command leaves running, daemons too, is killed before the lock is "
        "released. It does not find ATECTL_REDIS_URL, unless --pass-redis is given. Everybody who "
        "can list the locks sees the command line.",
        "Exit status: the command's own, or 2 usage, 75 the lock is busy, 124 deadline, 125 the "
        "lock was lost or there is no Redis, 126 not executable, 127 no such command.",
    )
)

CommandArgument = Annotated[
    list[str],
    typer.Argument(metavar="[--] COMMAND [ARGS]...", help="What to run while the lock is held."),
]
HoldTtlOption = Annotated[
    str,
    typer.Option(
        "--lock-ttl",
        metavar="DURATION",
        help="The lock frees itself this long after atectl dies; it is renewed every third of it.",
    ),
]
DeadlineOption = Annotated[
    str, typer.Option(metavar="DURATION", help="How long the command may run; `none` for any time.")
]
WaitOption = Annotated[
    str | None,
    typer.Option(
        "--lock-wait",
        metavar="DURATION",
        help="How long to wait for a lock that is held, or a server that does not answer.",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--lock-strict",
        help="Refuse to begin while a lock with an older or newer form of the key is held.",
    ),
]
PassRedisOption = Annotated[
    bool,
    typer.Option("--pass-redis", help="Leave ATECTL_REDIS_URL in the command's environment."),
]
PrincipalOption = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="Whose work it is. Lists of locks show it.",
        autocompletion=complete_principal,
    ),
]


@with_option_groups
def hold(
    actor: ActorArgument,
    command: CommandArgument,
    ttl: HoldTtlOption = DEFAULT_TTL,
    deadline: DeadlineOption = DEFAULT_DEADLINE,
    wait: WaitOption = None,
    principal: PrincipalOption = None,
    prefix: PrefixOption = DEFAULT_PREFIX,
    strict: StrictOption = False,
    pass_redis: PassRedisOption = False,
    *,
    redis: RedisOptions,
) -> None:
    """Run a command while holding an actor's lock; `HELP` has the rest."""
    terms = _terms(actor, prefix, command, ttl, deadline, principal)._replace(is_strict=strict)
    wait_s = None if wait is None else parse_duration(wait)
    environment = dict(os.environ)
    if not pass_redis:
        # It may have a password, which the command and its guard do not need.
        environment.pop("ATECTL_REDIS_URL", None)
    raise typer.Exit(_hold(redis, terms, command, environment, wait_s))


def _terms(
    actor: str, prefix: str, command: list[str], ttl: str, deadline: str, principal: str | None
) -> "LockTerms":
    from atectl.locks.heartbeat import LockTimes
    from atectl.locks.holder_record import own_holder
    from atectl.locks.holding import LockTerms

    name = parse_actor(actor, prefix)
    whose = "" if principal is None else Principal(principal)
    return LockTerms(
        actor=str(name),
        key=lock_key(name, prefix),
        holder=own_holder(shlex.join(command), whose),
        times=LockTimes(parse_duration(ttl)),
        deadline_s=None if deadline == "none" else parse_duration(deadline),
        others=other_forms(name, prefix),
    )


def _hold(
    redis: RedisOptions,
    terms: "LockTerms",
    command: list[str],
    environment: dict[str, str],
    wait_s: float | None,
) -> int:
    """Run the command under the lock and report how it ended. Returns the exit status."""
    from atectl.locks import held_command

    with signal_pipe(*held_command.FORWARDED, signal.SIGCHLD) as signals:
        ended = held_command.hold(
            lambda: connected(redis),
            terms,
            command,
            environment,
            signals,
            wait_s=wait_s,
            on_wait=tell_of_wait,
            on_warning=report_warning,
        )
    for warning in ended.warnings:
        report_warning(warning)
    if ended.error is not None:
        report_error(ended.error)
    return ended.exit_status
