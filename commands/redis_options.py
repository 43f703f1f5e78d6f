"""The options by which every command that needs Redis is told where it is."""

from typing import Annotated

import typer

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
