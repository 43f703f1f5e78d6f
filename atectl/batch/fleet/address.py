"""Where a scheduler is, and how the connection to it is secured."""

import ipaddress
from typing import NamedTuple

from atectl.batch.fleet.errors import InsecureFleet
from atectl.errors import UsageError, quoted

_TLS = "tls"


class TlsFiles(NamedTuple):
    """The files of TLS, in PEM: the authorities to trust, the own certificate and its key."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


NO_TLS = TlsFiles()


class SchedulerAddress(NamedTuple):
    """A scheduler and how to connect to it. `url` is `tcp://HOST:PORT` or `tls://HOST:PORT`."""

    url: str
    host: str
    port: int
    tls: TlsFiles

    @property
    def is_encrypted(self) -> bool:
        return self.url.startswith(f"{_TLS}://")

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it is a loopback address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def scheduler_address(
    text: str, tls: TlsFiles = NO_TLS, *, insecure: bool = False
) -> SchedulerAddress:
    """The scheduler at `tcp://HOST:PORT`, `tls://HOST:PORT` or `HOST:PORT`.

    Args:
        insecure: whether it may be on another machine and not encrypted.

    Raises:
        UsageError: it is no address, or has only some of the files of TLS (exit 2).
        InsecureFleet: it is on another machine and not encrypted (exit 2).
    """
    protocol, separator, place = text.partition("://")
    if not separator:
        protocol, place = (_TLS if tls.ca else "tcp"), text
    host, _, port = place.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if protocol not in ("tcp", _TLS) or not bare or not (port.isascii() and port.isdigit()):
        raise UsageError(
            f"{quoted(text)} is no address of a scheduler",
            remedy="write tcp://HOST:PORT or tls://HOST:PORT, as `dask scheduler` says it",
        )
    if any(tls) and not all(tls):
        raise UsageError(
            "--tls-ca, --tls-cert and --tls-key go together", remedy="pass all three, or none"
        )
    if any(tls) and protocol != _TLS:
        raise UsageError(
            f"{quoted(text)} is not encrypted, and files of TLS were given",
            remedy=f"write tls://{place}",
        )
    address = SchedulerAddress(f"{protocol}://{place}", bare, int(port), tls)
    if not (address.is_encrypted or address.is_on_this_machine or insecure):
        raise InsecureFleet(f"{address.url} is on another machine, and not encrypted")
    return address
