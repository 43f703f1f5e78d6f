"""What both sides need of Dask: the import, the settings, the security."""

import logging
import os
from typing import Any

from atectl.batch.fleet.address import SchedulerAddress
from atectl.batch.fleet.errors import DaskMissing
from atectl.errors import UsageError

OPERATION = "atectl"
"""The name of our messages among those of Dask, and of our figures among its metrics."""

_SETTINGS = {
    "distributed.comm.timeouts.connect": "10s",
    # It would look at its own threads a hundred times a second, for tasks that there are none of.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
}


_NAME_FILES = "name files in PEM with --tls-ca, --tls-cert and --tls-key"


def require_dask() -> None:
    """Import Dask.

    Raises:
        DaskMissing: it is not installed (exit 125).
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise DaskMissing(f"the package {error.name or 'distributed'} is not installed") from None
    # What it has to say is told in our own words.
    logging.getLogger(distributed.__name__).setLevel(logging.CRITICAL)
    logging.getLogger("tornado").setLevel(logging.CRITICAL)
    dask.config.set(_SETTINGS)


def security_of(address: SchedulerAddress) -> Any:
    """How Dask secures connections: by these files, or by its own settings if there are none.

    Raises:
        UsageError: a file cannot be used (exit 2).
    """
    from distributed import security

    secured: Any = security.Security
    ca, cert, key = address.tls
    if not address.is_encrypted:
        return secured(require_encryption=False)
    files: dict[str, Any] = {"require_encryption": True}
    if ca is not None:
        files["tls_ca_file"] = ca
        for role in ("client", "worker", "scheduler"):
            files |= {f"tls_{role}_cert": cert, f"tls_{role}_key": key}
    made = secured(**files)
    try:
        arguments = [made.get_connection_args("client"), made.get_listen_args("worker")]
    except (OSError, ValueError, TypeError) as error:  # OpenSSL's errors are an OSError
        raise UsageError(f"the files of TLS cannot be used: {error}", remedy=_NAME_FILES) from None
    if any(each.get("ssl_context") is None for each in arguments):
        raise UsageError(
            f"{address.url} is encrypted, and no files of TLS are given", remedy=_NAME_FILES
        )
    return made


def why_unreachable(error: Exception) -> str:
    """What keeps a scheduler from being reached, in few words."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    if isinstance(error, OSError | TimeoutError):
        told = str(error).partition("\n")[0]
        # Of a connection that broke Dask says which of its methods was called.
        return told if told and "remote method" not in told else "it does not answer"
    # Dask takes the first bytes that it hears for a length, for one.
    return "what answers there is no Dask scheduler"
