"""Which server a command goes to: what every kind of place has to tell.

A place is one server, a cluster, or the master that Sentinels name.
"""

from typing import NamedTuple, Protocol

from redis import Redis  # noqa: TID253 - imported lazily, by the commands that need it
from redis.exceptions import AskError  # noqa: TID253

from atectl.redis.errors import RedisFailure, RedisSlotMoving
from atectl.redis.settings import Address


class Server(NamedTuple):
    """A server that commands are sent to.

    Attributes:
        address: where it listens.
        route: how messages name it: its address, or a clause that says who named it.
        client: a client for it alone.
    """

    address: Address
    route: str
    client: Redis


class Router(Protocol):
    """What knows the servers of one place."""

    def server_of(self, key: bytes | None) -> Server:
        """The server that has this key; any that holds keys, if there is none.

        Raises:
            RedisFailure: nobody has it (exit 125).
        """

    def primaries(self) -> list[Server]:
        """Every server that holds keys of its own."""

    def look_anew(self, failed: Server) -> None:
        """Find out which servers there are, as one has failed.

        Raises:
            RedisFailure: nobody can tell (exit 125).
        """

    def moved(self, slot: int, to: Address) -> None:
        """Take note that a slot has another server now."""

    def at(self, address: Address, source: Server) -> Server:
        """The server at an address that another one named."""

    def explained(self, failure: RedisSlotMoving, asked: Server, key: bytes) -> RedisFailure:
        """The failure with what the servers say of the slot of a key."""

    def close(self) -> None:
        """Close every socket."""


def target_of(redirection: AskError, server: Server) -> Address:
    """Where a redirection points; the host of the server that sent it, if it names none."""
    return Address(redirection.host or server.address.host, redirection.port)
