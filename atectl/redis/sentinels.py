"""The master that Sentinels name: commands go to it, and to its successor after a failover."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from atectl.redis.clients import ClientFactory
from atectl.redis.errors import RedisReadOnly, RedisRefused, RedisSlotMoving, RedisTimeout
from atectl.redis.faults import translated
from atectl.redis.hello import hello
from atectl.redis.known import KnownServers
from atectl.redis.race import Race
from atectl.redis.routing import Server
from atectl.redis.settings import Address, RedisSettings


class SentinelRouter:
    """See `routing.Router`.

    Args:
        clients: makes clients.
        settings: of the place.
        known: the Sentinels.
        name: the name by which they know the master.
        has_login: whether the Sentinels take the login in the settings, too.
        master: the master, as they named it last.
    """

    def __init__(
        self,
        clients: ClientFactory,
        settings: RedisSettings,
        known: KnownServers,
        name: str,
        *,
        has_login: bool,
        master: Server,
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._known = known
        self._name = name
        self._has_login = has_login
        self._master = master
        self._mutex = threading.Lock()

    def server_of(self, key: bytes | None) -> Server:
        with self._mutex:
            return self._master

    def primaries(self) -> list[Server]:
        return [self.server_of(None)]

    def look_anew(self, failed: Server) -> None:
        """Ask the Sentinels who the master is, until one names a server that is.

        Raises:
            RedisFailure: none of them does (exit 125).
        """
        with self._mutex:
            if self._master is not failed:
                return
        race = Race(
            [partial(self._asked, address) for address in self._known.to_ask()],
            discard=lambda server: server.client.close(),
        )
        timeout_s = self._settings.timeout_s
        late = RedisTimeout(f"no Sentinel of {self._name} named a master within {timeout_s:g} s")
        master = race.winner(timeout_s, late)
        with self._mutex:
            failed.client.close()
            self._master = master

    def moved(self, slot: int, to: Address) -> None:
        """A single master has no slots."""

    def at(self, address: Address, source: Server) -> Server:
        return source

    def explained(self, failure: RedisSlotMoving, asked: Server, key: bytes) -> RedisSlotMoving:
        return failure

    def close(self) -> None:
        self.server_of(None).client.close()

    def _asked(self, sentinel: Address) -> Server:
        client = self._clients.one(sentinel, has_login=self._has_login)
        try:
            learn_sentinels(client, sentinel, self._name, self._known)
            return named_master(client, sentinel, self._name, self._master_client)
        finally:
            client.close()

    def _master_client(self, address: Address) -> Any:
        return self._clients.one(address, db=self._settings.db)


def learn_sentinels(client: Any, sentinel: Address, name: str, known: KnownServers) -> None:
    """Learn of the other Sentinels, as one tells of them.

    Raises:
        RedisFailure: it does not (exit 125).
    """
    with translated(str(sentinel)):
        told = client.sentinel_sentinels(name)
    others = [_address(one.get("ip"), one.get("port"), sentinel) for one in told]
    known.learn(sentinel, (sentinel, *others))


def named_master(
    client: Any, sentinel: Address, name: str, make: Callable[[Address], Any]
) -> Server:
    """The master that a Sentinel names, if it is one.

    Args:
        client: of the Sentinel.
        sentinel: its address.
        name: the name of the master.
        make: makes a client for an address.

    Raises:
        RedisFailure: the Sentinel names none, or one that cannot be used (exit 125).
        BadRedisUrl: the master has no database of the number in the URL (exit 2).
    """
    with translated(str(sentinel)):
        told = client.sentinel_get_master_addr_by_name(name)
    if told is None:
        raise RedisRefused(f"the Sentinel at {sentinel} names no master {name}")
    if not isinstance(told, tuple) or len(told) != 2:
        raise RedisRefused(f"the Sentinel at {sentinel} gave an address that makes no sense")
    address = _address(*told, sentinel)
    route = f"the Sentinel at {sentinel} names {address} as master, which"
    master = Server(address, route, make(address))
    try:
        with translated(route):
            role = hello(master.client, route).role
        if role in ("slave", "replica"):
            raise RedisReadOnly(f"{route} is a replica", remedy="try again after the failover")
    except BaseException:
        master.client.close()
        raise
    return master


def _address(host: Any, port: Any, sentinel: Address) -> Address:
    words = host.decode("utf-8", "replace") if isinstance(host, bytes) else host
    if not isinstance(words, str) or not str(port).isdigit():
        raise RedisRefused(f"the Sentinel at {sentinel} gave an address that makes no sense")
    return Address(words, int(port))
