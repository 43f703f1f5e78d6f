"""The options by which every command that needs Redis is told where it is."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection


_PANEL = "Redis"

RedisOption = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL",
        help="redis://, rediss:// (TLS) or unix:// URL of a server, a cluster's node or a Sentinel"
        " (?master=NAME). Other users can read it in the process list: give a password with"
        " --redis-password-file or in ATECTL_REDIS_URL.",
        rich_help_panel=_PANEL,
    ),
]
PasswordFileOption = Annotated[
    str | None,
    typer.Option(
        "--redis-password-file",
        metavar="FILE",
        help="The password, in place of one in the URL.",
        rich_help_panel=_PANEL,
    ),
]
CaOption = Annotated[
    str | None,
    typer.Option(
        "--redis-ca",
        metavar="FILE",
        help="Trust these certificate authorities (PEM) in place of the system's.",
        rich_help_panel=_PANEL,
    ),
]
CertOption = Annotated[
    str | None,
    typer.Option(
        "--redis-cert",
        metavar="FILE",
        help="The client certificate (PEM); the key may be in it.",
        rich_help_panel=_PANEL,
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--redis-key",
        metavar="FILE",
        help="The key of the client certificate (PEM), if in a file of its own.",
        rich_help_panel=_PANEL,
    ),
]
ServerNameOption = Annotated[
    str | None,
    typer.Option(
        "--redis-server-name",
        metavar="NAME",
        help="Expect this name in every server's certificate, whatever host is connected to.",
        rich_help_panel=_PANEL,
    ),
]
TimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--redis-timeout",
        metavar="DURATION",
        help="Wait so long for a connection, and for each answer. [default: 5s]",
        rich_help_panel=_PANEL,
    ),
]


def connected(
    url: str | None,
    password_file: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
    server_name: str | None,
    timeout: str | None,
) -> "RedisConnection":
    """A connection to the server that the options, the environment or atectl.toml name.

    Raises:
        UsageError: an option cannot be used, or no server is named (exit 2).
        RedisFailure: the server cannot be reached or refuses (exit 125).
    """
    from atectl.redis.connection import connect
    from atectl.redis.settings import redis_settings

    settings = redis_settings(
        url,
        password_file=password_file,
        ca=ca,
        cert=cert,
        key=key,
        server_name=server_name,
        timeout=timeout,
    )
    return connect(settings)
