"""One server: every command goes to it."""

from atectl.redis.errors import RedisSlotMoving
from atectl.redis.routing import Server
from atectl.redis.settings import Address


class SingleRouter:
    """See `routing.Router`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def server_of(self, key: bytes | None) -> Server:
        return self._server

    def primaries(self) -> list[Server]:
        return [self._server]

    def look_anew(self, failed: Server) -> None:
        """There is no other server to look for."""

    def moved(self, slot: int, to: Address) -> None:
        """A single server has no slots."""

    def at(self, address: Address, source: Server) -> Server:
        return self._server

    def explained(self, failure: RedisSlotMoving, asked: Server, key: bytes) -> RedisSlotMoving:
        return failure

    def close(self) -> None:
        self._server.client.close()
