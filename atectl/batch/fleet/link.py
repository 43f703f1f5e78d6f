"""A submitter's way to a scheduler and its hosts.

Messages go to a host directly, or through the scheduler where the host cannot be reached.
"""

import asyncio
import time
from typing import Any, NamedTuple

from atectl.batch.cells.wire import Malformed
from atectl.batch.fleet.address import SchedulerAddress
from atectl.batch.fleet.carrier import OPERATION, security_of, why_unreachable
from atectl.batch.fleet.errors import SchedulerUnreachable
from atectl.batch.fleet.wire import decode, encode

_CONNECT_S = 2.0
"""How long it may take to connect to a host before the way through the scheduler is taken."""


class Unheard(Exception):
    """A host did not answer."""


class SeenHost(NamedTuple):
    """A host as the scheduler knows it: its address, what it last told, and when that was, by the
    clock of the scheduler; `ago_s` seconds ago, if the clocks of both machines agree."""

    address: str
    facts: dict[str, Any]
    seen_at: float
    ago_s: float


class FleetLink:
    """The connections of one submitter, on one asyncio loop. To be closed.

    Args:
        address: of the scheduler.
    """

    def __init__(self, address: SchedulerAddress) -> None:
        from distributed import core

        self._address = address
        self._rpc: Any = core.rpc
        self._arguments = security_of(address).get_connection_args("client")
        self._scheduler = self._connection(address.url, 10.0)
        self._is_connected = False
        self._hosts: dict[str, Any] = {}
        self._through_scheduler: set[str] = set()

    async def hosts(self, within_s: float) -> list[SeenHost]:
        """The hosts that have joined.

        Raises:
            SchedulerUnreachable: the scheduler does not answer (exit 125).
        """
        try:
            async with asyncio.timeout(within_s):
                if not self._is_connected:
                    await self._require_listening()
                told = await self._scheduler.identity()
                workers = told["workers"]
            self._is_connected = True
        except Exception as error:  # what answers may be anything
            self._is_connected = False
            raise SchedulerUnreachable(f"{self._address.url}: {why_unreachable(error)}") from None
        newest = max((each["last_seen"] for each in workers.values()), default=0.0)
        # The clock of the scheduler may be ahead of this one.
        now_s = max(time.time(), newest)
        return [
            SeenHost(address, facts, each["last_seen"], now_s - each["last_seen"])
            for address, each in workers.items()
            if (facts := each["metrics"].get(OPERATION)) is not None
        ]

    async def call(
        self, address: str, content: dict[str, Any], within_s: float, data: bytes = b""
    ) -> dict[str, Any]:
        """The answer of a host to a message.

        Raises:
            Unheard: it did not answer in that time, or cannot be reached.
        """
        message = encode(content)
        try:
            async with asyncio.timeout(within_s):
                answer = await self._send(address, message, data)
            return decode(answer)
        except (OSError, TimeoutError, Malformed, KeyError) as error:
            raise Unheard(str(error)) from None
        except Exception as error:  # the scheduler passes on any error of its own
            raise Unheard(f"{type(error).__name__}: {error}") from None

    async def forget(self, address: str) -> None:
        """Close the connections to a host."""
        connection = self._hosts.pop(address, None)
        self._through_scheduler.discard(address)
        if connection is not None:
            await _close(connection)

    async def close(self) -> None:
        for address in list(self._hosts):
            await self.forget(address)
        await _close(self._scheduler)

    async def _send(self, address: str, message: bytes, data: bytes) -> object:
        if address not in self._through_scheduler:
            host = self._hosts.get(address)
            if host is None:
                host = await self._reach(address)
            if host is not None:
                return await getattr(host, OPERATION)(message=message, data=data)
        told = {"op": OPERATION, "message": message, "data": data}
        return await self._scheduler.proxy(msg=told, worker=address)

    async def _reach(self, address: str) -> Any:
        """A connection to a host; None if it can be reached through the scheduler alone."""
        connection = self._connection(address, _CONNECT_S)
        try:
            async with asyncio.timeout(_CONNECT_S):
                comm = await connection.live_comm()
            connection.comms[comm] = True
        except (OSError, TimeoutError):
            self._through_scheduler.add(address)
            await _close(connection)
            return None
        return self._hosts.setdefault(address, connection)

    async def _require_listening(self) -> None:
        """See that somebody listens there: Dask would try again and again where nobody does.

        Raises:
            OSError: nobody does.
        """
        if self._address.is_encrypted:  # it would take this for a broken connection, and complain
            return
        _, writer = await asyncio.open_connection(self._address.host, self._address.port)
        writer.close()

    def _connection(self, address: str, timeout_s: float) -> Any:
        return self._rpc(address, timeout=timeout_s, connection_args=self._arguments)


async def _close(connection: Any) -> None:
    try:
        async with asyncio.timeout(1.0):
            await connection.close_rpc()
    except (OSError, TimeoutError):
        pass
