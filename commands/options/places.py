"""The options that say where something is: the stored ledger, and the Redis server.

`run` has them too and reads them by its table, so nothing here may import Typer.
"""

from typing import TYPE_CHECKING, Annotated, NamedTuple

from atectl.config import DEFAULT_REDIS_TIMEOUT_S
from atectl.units import duration_text

from .table import Option

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

LEDGER = Option("--ledger", "WHERE", "Where the ledger is stored, or `none`.")

_PANEL = "Redis"


class RedisOptions(NamedTuple):
    """What a command is told about the Redis server, as it was given; None where it was not."""

    url: Annotated[
        str | None,
        Option(
            "--redis",
            "URL",
            "redis://, rediss:// (TLS) or unix:// URL of a server, a cluster's node or a Sentinel"
            " (?master=NAME). Other users can read it in the process list: give a password with"
            " --redis-password-file or in ATECTL_REDIS_URL.",
            panel=_PANEL,
        ),
    ] = None
    password_file: Annotated[
        str | None,
        Option(
            "--redis-password-file",
            "FILE",
            "The password, in place of one in the URL.",
            panel=_PANEL,
        ),
    ] = None
    ca: Annotated[
        str | None,
        Option(
            "--redis-ca",
            "FILE",
            "Trust these certificate authorities (PEM) in place of the system's.",
            panel=_PANEL,
        ),
    ] = None
    cert: Annotated[
        str | None,
        Option(
            "--redis-cert",
            "FILE",
            "The client certificate (PEM); the key may be in it.",
            panel=_PANEL,
        ),
    ] = None
    key: Annotated[
        str | None,
        Option(
            "--redis-key",
            "FILE",
            "The key of the client certificate (PEM), if in a file of its own.",
            panel=_PANEL,
        ),
    ] = None
    server_name: Annotated[
        str | None,
        Option(
            "--redis-server-name",
            "NAME",
            "Expect this name in every server's certificate, whatever host is connected to.",
            panel=_PANEL,
        ),
    ] = None
    timeout: Annotated[
        str | None,
        Option(
            "--redis-timeout",
            "DURATION",
            "Wait so long for a connection, and for each answer; "
            f"{duration_text(DEFAULT_REDIS_TIMEOUT_S)} by default.",
            panel=_PANEL,
        ),
    ] = None


def connected(options: RedisOptions) -> "RedisConnection":
    """A connection to the server that the options, the environment or atectl.toml name.

    Raises:
        UsageError: an option cannot be used, or no server is named (exit 2).
        RedisFailure: the server cannot be reached or refuses (exit 125).
    """
    from atectl.redis.connection import connect
    from atectl.redis.settings import redis_settings

    return connect(redis_settings(**options._asdict()))
