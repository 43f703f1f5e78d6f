"""The options that say where the ledger, the Redis server and the settings are, and what is shown.

`run` and `batch` read them by their own tables, so nothing here may import Typer.
"""

from typing import TYPE_CHECKING, Annotated, NamedTuple

from atectl.config import DEFAULT_REDIS_TIMEOUT_S
from atectl.errors import UsageError, quoted
from atectl.units import duration_text

from .table import Option

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

LEDGER = Option(
    "--ledger",
    "WHERE",
    "Where the ledger is stored: a file, redis://HOST:PORT (rediss:// for TLS), or `none`.",
    variable="ATECTL_LEDGER",
)

HOST_NAME = Option(
    "--host-name", "NAME", "What the ledger calls this host.", usually="the machine's own name"
)

PROFILE = Option(
    "--profile",
    "NAME",
    "Take the options of this profile in atectl.toml.",
    variable="ATECTL_PROFILE",
)

LIVE = Option("--live", "", "Show the live table.", opposite="--no-live", usually="on a terminal")

QUIET = Option("--quiet", "", "Say nothing on stderr but errors.", short="-q")

_HOST_NAME_PATTERN = "[A-Za-z0-9._-]{1,253}"


def read_host_name(text: str) -> str:
    """The name of a host, as it was given.

    Raises:
        UsageError: it has other characters, or too many or none (exit 2).
    """
    # Compiled here: few give one, and every run would pay for it.
    import re

    if re.fullmatch(_HOST_NAME_PATTERN, text, re.ASCII) is None:
        raise UsageError(
            f"{quoted(text)} is no name of a host",
            remedy="1 to 253 of A-Z a-z 0-9 . _ and - are taken",
        )
    return text


class RedisOptions(NamedTuple):
    """The options for the Redis server, as given; None for what was not given."""

    url: Annotated[
        list[str] | None,
        Option(
            "--redis",
            "URL",
            "redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels"
            " (?master=NAME): redis://HOST:PORT,HOST:PORT names several. Other users can read it"
            " in the process list: give a password with --redis-password-file or in"
            " ATECTL_REDIS_URL.",
            repeatable=True,
            variable="ATECTL_REDIS_URL",
        ),
    ] = None
    password_file: Annotated[
        str | None,
        Option(
            "--redis-password-file",
            "FILE",
            "File with the password, used instead of one in the URL.",
        ),
    ] = None
    ca: Annotated[
        str | None,
        Option(
            "--redis-ca",
            "FILE",
            "Trust these certificate authorities (PEM) instead of the system's.",
        ),
    ] = None
    cert: Annotated[
        str | None,
        Option(
            "--redis-cert",
            "FILE",
            "The client certificate (PEM); it may contain the key.",
        ),
    ] = None
    key: Annotated[
        str | None,
        Option(
            "--redis-key",
            "FILE",
            "The key of the client certificate (PEM), if it is in another file.",
        ),
    ] = None
    server_name: Annotated[
        str | None,
        Option(
            "--redis-server-name",
            "NAME",
            "The name that every server's certificate has to be for, whatever its host.",
        ),
    ] = None
    timeout: Annotated[
        str | None,
        Option(
            "--redis-timeout",
            "DURATION",
            "How long to wait for a connection, and for each answer.",
            usually=duration_text(DEFAULT_REDIS_TIMEOUT_S),
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
