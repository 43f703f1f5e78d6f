"""A host joins a scheduler: it is a worker of Dask that takes our messages, and no tasks.

If the scheduler goes away, it joins again when that is back.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from atectl.batch.cells.wire import Malformed
from atectl.batch.fleet.address import SchedulerAddress
from atectl.batch.fleet.carrier import OPERATION, security_of, why_unreachable
from atectl.batch.fleet.host import FleetHost
from atectl.batch.fleet.wire import decode, encode
from atectl.errors import AtectlError

_LONGEST_WAIT_S = 60.0
_LOOK_S = 0.5
_AGAIN_S = 1.0
_TOLD_WITHIN_S = 5.0
"""How long a host that ends waits for its submitters to fetch the last results."""


class Joined:
    """A host and its connection to a scheduler, on an asyncio loop.

    Args:
        address: of the scheduler.
        scratch: a folder that Dask may write in.
        say: told what happens, in words.

    Raises:
        UsageError: the files of TLS cannot be used (exit 2).
    """

    def __init__(
        self, address: SchedulerAddress, scratch: Path, say: Callable[[str], None]
    ) -> None:
        self._address = address
        self._scratch = scratch
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._is_told = False
        self._is_ending = asyncio.Event()
        self._security = security_of(address)

    def news(self) -> None:
        """A session has something to tell; called on any thread."""
        if not self._is_told:
            self._is_told = True
            with suppress(RuntimeError):  # it has ended, and the batch of the host ends after it
                self._loop.call_soon_threadsafe(self._tell)

    async def serve(self, host: FleetHost, grace_s: float) -> None:
        """Take jobs until `end` is called and those that run have ended, or had `grace_s`.

        Raises:
            AtectlError: the host cannot go on.
        """
        looking = asyncio.create_task(self._look_after(host))
        connecting = asyncio.create_task(self._stay_connected(host))
        try:
            await self._is_ending.wait()
            if host.failure is None:
                await self._drain(host, grace_s)
        finally:
            for task in (looking, connecting):
                task.cancel()
            await asyncio.gather(looking, connecting, return_exceptions=True)
        if host.failure is not None:
            raise host.failure

    def end(self) -> bool:
        """Take no more jobs, and leave. Returns whether that had been said before."""
        if self._is_ending.is_set():
            return True
        self._is_ending.set()
        return False

    async def _drain(self, host: FleetHost, grace_s: float) -> None:
        host.drain()
        until = self._loop.time() + grace_s
        while not host.is_idle and self._loop.time() < until:
            await asyncio.sleep(0.02)
        host.cut()
        until = self._loop.time() + _TOLD_WITHIN_S
        while not host.is_idle and self._loop.time() < until:
            await asyncio.sleep(0.02)

    async def _look_after(self, host: FleetHost) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            host.end_silent()
            if host.failure is not None:
                self._is_ending.set()

    async def _stay_connected(self, host: FleetHost) -> None:
        told = ""
        while True:
            try:
                await self._join(host)
                told = ""
                self._say(f"left {self._address.url}: it is gone; joining again when it is back")
            except Exception as error:  # what answers may be anything
                why = why_unreachable(error)
                if why != told:
                    told = why
                    self._say(f"waiting for a scheduler at {self._address.url}: {why}")
            await asyncio.sleep(_AGAIN_S)

    async def _join(self, host: FleetHost) -> None:
        """Be a worker of the scheduler for as long as that is there."""
        from distributed.comm import core
        from distributed.core import Status
        from distributed.worker import Worker

        async def hear(message: bytes, data: bytes = b"") -> bytes:
            return await self._hear(host, message, data)

        connect: Any = core.connect
        security = self._security
        # A worker waits for its scheduler without an end, and says nothing.
        comm = await connect(self._address.url, timeout=5, **security.get_connection_args("worker"))
        await comm.close()
        worker: Any = Worker(
            self._address.url,
            nthreads=host.slots,
            # Dask would end us at 95 % of a limit, before the arbiter acts.
            memory_limit=0,
            local_directory=str(self._scratch),
            security=security,
            host="127.0.0.1" if self._address.is_on_this_machine else None,
            metrics={OPERATION: lambda _worker: host.facts()._asdict()},
            dashboard=False,
        )
        worker.handlers[OPERATION] = hear
        try:
            async with worker:
                worker.status = Status.paused  # no task of Dask's own runs here
                self._say(f"joined {self._address.url} as {host.name}")
                await worker.finished()
        finally:
            await worker.close(reason="atectl-host-leaves")

    async def _hear(self, host: FleetHost, message: bytes, data: bytes) -> bytes:
        """The answer to a message of a submitter."""
        try:
            told = decode(message)
            if told.get("op") == "take":
                return await self._take(host, told)
            return encode(host.hear(told, data))
        except (Malformed, AtectlError) as error:
            return encode({"malformed": str(error)})

    async def _take(self, host: FleetHost, told: dict[str, Any]) -> bytes:
        session = host.session(told)
        if session is None:
            return encode({"unknown": True})
        host.acknowledge(session, told)
        until = self._loop.time() + min(float(told.get("wait_s", 0)), _LONGEST_WAIT_S)
        while (left_s := until - self._loop.time()) > 0:
            wait_s = host.wait_s(session)
            if wait_s == 0:
                break
            await self._await_news(left_s if wait_s is None else min(wait_s, left_s))
        return host.take(session)

    async def _await_news(self, most_s: float) -> None:
        changed = self._changed
        try:
            async with asyncio.timeout(most_s):
                await changed.wait()
        except TimeoutError:
            pass

    def _tell(self) -> None:
        self._is_told = False
        before, self._changed = self._changed, asyncio.Event()
        before.set()
