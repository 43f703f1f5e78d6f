"""A connection to Redis or Valkey: one server, a cluster, or the master that Sentinels name.

The server is asked which of these it is. Callers need not know: they use `client`, `primaries`
and `script`. Connecting takes no longer than the timeout in the settings, whatever hangs: a name
server, a socket or a node of a cluster.
"""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from threading import Thread
from typing import Any, Literal, Self, TypeAlias

from redis import Redis  # noqa: TID253 - imported lazily, by the commands that need it
from redis.cluster import RedisCluster  # noqa: TID253
from redis.exceptions import AuthenticationError, ResponseError  # noqa: TID253
from redis.sentinel import Sentinel  # noqa: TID253

from atectl.errors import nearest
from atectl.redis.clients import ClientFactory
from atectl.redis.errors import BadRedisUrl, RedisTimeout
from atectl.redis.faults import translated
from atectl.redis.script import Script
from atectl.redis.settings import RedisSettings

Kind: TypeAlias = Literal["single", "cluster", "sentinel"]


class RedisConnection:
    """A connection to a server, a cluster or Sentinels that has answered. Close it after use.

    Attributes:
        client: runs every command on the node or master that it belongs to. Answers are bytes.
            Call it inside `with connection.translated()`.
        kind: what was found at the address.
        address: `host:port` or the path of a socket, as it was given.
        is_replica: the server named is a single one and a replica, which takes no writes.
    """

    def __init__(
        self,
        settings: RedisSettings,
        kind: Kind,
        client: Redis | RedisCluster,
        *,
        once: Redis | RedisCluster,
        is_replica: bool = False,
        sentinels: Iterable[Redis] = (),
    ) -> None:
        self.settings = settings
        self.kind: Kind = kind
        self.client = client
        self.is_replica = is_replica
        self._once = once
        self._sentinels = list(sentinels)

    @property
    def address(self) -> str:
        return self.settings.address

    def translated(self) -> AbstractContextManager[None]:
        """Turn whatever `client` raises inside into an error of ours: see `faults.translated`."""
        return translated(self.address)

    def primaries(self) -> list[Redis]:
        """A client for each server that holds keys of its own. SCAN has to be sent to each.

        Raises:
            RedisFailure: see `translated` (exit 125).
        """
        client: Any = self.client
        if isinstance(client, Redis):
            return [client]
        with self.translated():
            return [client.get_redis_connection(node) for node in client.get_primaries()]

    def script(self, source: str) -> Script:
        """A Lua script, to be called with keys and arguments."""
        return Script(source, self._once, self.address)

    def fresh(
        self, *, timeout_s: float | None = None, retries: int | None = None
    ) -> "RedisConnection":
        """Another connection to the same server, with its own sockets, for another thread.

        Args:
            timeout_s: used instead of the timeout in the settings, in seconds.
            retries: used instead of the retries in the settings, at least 0.

        Raises:
            RedisFailure: see `translated` (exit 125).
        """
        settings = self.settings
        if timeout_s is not None:
            settings = settings._replace(timeout_s=timeout_s)
        if retries is not None:
            settings = settings._replace(retries=retries)
        return connect(settings)

    def close(self) -> None:
        """Close every socket. Closing twice does no harm."""
        for client in (self._once, self.client, *self._sentinels):
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    settings: RedisSettings, *, jitter: Callable[[], float] = random.random
) -> RedisConnection:
    """Connect, and find out whether the address is one server, a cluster or a Sentinel.

    Args:
        settings: the address, the login, and how long to wait.
        jitter: returns random numbers from 0 to 1, for the pauses between retries.

    Raises:
        RedisFailure: no usable server answered within the timeout (exit 125).
        BadRedisUrl: a part of the URL does not fit what was found, such as a database number for
            a cluster (exit 2).
        BadRedisFile: a certificate or key cannot be used (exit 2).
    """
    clients = ClientFactory(settings, jitter)
    with translated(settings.address):
        return _within(settings, lambda: _found(settings, clients))


def _within(settings: RedisSettings, find: Callable[[], RedisConnection]) -> RedisConnection:
    """Run `find` on another thread, for no longer than the timeout.

    Some of what it does, such as resolving a host name, has no timeout itself.
    """
    future: Future[RedisConnection] = Future()

    def work() -> None:
        try:
            future.set_result(find())
        except BaseException as fault:
            future.set_exception(fault)

    Thread(target=work, name="redis connect", daemon=True).start()
    try:
        return future.result(settings.timeout_s)
    except TimeoutError:
        if future.done():
            raise
        future.add_done_callback(_close_unwanted)
        remedy = None
        if settings.is_tls:
            # A server without TLS takes the handshake for a command, and waits for the rest of it.
            remedy = "check that the server speaks TLS at this port, or raise --redis-timeout"
        message = f"{settings.address} did not answer within {settings.timeout_s:g} s"
        raise RedisTimeout(message, remedy=remedy) from None


def _close_unwanted(future: "Future[RedisConnection]") -> None:
    if future.exception() is None:
        future.result().close()


def _found(settings: RedisSettings, clients: ClientFactory) -> RedisConnection:
    """Ask the server at the address what it is, and connect to that."""
    seed, mode, role = _ask(settings, clients)
    try:
        if mode == "sentinel":
            return _through_sentinels(settings, clients, seed)
    finally:
        seed.close()
    if settings.master:
        raise BadRedisUrl(
            f"{settings.address} is no Sentinel, so it cannot name a master",
            remedy="leave ?master= out of the URL, or name a Sentinel",
        )
    if mode == "cluster":
        return _cluster(settings, clients)
    return RedisConnection(
        settings,
        "single",
        clients.single(settings),
        once=clients.single(settings, once=True),
        is_replica=role in ("slave", "replica"),
    )


def _ask(settings: RedisSettings, clients: ClientFactory) -> tuple[Redis, str, str]:
    """A client of the server at the address, and the server's mode and role."""
    seed = clients.single(settings._replace(db=0))
    try:
        return seed, *_mode_and_role(seed)
    except AuthenticationError:
        seed.close()
        # The login may be for the master, while its Sentinels need none.
        seed = clients.single(settings._replace(db=0, user=None, password=None))
        if not _is_open_sentinel(seed):
            seed.close()
            raise
        return seed, "sentinel", ""


def _is_open_sentinel(client: Redis) -> bool:
    try:
        return _mode_and_role(client)[0] == "sentinel"
    except AuthenticationError:
        return False


def _mode_and_role(client: Redis) -> tuple[str, str]:
    """`standalone`, `cluster` or `sentinel`, and `master`, `slave` or `replica`."""
    try:
        # Every user may send HELLO, whatever its permissions.
        answer = client.execute_command("HELLO")  # type: ignore[no-untyped-call]
    except ResponseError as fault:
        if "unknown command" in str(fault).lower():
            return "standalone", "master"
        raise
    words = [word.decode() if isinstance(word, bytes) else word for word in answer]
    told = dict(zip(words[::2], words[1::2], strict=False))
    return told.get("mode", "standalone"), told.get("role", "")


def _cluster(settings: RedisSettings, clients: ClientFactory) -> RedisConnection:
    if settings.socket_path:
        raise BadRedisUrl(
            f"{settings.address} is a cluster's node", remedy="name a node by host and port"
        )
    if settings.db:
        raise BadRedisUrl(
            f"{settings.address} is a cluster, which has no database {settings.db}",
            remedy="leave the database out of the URL",
        )
    client = clients.cluster()
    return RedisConnection(settings, "cluster", client, once=client)


def _through_sentinels(
    settings: RedisSettings, clients: ClientFactory, seed: Redis
) -> RedisConnection:
    untyped: Any = seed
    name = _master_name(settings, untyped.sentinel_masters())
    # The login that the first Sentinel took, or none, works for the others.
    login = seed.connection_pool.connection_kwargs
    first = settings._replace(db=0, user=login["username"], password=login["password"])
    others = [
        first._replace(host=one["ip"], port=one["port"], socket_path="")
        for one in untyped.sentinel_sentinels(name)
    ]
    sentinels = Sentinel([])  # type: ignore[no-untyped-call]
    sentinels.sentinels = [clients.single(each) for each in (first, *others)]
    connection = RedisConnection(
        settings,
        "sentinel",
        clients.master_of(sentinels, name),
        once=clients.master_of(sentinels, name, once=True),
        sentinels=sentinels.sentinels,
    )
    try:
        # Without a master that answers, connecting has failed.
        connection.client.execute_command("HELLO")  # type: ignore[no-untyped-call]
    except BaseException:
        connection.close()
        raise
    return connection


def _master_name(settings: RedisSettings, masters: dict[str, Any]) -> str:
    names = sorted(masters)
    if settings.master in names:
        return settings.master
    if settings.master:
        raise BadRedisUrl(
            f"the Sentinel at {settings.address} knows no master {settings.master!r}"
            f"{nearest(settings.master, names)}",
            remedy="name one that it knows with ?master=NAME",
        )
    if len(names) != 1:
        raise BadRedisUrl(
            f"the Sentinel at {settings.address} knows {len(names)} masters: {', '.join(names)}",
            remedy="name one with ?master=NAME at the end of the URL",
        )
    return names[0]
