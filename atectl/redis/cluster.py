"""The nodes of a cluster: each command goes to the node that has the slot of its key."""

import re
import threading
from functools import partial
from typing import Any

from atectl.redis.clients import ClientFactory
from atectl.redis.errors import RedisClusterDown, RedisFailure, RedisSlotMoving, RedisTimeout
from atectl.redis.faults import FOREIGN, translated
from atectl.redis.known import KnownServers
from atectl.redis.race import Race
from atectl.redis.routing import Server
from atectl.redis.settings import Address, RedisSettings
from atectl.redis.slots import SlotMap, read_slots, slot_of

_OPEN_SLOT = re.compile(r"\[(\d+)-([<>])-([0-9a-f]+)\]")

Told = tuple[Address, SlotMap, tuple[Address, ...]]


class ClusterRouter:
    """See `routing.Router`.

    Args:
        clients: makes clients.
        settings: of the place.
        known: the nodes.
    """

    def __init__(
        self, clients: ClientFactory, settings: RedisSettings, known: KnownServers
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._known = known
        self._source = Address("", 0)
        self._slots = SlotMap(())
        self._servers: dict[Address, Server] = {}
        self._mutex = threading.Lock()

    def learn(self, told: Told) -> None:
        """Take over what a node told of the cluster."""
        source, slots, nodes = told
        self._known.learn(source, (source, *nodes))
        with self._mutex:
            self._source, self._slots = source, slots

    def server_of(self, key: bytes | None) -> Server:
        address = next(iter(self._slots.primaries()), None)
        if key is not None:
            address = self._slots.primary_of(key)
        if address is None:
            slot = "any slot" if key is None else f"slot {slot_of(key)}"
            raise RedisClusterDown(f"no node of the cluster at {self._source} has {slot}")
        return self.server_at(address)

    def primaries(self) -> list[Server]:
        return [self.server_at(address) for address in self._slots.primaries()]

    def slots_of(self, server: Server) -> tuple[str, ...]:
        """The slots that a node has, as text."""
        return self._slots.ranges_of(server.address)

    def uncovered(self) -> tuple[str, ...]:
        """The slots that no node has, as text."""
        return self._slots.uncovered()

    def look_anew(self, failed: Server) -> None:
        """Ask the nodes for the slots, the one that failed last of all.

        Raises:
            RedisFailure: none of them tells (exit 125).
        """
        asked = self._known.to_ask(last=failed.address)
        race = Race([partial(told_by, self._clients, address) for address in asked])
        timeout_s = self._settings.timeout_s
        late = RedisTimeout(f"no node of the cluster told of its slots within {timeout_s:g} s")
        self.learn(race.winner(timeout_s, late))

    def moved(self, slot: int, to: Address) -> None:
        with self._mutex:
            self._slots.move(slot, to)

    def at(self, address: Address, source: Server) -> Server:
        return self.server_at(address)

    def explained(self, failure: RedisSlotMoving, asked: Server, key: bytes) -> RedisFailure:
        slot = slot_of(key)
        told = [line for server in self.primaries() for line in _open_slots(server, slot)]
        states = f": {', '.join(told)}" if told else ""
        return RedisSlotMoving(
            f"slot {slot} of the cluster at {self._source}, the slot of "
            f"{key.decode('utf-8', 'replace')}, is being moved or was left half moved{states}",
            remedy="wait until the move is over; if nobody moves it, "
            f"`redis-cli --cluster fix {asked.address}` finishes or undoes it",
        )

    def close(self) -> None:
        with self._mutex:
            servers = list(self._servers.values())
        for server in servers:
            server.client.close()

    def server_at(self, address: Address) -> Server:
        """The node at an address."""
        with self._mutex:
            server = self._servers.get(address)
            if server is None:
                source = self._source
                route = str(address)
                if address not in (source, *self._settings.servers):
                    route = f"{source} names {address} as a primary of its cluster, which"
                client = self._clients.one(address, db=self._settings.db)
                server = self._servers[address] = Server(address, route, client)
            return server


def told_by(clients: ClientFactory, node: Address) -> Told:
    """What a node tells of its cluster: its slots, and all nodes.

    Raises:
        RedisFailure: it does not (exit 125).
    """
    client = clients.one(node)
    try:
        with translated(str(node)):
            answer: Any = client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
    finally:
        client.close()
    return (node, *read_slots(answer, node))


def _open_slots(server: Server, slot: int) -> list[str]:
    """Whether a node has a slot migrating or importing, in words."""
    try:
        answer: Any = server.client.execute_command("CLUSTER", "NODES")  # type: ignore[no-untyped-call]
    except FOREIGN:
        return []
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    states = {">": "migrating to", "<": "importing from"}
    return [
        f"{server.address} has it {states[direction]} {node[:8]}"
        for number, direction, node in _OPEN_SLOT.findall(text)
        if int(number) == slot
    ]
