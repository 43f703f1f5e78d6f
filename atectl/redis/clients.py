"""Clients of redis-py, made from settings: with their TLS, timeouts and retries."""

import random
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from redis import Redis  # noqa: TID253 - the library is what this module is about
from redis.backoff import AbstractBackoff  # noqa: TID253
from redis.cluster import RedisCluster  # noqa: TID253
from redis.connection import (  # noqa: TID253
    Connection,
    ConnectionPool,
    UnixDomainSocketConnection,
)
from redis.exceptions import (  # noqa: TID253
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    SlotNotCoveredError,
    TryAgainError,
)
from redis.retry import Retry  # noqa: TID253
from redis.sentinel import (  # noqa: TID253
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
)

from atectl.redis.errors import BadRedisFile
from atectl.redis.faults import causes
from atectl.redis.settings import RedisSettings, join_address

BACKOFF_BASE_S = 0.05
BACKOFF_CAP_S = 1.0

# These answers mean that the server did nothing, so the command may be sent again.
_NOTHING_DONE = (BusyLoadingError, TryAgainError, ClusterDownError)


class ClientFactory:
    """Makes clients for one set of settings.

    A client made with `once` sends a command again only if the server says that it did nothing.
    Other clients also send it again when the connection breaks.

    Args:
        settings: the login, the certificates, and how long to wait.
        jitter: returns random numbers from 0 to 1, for the pauses between retries.

    Raises:
        BadRedisFile: a certificate or key cannot be used (exit 2).
    """

    def __init__(
        self, settings: RedisSettings, jitter: Callable[[], float] = random.random
    ) -> None:
        self._settings = settings
        self._jitter = jitter
        self._tls = _tls_context(settings) if settings.is_tls else None

    def single(self, settings: RedisSettings, *, once: bool = False) -> Redis:
        """A client for one server, with the address, database and login in `settings`."""
        options = {**self._login(settings), "db": settings.db, "retry": self._retry(once)}
        if settings.socket_path:
            pool = ConnectionPool(
                connection_class=UnixDomainSocketConnection, path=settings.socket_path, **options
            )
        else:
            pool = self._pool_class()(host=settings.host, port=settings.port, **options)
        return Redis.from_pool(pool)

    def cluster(self) -> RedisCluster:
        """A client for a cluster. The settings name one node, which tells of the others."""
        settings = self._settings
        return _Cluster(
            # redis-py accepts a class of pools, and with it our TLS, only together with a URL.
            url=f"redis://{join_address(settings.host, settings.port)}",
            connection_pool_class=self._pool_class(),
            retry=self._retry(once=False),
            **self._login(settings),
        )

    def master_of(self, sentinels: Sentinel, name: str, *, once: bool = False) -> Redis:
        """A client for the master of this name. At each connection the Sentinels say who it is."""
        pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
            name,
            sentinels,
            connection_class=_SentinelTlsConnection if self._tls else SentinelManagedConnection,
            db=self._settings.db,
            retry=self._retry(once),
            **self._login(self._settings),
            **self._tls_options(),
        )
        return Redis.from_pool(pool)

    def _pool_class(self) -> Callable[..., ConnectionPool]:
        connection_class = _TlsConnection if self._tls else Connection
        return partial(ConnectionPool, connection_class=connection_class, **self._tls_options())

    def _tls_options(self) -> dict[str, Any]:
        if self._tls is None:
            return {}
        return {"tls_context": self._tls, "server_name": self._settings.server_name}

    def _login(self, settings: RedisSettings) -> dict[str, Any]:
        return {
            "username": settings.user,
            "password": settings.password,
            "socket_timeout": settings.timeout_s,
            "socket_connect_timeout": settings.timeout_s,
            # Every server knows it, and nothing here needs the newer protocol.
            "protocol": 2,
        }

    def _retry(self, once: bool) -> Retry:
        # A timeout is no reason to retry: it has used up the time that there was.
        errors = _NOTHING_DONE if once else (*_NOTHING_DONE, ConnectionError)
        return _Retry(FullJitter(self._jitter), self._settings.retries, errors)


class FullJitter(AbstractBackoff):
    """Pauses of random length between retries. Their upper bound doubles with each retry."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter

    def compute(self, failures: int) -> float:
        return self._jitter() * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**failures)


class _Retry(Retry):
    """Retries only what a retry can mend, which a refused login or certificate is not."""

    def call_with_retry(self, do: Any, fail: Any, *_: Any, **options: Any) -> Any:
        options["is_retryable"] = _may_pass
        return super().call_with_retry(do, fail, **options)


def _may_pass(fault: Exception) -> bool:
    if isinstance(fault, AuthenticationError | AuthorizationError):
        return False
    return not any(isinstance(cause, ssl.SSLError) for cause in causes(fault))


class _Cluster(RedisCluster):
    # redis-py would also retry after a timeout, and wait for a node that hangs once more.
    ERRORS_ALLOW_RETRY = (  # type: ignore[assignment]
        ConnectionError,
        ClusterDownError,
        SlotNotCoveredError,
    )


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


class _SentinelTlsConnection(SentinelManagedConnection, _TlsConnection):
    pass


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
