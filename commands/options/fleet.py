"""The options that say which fleet of hosts is meant, and how the connection is secured.

`batch` reads them by its own table, so nothing here may import Typer.
"""

from typing import TYPE_CHECKING, Annotated, NamedTuple

from atectl.units import parse_duration

from .table import Option

if TYPE_CHECKING:
    from atectl.batch.fleet.address import SchedulerAddress

DEFAULT_TTL = "15s"

ON = Option(
    "--on", "ADDRESS", "Run it on the hosts of this Dask scheduler: tcp:// or tls://HOST:PORT.",
)  # fmt: skip

HOST_TTL = Option(
    "--host-ttl",
    "DURATION",
    "How long a host may be silent until its jobs run elsewhere.",
    usually=DEFAULT_TTL,
    reads=parse_duration,
)

INSECURE = Option("--insecure", "", "Allow a scheduler on another machine without TLS.")


class TlsOptions(NamedTuple):
    """The files of TLS, as given; None for what was not given."""

    ca: Annotated[
        str | None,
        Option("--tls-ca", "FILE", "Trust these certificate authorities (PEM)."),
    ] = None
    cert: Annotated[
        str | None,
        Option("--tls-cert", "FILE", "The certificate of this side (PEM)."),
    ] = None
    key: Annotated[
        str | None,
        Option("--tls-key", "FILE", "The key of this certificate (PEM)."),
    ] = None


def address_of(text: str, tls: TlsOptions, *, insecure: bool) -> "SchedulerAddress":
    """The scheduler that the options name.

    Raises:
        UsageError, InsecureFleet: they cannot be used (exit 2).
    """
    from atectl.batch.fleet.address import TlsFiles, scheduler_address

    return scheduler_address(text, TlsFiles(*tls), insecure=insecure)
