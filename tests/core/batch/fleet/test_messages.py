"""A batch and its hosts, where answers are lost on their way, and capsules are put out."""

import asyncio
import hashlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atectl.accounting import Principal, Quota
from atectl.batch.fleet.address import scheduler_address
from atectl.batch.fleet.dispatching import Dispatcher
from atectl.batch.fleet.host import FleetHost
from atectl.batch.fleet.joining import Joined
from atectl.batch.fleet.link import SeenHost, Unheard
from atectl.batch.fleet.shares import Shares
from atectl.batch.fleet.store import CapsuleStore
from atectl.batch.fleet.tickets import Ticket
from atectl.batch.fleet.wire import PROTOCOL, CapsuleName, decode, encode
from atectl.batch.inbox import Inbox
from atectl.batch.job import JobResult, JobTerms, ended_unstarted
from atectl.engine.wasi import WasiSettings
from atectl.errors import AtectlError
from atectl.lease.outcome import Outcome, exited, told_to_end
from atectl.lease.terms import Terms
from tests.support.waiting import SOON_S

pytest.importorskip("distributed")

TTL_S = 30.0
CONTENT = b"a capsule"
NAME = CapsuleName(hashlib.sha256(CONTENT).hexdigest(), "a.wasm")
QUOTA = Quota(1)


class ByHand:
    """A batch of one slot, whose jobs end when they are told to."""

    baseline_bytes = 0

    def __init__(self) -> None:
        self.begun: list[str] = []
        """The labels of all jobs that have begun."""
        self._results: queue.SimpleQueue[JobResult] = queue.SimpleQueue()
        self._running: JobTerms | None = None
        self._lock = threading.Lock()

    def overview(self) -> Any:
        return SimpleNamespace(pressure=SimpleNamespace(total_bytes=0), on_disk_bytes=0)

    def serve(self, inbox: Inbox) -> Iterator[JobResult]:
        self._inbox = inbox
        inbox.open(self._fill)
        while True:
            yield self._results.get()

    def end(self, outcome: Outcome | None = None) -> None:
        """The job that runs ends."""
        with self._lock:
            ended, self._running = self._running, None
        assert ended is not None
        self._results.put(ended_unstarted(ended.job, outcome or exited(0)))
        self._fill()

    def end_one(self, job: int, reason: str) -> None:
        if self._running is not None and self._running.job == job:
            self.end(told_to_end(reason, QUOTA, 0))

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def _fill(self) -> None:
        with self._lock:
            if self._running is None and (job := self._inbox.take()) is not None:
                self._running = job
                self.begun.append(job.terms.label)


class Link:
    """Carries messages to the hosts of this process, and loses some answers."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[FleetHost, Joined]] = {}
        self.loses: Callable[[dict[str, Any], dict[str, Any]], bool] = lambda *_: False
        """Whether an answer is lost, by the message and the answer; asked until one was."""
        self.lost = asyncio.Event()
        self.asked: list[str] = []
        """What all messages asked for."""

    async def hosts(self, within_s: float) -> list[SeenHost]:
        return [
            SeenHost(address, host.facts()._asdict(), 1.0, 0.0)
            for address, (host, _) in self.places.items()
        ]

    async def call(
        self, address: str, content: dict[str, Any], within_s: float, data: bytes = b""
    ) -> dict[str, Any]:
        host, joined = self.places[address]
        self.asked.append(content["op"])
        answer = decode(await joined._hear(host, encode(content), data))
        if not self.lost.is_set() and self.loses(content, answer):
            self.lost.set()
            raise Unheard("it is lost")
        return answer

    async def forget(self, address: str) -> None:
        """Nothing is kept."""


class Fleet:
    """A batch and its hosts, on one loop. Each host has one slot."""

    def __init__(self, folder: Path) -> None:
        self.link = Link()
        self.batches: dict[str, ByHand] = {}
        self.results: list[JobResult] = []
        self.warnings: list[AtectlError] = []
        self._folder = folder
        self._numbers = count(1)
        self.dispatcher = Dispatcher(
            self.link,  # type: ignore[arg-type]
            TTL_S,
            None,
            self.results.append,
            self.warnings.append,
        )

    def join(self, name: str, max_bytes: int = 1 << 20) -> FleetHost:
        batch = self.batches[name] = ByHand()
        store = CapsuleStore(self._folder / name / "arrived", max_bytes, 1 << 20)
        store.receive(NAME.sha256, "s", 0, CONTENT, is_last=True)
        joined = Joined(scheduler_address("tcp://127.0.0.1:1"), self._folder, lambda _: None)
        host = FleetHost(name, 1, 1 << 30, batch, store, Shares({}), joined.news)  # type: ignore[arg-type]
        host.open()
        self.link.places[name] = host, joined
        return host

    def submit(self, *labels: str, content: bytes | None = None) -> None:
        """Jobs, of a content that is here or of the one that hosts have, and no more."""
        self.submit_some(*labels, content=content)
        self.dispatcher.all_read()

    def submit_some(self, *labels: str, content: bytes | None = None) -> None:
        capsule, file = NAME, None
        if content is not None:
            file = self._folder / f"{hashlib.sha256(content).hexdigest()}.wasm"
            file.write_bytes(content)
            capsule = CapsuleName(file.stem, "b.wasm")
        for label in labels:
            terms = Terms(Principal(), QUOTA, WasiSettings(()), None, label)
            job = JobTerms(next(self._numbers), Path(capsule.name), terms)
            self.dispatcher.add([Ticket(job, capsule, file, frozenset(), time.monotonic())])

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(SOON_S):
            while not is_so():
                await asyncio.sleep(0.001)

    async def until_over(self) -> None:
        """Let all jobs end by themselves."""
        async with asyncio.timeout(SOON_S):
            while not self.dispatcher.over.is_set():
                for batch in self.batches.values():
                    if batch.is_running:
                        batch.end()
                await asyncio.sleep(0.001)

    @property
    def begun(self) -> Counter[str]:
        return Counter(label for batch in self.batches.values() for label in batch.begun)


def with_fleet(folder: Path, what: Callable[[Fleet], Any]) -> None:
    async def do() -> None:
        fleet = Fleet(folder)
        watching = asyncio.create_task(fleet.dispatcher.watch())
        try:
            await what(fleet)
        finally:
            watching.cancel()
            await fleet.dispatcher.leave()

    asyncio.run(do())


def test_what_a_submitter_has_sent_in_part_goes_with_it(tmp_path: Path) -> None:
    async def what(fleet: Fleet) -> None:
        host, session = fleet.join("a"), {"session": "b1x1"}
        host.hear({"op": "hello", "protocol": PROTOCOL, "batch": "b1", "ttl_s": 9, **session}, b"")
        part = {"op": "part", "sha256": "0" * 64, "offset": 0, **session}
        assert host.hear(part, b"half") == {"wrong": False}
        assert list(tmp_path.rglob("*.part-*"))
        host.hear({"op": "bye", **session}, b"")
        assert not list(tmp_path.rglob("*.part-*"))

    with_fleet(tmp_path, what)


def test_jobs_that_a_host_gives_back_are_told_of_until_that_is_heard(tmp_path: Path) -> None:
    async def what(fleet: Fleet) -> None:
        host = fleet.join("a")
        fleet.submit("one", "two", "three")
        await fleet.until(lambda: len(fleet.batches["a"].begun) == 1 and host.facts().waiting == 2)
        fleet.link.loses = lambda _, answer: bool(answer.get("returned"))
        host.drain()
        await fleet.until(fleet.link.lost.is_set)
        assert not host.is_idle
        fleet.join("b")
        await fleet.until_over()
        assert {result.attempt for result in fleet.results} == {1}
        assert fleet.begun == Counter(("one", "two", "three"))
        await fleet.until(lambda: host.is_idle)
        assert fleet.warnings == []

    with_fleet(tmp_path, what)


def test_jobs_that_a_host_cuts_short_are_told_of_until_that_is_heard(tmp_path: Path) -> None:
    async def what(fleet: Fleet) -> None:
        host = fleet.join("a")
        fleet.submit("one")
        await fleet.until(lambda: fleet.batches["a"].is_running)
        fleet.link.loses = lambda _, answer: bool(answer.get("cut"))
        host.drain()
        host.cut()
        await fleet.until(fleet.link.lost.is_set)
        fleet.join("b")
        await fleet.until_over()
        assert [(result.host, result.attempt) for result in fleet.results] == [("b", 2)]
        assert fleet.warnings == []

    with_fleet(tmp_path, what)


def test_a_job_that_ends_by_itself_before_it_is_cut_short_has_its_result(tmp_path: Path) -> None:
    async def what(fleet: Fleet) -> None:
        host = fleet.join("a")
        fleet.submit("one")
        await fleet.until(lambda: fleet.batches["a"].is_running)
        fleet.batches["a"].end_one = lambda *_: None  # type: ignore[method-assign]
        host.drain()
        host.cut()
        fleet.batches["a"].end(exited(3))
        await fleet.until(fleet.dispatcher.over.is_set)
        assert [result.outcome.exit_status for result in fleet.results] == [3]

    with_fleet(tmp_path, what)


def test_jobs_that_are_taken_back_from_a_host_are_not_lost_with_its_answer(tmp_path: Path) -> None:
    async def what(fleet: Fleet) -> None:
        host = fleet.join("a")
        fleet.submit("one", "two", "three", "four")
        await fleet.until(lambda: host.facts().waiting == 3)
        fleet.link.loses = lambda told, _: told["op"] == "recall"
        fleet.join("b")
        await fleet.until(lambda: fleet.batches["b"].is_running)
        await fleet.until_over()
        assert fleet.begun == Counter(("one", "two", "three", "four"))
        assert {result.attempt for result in fleet.results} == {1}

    with_fleet(tmp_path, what)


def test_a_job_that_is_sent_again_after_its_end_does_not_run_twice(tmp_path: Path) -> None:
    async def what(fleet: Fleet) -> None:
        fleet.join("a")
        fleet.link.loses = lambda told, _: told["op"] == "put"
        call, is_known, is_late = fleet.link.call, asyncio.Event(), asyncio.Event()

        async def late(address: str, content: dict[str, Any], *rest: Any) -> dict[str, Any]:
            if content["op"] == "put" and fleet.link.lost.is_set():
                # On its way, it is overtaken by the result, and by the thanks for it.
                fleet.batches["a"].end()
                await is_known.wait()
                answer = await call(address, content, *rest)
                is_late.set()
                return answer
            if content.get("acked"):
                is_known.set()
            return await call(address, content, *rest)

        fleet.link.call = late  # type: ignore[method-assign]
        fleet.submit("one")
        await fleet.until(is_late.is_set)
        await fleet.until_over()
        assert fleet.begun == Counter(("one",))

    with_fleet(tmp_path, what)


def test_capsules_of_which_a_host_has_no_room_for_all_come_again_when_their_jobs_do(
    tmp_path: Path,
) -> None:
    async def what(fleet: Fleet) -> None:
        fleet.join("a", max_bytes=20)
        for letter in (b"x", b"y", b"z", b"x"):
            fleet.submit_some(letter.decode(), content=letter * 16)
        fleet.dispatcher.all_read()
        await fleet.until_over()
        assert {result.outcome.reason for result in fleet.results} == {"exited"}
        assert fleet.begun == Counter("xyzx")

    with_fleet(tmp_path, what)


def test_a_capsule_whose_jobs_wait_at_a_host_stays_there_however_many_more_come(
    tmp_path: Path,
) -> None:
    async def what(fleet: Fleet) -> None:
        host = fleet.join("a", max_bytes=20)
        for letter in (b"x", b"y", b"z"):
            fleet.submit_some(letter.decode(), content=letter * 16)
        fleet.dispatcher.all_read()
        await fleet.until(lambda: host.facts().waiting == 2)
        await fleet.until_over()
        assert fleet.link.asked.count("part") == 3

    with_fleet(tmp_path, what)


def test_a_capsule_that_was_put_out_after_its_jobs_comes_again_with_the_next(
    tmp_path: Path,
) -> None:
    async def what(fleet: Fleet) -> None:
        fleet.join("a", max_bytes=20)
        for letter in (b"x", b"y", b"x"):
            already = len(fleet.results)
            fleet.submit_some(letter.decode(), content=letter * 16)
            await fleet.until(lambda: fleet.batches["a"].is_running)
            fleet.batches["a"].end()
            await fleet.until(lambda: len(fleet.results) > already)  # noqa: B023 - waited for here
        assert {result.outcome.reason for result in fleet.results} == {"exited"}
        assert fleet.link.asked.count("part") == 3

    with_fleet(tmp_path, what)


def test_a_host_whose_answers_are_lost_now_and_then_is_not_lost(tmp_path: Path) -> None:
    async def what(fleet: Fleet) -> None:
        fleet.join("a")
        fleet.link.loses = lambda told, _: told["op"] == "take"
        for label in "xyz":
            already = len(fleet.results)
            fleet.link.lost.clear()
            fleet.submit_some(label)
            await fleet.until(lambda: fleet.batches["a"].is_running)
            fleet.batches["a"].end()
            await fleet.until(lambda: len(fleet.results) > already)  # noqa: B023 - waited for here
            assert fleet.link.lost.is_set()
        assert fleet.warnings == []
        assert {result.attempt for result in fleet.results} == {1}

    with_fleet(tmp_path, what)
