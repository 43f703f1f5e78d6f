"""Clients of redis-py for one server each, made from settings: with their TLS and timeouts."""

import ssl
from typing import Any

from redis import Redis  # noqa: TID253 - the library is what this module is about
from redis.backoff import NoBackoff  # noqa: TID253
from redis.connection import (  # noqa: TID253
    Connection,
    ConnectionPool,
    UnixDomainSocketConnection,
)
from redis.exceptions import InvalidResponse  # noqa: TID253
from redis.retry import Retry  # noqa: TID253

from atectl.redis.errors import BadRedisFile
from atectl.redis.parsing import BoundedParser
from atectl.redis.settings import Address, RedisSettings

_NONSENSE = (TypeError, ValueError, LookupError, AttributeError, RecursionError, OverflowError)
"""What redis-py raises on answers that make no sense for the command."""


class ClientFactory:
    """Makes clients for one set of settings. They repeat nothing: see `client.Client` for that.

    Raises:
        BadRedisFile: a certificate or key cannot be used (exit 2).
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._tls = _tls_context(settings) if settings.is_tls else None

    def one(self, address: Address, *, db: int = 0, has_login: bool = True) -> Redis:
        """A client for one server, with the login in the settings or none."""
        settings = self._settings
        options: dict[str, Any] = {
            "db": db,
            "socket_timeout": settings.timeout_s,
            "socket_connect_timeout": settings.timeout_s,
            # Every server knows it, and nothing here needs the newer protocol.
            "protocol": 2,
            "parser_class": BoundedParser,
            "retry": Retry(NoBackoff(), 0),
            # Keys and arguments of a command line are bytes, whatever they say.
            "encoding_errors": "surrogateescape",
        }
        if has_login:
            options |= {"username": settings.user, "password": settings.password}
        if address.is_socket:
            connection_class: Any = UnixDomainSocketConnection
            options["path"] = address.host
        elif self._tls is None:
            connection_class = Connection
        else:
            connection_class = _TlsConnection
            options |= {"tls_context": self._tls, "server_name": settings.server_name}
        if not address.is_socket:
            options |= {"host": address.host, "port": address.port}
        return _OneClient.from_pool(ConnectionPool(connection_class=connection_class, **options))


class _OneClient(Redis):
    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        try:
            parse: Any = super().parse_response
            return parse(connection, command_name, **options)
        except _NONSENSE as fault:
            connection.disconnect()
            raise InvalidResponse("an answer that makes no sense") from fault


class _TlsConnection(Connection):
    """A TLS connection.

    Its context is made once. If a server name is set, every certificate has to be for that name,
    whatever host a cluster or Sentinel announces.
    """

    def __init__(
        self, *, tls_context: ssl.SSLContext, server_name: str | None, **options: Any
    ) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._tls_context = tls_context
        self._server_name = server_name

    def _connect(self) -> ssl.SSLSocket:
        sock = super()._connect()  # type: ignore[no-untyped-call]
        try:
            name = self._server_name or self.host
            return self._tls_context.wrap_socket(sock, server_hostname=name)
        except BaseException:
            sock.close()
            raise


def _tls_context(settings: RedisSettings) -> ssl.SSLContext:
    """A context with the certificate authorities to trust and the client certificate to send."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as fault:
        raise _bad_file(settings.ca_file, "certificate authority", fault) from None
    if settings.cert_file:
        try:
            context.load_cert_chain(
                settings.cert_file, settings.key_file, password=_refuse_passphrase
            )
        except OSError as fault:
            files = settings.cert_file
            if settings.key_file and settings.key_file != files:
                files += f" and {settings.key_file}"
            raise _bad_file(files, "client certificate with its key", fault) from None
    return context


def _bad_file(path: str | None, what: str, fault: OSError) -> BadRedisFile:
    reason = f"no {what} in it" if isinstance(fault, ssl.SSLError) else fault.strerror
    return BadRedisFile(f"{path}: {reason}")


def _refuse_passphrase() -> str:
    # Without this, OpenSSL asks for it on the terminal.
    raise BadRedisFile("the client key is encrypted", remedy="give a key without a passphrase")
