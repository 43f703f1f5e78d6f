"""A connection to Redis or Valkey: one server, a cluster, or the master that Sentinels name.

The server is asked which of these it is. Callers need not know: they use `client`, `primaries`
and `script`. Connecting takes no longer than the timeout in the settings, whatever hangs: a name
server, a socket or a node of a cluster. Of several servers that are named or known, one that
answers is enough.
"""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from redis.exceptions import AuthenticationError  # noqa: TID253 - imported lazily, where needed

from atectl.errors import nearest
from atectl.redis.client import Client, pause_s
from atectl.redis.clients import ClientFactory
from atectl.redis.cluster import ClusterRouter, told_by
from atectl.redis.errors import (
    BadRedisUrl,
    RedisBusy,
    RedisFailure,
    RedisRefused,
    RedisTimeout,
    RedisUnreachable,
)
from atectl.redis.faults import translated
from atectl.redis.hello import Hello, hello
from atectl.redis.known import KnownServers
from atectl.redis.race import Race
from atectl.redis.routing import Router, Server
from atectl.redis.script import Script
from atectl.redis.sentinels import SentinelRouter, learn_sentinels, named_master
from atectl.redis.settings import Address, RedisSettings
from atectl.redis.single import SingleRouter

Kind: TypeAlias = Literal["single", "cluster", "sentinel"]


class RedisConnection:
    """A connection to a server, a cluster or Sentinels that has answered. Close it after use.

    Attributes:
        client: runs every command on the node or master that it belongs to. Answers are bytes, and
            faults are errors of ours.
        kind: what was found at the address.
        address: `host:port` or the path of a socket, as it was given.
        is_replica: the server named is a single one and a replica, which takes no writes.
    """

    def __init__(
        self,
        settings: RedisSettings,
        kind: Kind,
        router: Router,
        known: KnownServers,
        *,
        jitter: Callable[[], float] = random.random,
        is_replica: bool = False,
    ) -> None:
        self.settings = settings
        self.kind: Kind = kind
        self.client = Client(router, settings.retries, jitter)
        self.is_replica = is_replica
        self._router = router
        self._known = known

    @property
    def address(self) -> str:
        return self.settings.address

    def translated(self) -> AbstractContextManager[None]:
        """Turn whatever redis-py raises inside into an error of ours: see `faults.translated`."""
        return translated(self.address)

    def primaries(self) -> list[Server]:
        """Each server that holds keys of its own. SCAN has to be sent to each."""
        return self._router.primaries()

    def server_of(self, key: bytes) -> Server | None:
        """The server that has a key, by what is known; None if none has it."""
        try:
            return self._router.server_of(key)
        except RedisFailure:
            return None

    def slots_of(self, server: Server) -> tuple[str, ...]:
        """The slots of a cluster that a server has, as `0-5460`; none if it is in no cluster."""
        return self._router.slots_of(server) if isinstance(self._router, ClusterRouter) else ()

    def uncovered(self) -> tuple[str, ...]:
        """The slots of a cluster that no server has, in the same form."""
        return self._router.uncovered() if isinstance(self._router, ClusterRouter) else ()

    def script(self, source: str) -> Script:
        """A Lua script, to be called with keys and arguments."""
        return Script(source, self.client)

    def look_anew(self) -> None:
        """Learn which servers there are now, so that one can connect anew through any of them.

        Raises:
            RedisFailure: nobody tells (exit 125).
        """
        self._router.look_anew(self._router.server_of(None))

    def fresh(
        self, *, timeout_s: float | None = None, retries: int | None = None
    ) -> "RedisConnection":
        """Another connection to the same place, with its own sockets, for another thread.

        It is made through any of the servers that are known by now, and shares what it learns.

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
        return _connect(settings, self._known, random.random)

    def close(self) -> None:
        """Close every socket. Closing twice does no harm."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    settings: RedisSettings, *, jitter: Callable[[], float] = random.random
) -> RedisConnection:
    """Connect, and find out whether there is one server, a cluster or Sentinels.

    Args:
        settings: the addresses, the login, and how long to wait.
        jitter: returns random numbers from 0 to 1, for the pauses between retries.

    Raises:
        RedisFailure: no usable server answered within the timeout (exit 125).
        BadRedisUrl: a part of the URL does not fit what was found, such as a database number for
            a cluster (exit 2).
        BadRedisFile: a certificate or key cannot be used (exit 2).
    """
    return _connect(settings, KnownServers(settings.servers), jitter)


def _connect(
    settings: RedisSettings, known: KnownServers, jitter: Callable[[], float]
) -> RedisConnection:
    place = _Place(settings, ClientFactory(settings), known, jitter)
    ends_at = time.monotonic() + settings.timeout_s
    attempt = 0
    while True:
        race = Race(
            [partial(_found, place, address) for address in known.to_ask()],
            discard=lambda connection: connection.close(),
        )
        try:
            return race.winner(max(ends_at - time.monotonic(), 0), _late(settings))
        except (RedisUnreachable, RedisBusy):
            if attempt >= settings.retries:
                raise
            pause = pause_s(attempt, jitter())
            if time.monotonic() + pause >= ends_at:
                raise
        time.sleep(pause)
        attempt += 1


def _late(settings: RedisSettings) -> RedisTimeout:
    remedy = None
    if settings.is_tls:
        # A server without TLS takes the handshake for a command, and waits for the rest of it.
        remedy = "check that the server speaks TLS at this port, or raise --redis-timeout"
    message = f"{settings.address} did not answer within {settings.timeout_s:g} s"
    return RedisTimeout(message, remedy=remedy)


class _Place(NamedTuple):
    """What is needed to connect to a place."""

    settings: RedisSettings
    clients: ClientFactory
    known: KnownServers
    jitter: Callable[[], float]


def _found(place: _Place, address: Address) -> RedisConnection:
    """Ask the server at an address what it is, and connect to that."""
    settings = place.settings
    told, has_login = _ask(place, address)
    if told.mode == "sentinel":
        return _through_sentinel(place, address, has_login=has_login)
    if settings.master:
        raise BadRedisUrl(
            f"{address} is no Sentinel, so it cannot name a master",
            remedy="leave ?master= out of the URL, or name a Sentinel",
        )
    if told.mode == "cluster":
        return _cluster(place, address)
    if settings.others:
        raise BadRedisUrl(
            f"{address} is a single server, and several were named",
            remedy="name that server alone: what is kept in one of two is not known to the other",
        )
    server = Server(address, str(address), place.clients.one(address, db=settings.db))
    return _checked(
        place,
        "single",
        SingleRouter(server),
        server,
        is_replica=told.role in ("slave", "replica"),
    )


def _ask(place: _Place, address: Address) -> tuple[Hello, bool]:
    """What the server at an address is, and whether it takes the login."""
    with translated(str(address)):
        try:
            return _hello(place, address, has_login=True), True
        except AuthenticationError:
            # The login may be for the master, while its Sentinels need none.
            told = _open_hello(place, address)
            if told is None or told.mode != "sentinel":
                raise
            return told, False


def _open_hello(place: _Place, address: Address) -> Hello | None:
    try:
        return _hello(place, address, has_login=False)
    except AuthenticationError:
        return None


def _hello(place: _Place, address: Address, *, has_login: bool) -> Hello:
    client = place.clients.one(address, has_login=has_login)
    try:
        return hello(client, str(address))
    finally:
        client.close()


def _cluster(place: _Place, address: Address) -> RedisConnection:
    if address.is_socket:
        raise BadRedisUrl(f"{address} is a cluster's node", remedy="name a node by host and port")
    router = ClusterRouter(place.clients, place.settings, place.known)
    router.learn(told_by(place.clients, address))
    # Only some clusters have other databases: one node tells whether this one does.
    return _checked(place, "cluster", router, router.server_at(address))


def _through_sentinel(place: _Place, address: Address, *, has_login: bool) -> RedisConnection:
    settings, clients, known = place.settings, place.clients, place.known
    seed: Any = clients.one(address, has_login=has_login)
    try:
        with translated(str(address)):
            masters = seed.sentinel_masters()
        if not isinstance(masters, dict):
            raise RedisRefused(f"{address} gave an answer that makes no sense")
        name = _master_name(settings, address, masters)
        learn_sentinels(seed, address, name, known)
        master = named_master(seed, address, name, lambda at: clients.one(at, db=settings.db))
    finally:
        seed.close()
    router = SentinelRouter(clients, settings, known, name, has_login=has_login, master=master)
    return RedisConnection(settings, "sentinel", router, known, jitter=place.jitter)


def _checked(
    place: _Place, kind: Kind, router: Router, server: Server, *, is_replica: bool = False
) -> RedisConnection:
    """The connection, once the server has taken the number of the database, too."""
    settings = place.settings
    if settings.db:
        try:
            with translated(server.route):
                hello(server.client, server.route)
        except BadRedisUrl as error:
            router.close()
            what = "a cluster, which has no" if kind == "cluster" else "a server without a"
            raise BadRedisUrl(
                f"{server.address} is {what} database {settings.db}", remedy=error.remedy
            ) from None
        except RedisFailure:
            router.close()
            raise
    return RedisConnection(
        settings, kind, router, place.known, jitter=place.jitter, is_replica=is_replica
    )


def _master_name(settings: RedisSettings, address: Address, masters: dict[str, Any]) -> str:
    names = sorted(masters)
    if settings.master in names:
        return settings.master
    if settings.master:
        raise BadRedisUrl(
            f"the Sentinel at {address} knows no master {settings.master!r}"
            f"{nearest(settings.master, names)}",
            remedy="name one that it knows with ?master=NAME",
        )
    if len(names) != 1:
        raise BadRedisUrl(
            f"the Sentinel at {address} knows {len(names)} masters: {', '.join(names)}",
            remedy="name one with ?master=NAME at the end of the URL",
        )
    return names[0]
