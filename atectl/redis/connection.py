"""A connection to Redis or Valkey: one server, a cluster, or the master that Sentinels name.

Which of these it is, is found out by asking. The clients are redis-py's own; they are told apart
by nobody above, who have `client`, `primaries` and `script`. The whole of connecting and asking
is bounded by the settings' timeout, whatever hangs: a name server, a socket, a cluster's node.
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
    """A server, cluster or group of Sentinels that has answered; close it after use.

    Attributes:
        client: takes every command, routed to the node or master that it belongs to; its
            answers are bytes. Calls to it belong inside `with connection.translated()`.
        kind: what was found at the address.
        address: `host:port` or the path of a socket, as it was given.
        is_replica: a single server was named, and it copies another: it takes no writes.
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
        """A client for every server that holds keys of its own, for SCAN.

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
        """Another connection to the same place with sockets of its own, for another thread.

        Args:
            timeout_s: in place of the settings' timeout, in seconds.
            retries: in place of the settings' retries, from 0.

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
        """Close every socket; no effect if that was done."""
        for client in (self._once, self.client, *self._sentinels):
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    settings: RedisSettings, *, jitter: Callable[[], float] = random.random
) -> RedisConnection:
    """Connect, and find out whether it is one server, a cluster or a Sentinel.

    Args:
        settings: where, as whom, and how long to wait.
        jitter: numbers from 0 to 1, for the pauses between tries.

    Raises:
        RedisFailure: nothing usable answered within the timeout (exit 125).
        BadRedisUrl: the URL says something that does not go with what was found (exit 2).
        BadRedisFile: a certificate or key cannot be used (exit 2).
    """
    clients = ClientFactory(settings, jitter)
    with translated(settings.address):
        return _within(settings, lambda: _found(settings, clients))


def _within(settings: RedisSettings, find: Callable[[], RedisConnection]) -> RedisConnection:
    """What `find` returns, or RedisTimeout: a search of names, say, has no timeout itself."""
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
            # A server that does not speak TLS waits for the end of what it takes for a command.
            remedy = "check that the server speaks TLS at this port, or raise --redis-timeout"
        message = f"{settings.address} did not answer within {settings.timeout_s:g} s"
        raise RedisTimeout(message, remedy=remedy) from None


def _close_unwanted(future: "Future[RedisConnection]") -> None:
    if future.exception() is None:
        future.result().close()


def _found(settings: RedisSettings, clients: ClientFactory) -> RedisConnection:
    """The connection to what answers at the settings' address."""
    seed, mode, role = _ask(settings, clients)
    try:
        if mode == "sentinel":
            return _through_sentinels(settings, clients, seed)
    finally:
        seed.close()
    if settings.master:
        raise BadRedisUrl(
            f"{settings.address} is no Sentinel that could be asked for a master",
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
        # The login may be the master's, while its Sentinels want none.
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
        # The one question that every user may ask, whatever its permissions.
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
    # What let us ask the first of them, login or none, is good for the others.
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
        # Whether there is a master to talk to is part of connecting.
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
