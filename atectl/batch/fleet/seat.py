"""One host as a submitter sees it: what it has of the batch, and the messages to and fro."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Protocol, TypeVar

from atectl.batch.cells.wire import Malformed, items, whole
from atectl.batch.fleet.errors import NoHostFits
from atectl.batch.fleet.link import FleetLink, Unheard
from atectl.batch.fleet.tickets import Ticket
from atectl.batch.fleet.window import Window
from atectl.batch.fleet.wire import PROTOCOL, read_result, told_job
from atectl.batch.job import JobResult
from atectl.errors import AtectlError, CapsuleUnreadable

_PART_BYTES = 1 << 20
_MOST_AT_ONCE = 512
_MOST_CHARACTERS_AT_ONCE = 1 << 20
_AGAIN_S = 0.1
_MOST_NUMBER = 1 << 40

_Answer = TypeVar("_Answer")


class Dispatch(Protocol):
    """Who hands out the jobs."""

    def end_job(self, ticket: Ticket, result: JobResult) -> None: ...
    def refuse(self, ticket: Ticket, error: AtectlError) -> None: ...
    def give_back(self, tickets: list[Ticket]) -> None: ...
    def fill(self, seat: "Seat") -> None: ...
    def sent(self) -> None: ...


class Seat:
    """The session of a batch at one host.

    Args:
        link: carries the messages.
        address: of the host.
        session: the session's name, unique.
        batch: the name that all sessions of the batch have in common.
        ttl_s: how long the host may be silent.
        capture_bytes: how much to be told of each output of a job; see `outputs.kept_of`.
        dispatch: hands out the jobs.
    """

    def __init__(
        self,
        link: FleetLink,
        address: str,
        session: str,
        batch: str,
        ttl_s: float,
        capture_bytes: int | None,
        dispatch: Dispatch,
    ) -> None:
        self._capture_bytes = capture_bytes
        self._link = link
        self.address = address
        self._session = session
        self._batch = batch
        self._ttl_s = ttl_s
        self._dispatch = dispatch
        self.name = address
        self.slots = 1
        self.most_bytes = 0
        self.shares: frozenset[str] = frozenset()
        self.is_open = self.is_draining = False
        self.is_foreign = False
        """Whether it does not speak as this version does."""
        self.ended = 0
        self.waiting = 0
        self.may_have_waiting = False
        """Whether there may be jobs there that have not started: not if none came back when asked,
        until it tells of some. Those on their way to it do not count."""
        self.out: dict[int, Ticket] = {}
        """The jobs that were sent there and have not ended."""
        self.window = Window(1)
        self._outbox: list[Ticket] = []
        self._has_to_send = asyncio.Event()
        self._has: set[str] = set()
        self.lacks: set[str] = set()
        """Contents that it does not have, and this machine neither."""
        self._acked = 0
        self._sends = True
        self._numbers = count(1)
        self._recalling = asyncio.Lock()

    # What it can take

    def accepts(self, ticket: Ticket) -> bool:
        """Whether it can ever run a job."""
        return (
            ticket.job.terms.quota.memory_bytes <= self.most_bytes
            and ticket.shares <= self.shares
            and ticket.capsule.sha256 not in self.lacks
        )

    @property
    def free(self) -> int:
        """How many more jobs may be sent there now."""
        return self.window.size - len(self.out) if self.is_open and not self.is_draining else 0

    @property
    def surplus(self) -> int:
        """How many of its jobs have to wait there."""
        return len(self.out) - self.slots

    def send(self, tickets: list[Ticket]) -> None:
        """Have these jobs run there."""
        if not self.out:
            self.window.begin()
        for ticket in tickets:
            ticket.attempt += 1
            ticket.sent_s = time.monotonic()
            self.out[ticket.number] = ticket
        self._outbox += tickets
        self._has_to_send.set()

    # The messages

    async def run(self) -> None:
        """Hear the host out for as long as it is there. Returns when it is lost."""
        sending: asyncio.Task[None] | None = None
        try:
            if not await self._open():
                return
            sending = asyncio.create_task(self._send_all())
            await self._hear_all()
        except (Unheard, Malformed):
            return
        finally:
            self.is_open = False
            if sending is not None:
                sending.cancel()

    async def recall(self, numbers: list[int] | None) -> None:
        """Take jobs back that have not started there: those of these numbers, or all for good."""
        self._sends = self._sends and numbers is not None
        outbox, self._outbox = self._outbox, []
        wanted = [each for each in outbox if numbers is None or each.number in numbers]
        self._outbox = [each for each in outbox if each not in wanted] + self._outbox
        self._take_back([each.number for each in wanted])
        async with self._recalling:
            asked = {"op": "recall", "jobs": numbers, "number": next(self._numbers)}
            returned = await self._until_heard(lambda: self._returned(asked))
        if returned is None:
            return
        self.may_have_waiting = bool(wanted or returned)
        self._take_back(returned)

    async def end(self, reason: str, within_s: float) -> None:
        """End all jobs there."""
        self._sends = False
        outbox, self._outbox = self._outbox, []
        self._take_back([each.number for each in outbox])
        try:
            answer = await self._call({"op": "end", "reason": reason}, within_s=within_s)
            self._take_back(items(answer.get("returned")))
        except (Unheard, Malformed):
            return

    async def _returned(self, asked: dict[str, Any]) -> list[Any]:
        return items((await self._call(asked)).get("returned"))

    async def leave(self) -> None:
        """The batch is over."""
        try:
            await self._call({"op": "bye"}, within_s=1.0)
        except Unheard:
            return

    async def _call(
        self, content: dict[str, Any], within_s: float | None = None, data: bytes = b""
    ) -> dict[str, Any]:
        told = {**content, "session": self._session}
        answer = await self._link.call(self.address, told, within_s or self._ttl_s, data)
        if "unknown" in answer:
            raise Unheard("the host does not know this batch any more")
        if "malformed" in answer:
            raise Unheard(str(answer["malformed"]))
        return answer

    async def _open(self) -> bool:
        hello = {
            "op": "hello",
            "batch": self._batch,
            "ttl_s": self._ttl_s,
            "capture": self._capture_bytes,
            "protocol": PROTOCOL,
        }
        answer = await self._call(hello)
        facts = answer.get("facts")
        if answer.get("protocol") != PROTOCOL or not isinstance(facts, dict):
            self.is_foreign = True
            return False
        self.name = str(facts["name"])
        self.slots = whole(facts["slots"], _MOST_NUMBER)
        self.most_bytes = whole(facts["most_bytes"], 1 << 62)
        self.shares = frozenset(map(str, items(facts["shares"])))
        self.is_draining = facts["is_draining"] is True
        self.window = Window(self.slots)
        self.is_open = True
        self._dispatch.fill(self)
        return True

    async def _hear_all(self) -> None:
        heard_s, failures = time.monotonic(), 0
        while True:
            take = {"op": "take", "acked": self._acked, "wait_s": self._ttl_s / 3}
            try:
                answer = await self._call(take)
            except Unheard:
                failures += 1
                if failures > 1 or time.monotonic() - heard_s > self._ttl_s:
                    raise
                await asyncio.sleep(_AGAIN_S)
                continue
            heard_s, failures = time.monotonic(), 0
            self._receive(answer)
            self._dispatch.fill(self)

    def _receive(self, answer: dict[str, Any]) -> None:
        results = [read_result(each, self.name) for each in items(answer.get("results"))]
        self._acked = max(self._acked, whole(answer.get("last"), _MOST_NUMBER))
        self.waiting = whole(answer.get("waiting"), _MOST_NUMBER)
        self.may_have_waiting = self.waiting > 0
        self.is_draining = answer.get("draining") is True
        for result in results:
            ticket = self.out.pop(result.job, None)
            if ticket is not None:
                self.ended += 1
                self._dispatch.end_job(ticket, result)
        self._take_back(items(answer.get("returned")))
        self._take_back(items(answer.get("cut")), have_run=True)
        self.window.adapt(len(results), is_dry=not self.waiting)
        if not self.out:
            self.window.end()

    def _take_back(self, numbers: list[Any], *, have_run: bool = False) -> None:
        """Jobs that did not end there, to be sent elsewhere."""
        found = [ticket for each in numbers if (ticket := self.out.pop(each, None)) is not None]
        for ticket in found:
            ticket.attempt -= not have_run
        if found:
            self._dispatch.give_back(found)

    # Sending

    async def _send_all(self) -> None:
        while True:
            await self._has_to_send.wait()
            self._has_to_send.clear()
            while self._outbox:
                chunk = _first_of(self._outbox, self._has)
                del self._outbox[: len(chunk)]
                number = next(self._numbers)
                await self._until_heard(lambda: self._send(chunk, number))  # noqa: B023 - awaited here

    async def _until_heard(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer | None:
        """Try again for as long as this session lasts: whether it does, `_hear_all` finds out.

        What changes something is numbered, so the host does it once: see `Session.once`.
        """
        while self.is_open:
            try:
                return await ask()
            except (Unheard, Malformed):
                await asyncio.sleep(_AGAIN_S)
        return None

    async def _send(self, chunk: list[Ticket], number: int) -> None:
        for ticket in chunk:
            if ticket.number in self.out and ticket.capsule.sha256 not in self._has:
                await self._supply(ticket)
        if not self._sends:  # the batch was told to end while a capsule was on its way
            self._take_back([each.number for each in chunk])
            return
        jobs = [told_job(each.job, each.capsule) for each in chunk if each.number in self.out]
        if not jobs:
            return
        answer = await self._call({"op": "put", "jobs": jobs, "number": number})
        self.most_bytes = whole(answer.get("most_bytes"), 1 << 62)
        self.is_draining = self.is_draining or answer.get("draining") is True
        self.may_have_waiting = True
        self._take_back(items(answer.get("returned")))
        self._send_again(items(answer.get("without")))
        self._dispatch.sent()

    def _send_again(self, numbers: list[Any]) -> None:
        """Jobs whose capsules the host does not have any more."""
        found = [ticket for each in numbers if (ticket := self.out.get(each)) is not None]
        self._has -= {ticket.capsule.sha256 for ticket in found}
        self._outbox[:0] = found

    async def _supply(self, ticket: Ticket) -> None:
        """See that the host has the capsule of a job."""
        sha256 = ticket.capsule.sha256
        answer = await self._call({"op": "have", "sha256": sha256})
        if answer.get("has") is not True:
            if ticket.file is None:
                self._do_without(ticket)
                return
            try:
                await self._transfer(sha256, ticket)
            except AtectlError as error:
                self._refuse_all(sha256, error)
                return
        self._has.add(sha256)

    def _do_without(self, ticket: Ticket) -> None:
        """Neither has the content: other hosts may."""
        sha256 = ticket.capsule.sha256
        self.lacks.add(sha256)
        self._take_back([n for n, each in self.out.items() if each.capsule.sha256 == sha256])

    def _refuse_all(self, sha256: str, error: AtectlError) -> None:
        meant = [each for each in self.out.values() if each.capsule.sha256 == sha256]
        for ticket in meant:
            del self.out[ticket.number]
            self._dispatch.refuse(ticket, error)

    async def _transfer(self, sha256: str, ticket: Ticket) -> None:
        """Send the content of a capsule, part by part.

        Raises:
            CapsuleUnreadable: it cannot be read any more, or the host cannot keep it (exit 126).
        """
        if ticket.file is None:
            raise NoHostFits(f"no host has sha256:{sha256}")
        try:
            with ticket.file.open("rb") as file:
                offset, data = 0, file.read(_PART_BYTES)
                while data:
                    following = file.read(_PART_BYTES)
                    await self._transfer_part(sha256, offset, data, is_last=not following)
                    offset, data = offset + len(data), following
        except OSError as error:
            raise CapsuleUnreadable(f"{ticket.file}: {error.strerror}") from None

    async def _transfer_part(self, sha256: str, offset: int, data: bytes, *, is_last: bool) -> None:
        part = {"op": "part", "sha256": sha256, "offset": offset, "last": is_last}
        answer = await self._call(part, data=data)
        if "error" in answer:
            _, message, remedy = items(answer["error"], 3)
            raise CapsuleUnreadable(str(message), remedy=str(remedy))
        if answer.get("wrong") is True:
            raise CapsuleUnreadable(
                f"sha256:{sha256} changed while it was sent to {self.name}",
                remedy="run the batch again with --resume-from",
            )


def _first_of(tickets: list[Ticket], known: set[str]) -> list[Ticket]:
    """As many as go into one message, with one content that the host is to be sent before: for
    the next one it may have to make room, and what its jobs use stays."""
    new = set[str]()
    count = size = 0
    for ticket in tickets[:_MOST_AT_ONCE]:
        wasi = ticket.job.terms.wasi
        size += sum(map(len, wasi.arguments)) + sum(len(n) + len(v) for n, v in wasi.environment)
        new |= {ticket.capsule.sha256} - known
        if count and (size > _MOST_CHARACTERS_AT_ONCE or len(new) > 1):
            break
        count += 1
    return tickets[:count]
