"""A batch over the hosts of a fleet, from the submitter's side: used as `Batch` is."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from atectl.batch.fleet.address import SchedulerAddress
from atectl.batch.fleet.carrier import require_dask
from atectl.batch.fleet.dispatching import Dispatcher
from atectl.batch.fleet.link import FleetLink
from atectl.batch.fleet.shared_outputs import SharedOutputs
from atectl.batch.fleet.tickets import Ticket
from atectl.batch.fleet.wire import CapsuleName
from atectl.batch.job import JobResult, JobTerms, ended_unstarted
from atectl.batch.results import ResultQueue
from atectl.budget.jobs import BY_CONTENT
from atectl.budget.shared_paths import shares_in
from atectl.capsule.content import Contents
from atectl.errors import AtectlError, InternalError
from atectl.lease.outcome import SUCCESS, refused

DEFAULT_TTL_S = 15.0
"""How long a host may be silent until its unfinished jobs run elsewhere."""

_LEAST_AHEAD = 512
_MOST_UNREAD = 4096
_WAIT_S = 0.05
_CONNECT_S = 15.0


class HostRow(NamedTuple):
    """A host as a batch sees it: `out` jobs were sent there, and `ended` have ended there."""

    name: str
    slots: int
    out: int
    ended: int
    is_draining: bool


class FleetOverview(NamedTuple):
    """A batch at one moment: its hosts, and how many jobs wait to be sent to one."""

    hosts: tuple[HostRow, ...]
    waiting: int


class FleetBatch:
    """Runs jobs on the hosts of a fleet, once. To be closed.

    Args:
        address: of the scheduler.
        contents: of capsules on this machine.
        ttl_s: how long a host may be silent until it counts as lost.
        capture_bytes: how much to keep of each output of a job that goes to no file; None keeps the
            end of stderr of one that fails.
        retries: how often a job is run again that fails.
        fails_fast: whether no job starts after one that did not end by itself with status 0.
        warn: called, on another thread, with what goes wrong without ending the batch.

    Raises:
        DaskMissing: Dask is not installed (exit 125).
    """

    def __init__(
        self,
        address: SchedulerAddress,
        contents: Contents,
        *,
        ttl_s: float = DEFAULT_TTL_S,
        capture_bytes: int | None = None,
        retries: int = 0,
        fails_fast: bool = False,
        warn: Callable[[AtectlError], None] = lambda _: None,
    ) -> None:
        require_dask()
        self._address = address
        self._contents = contents
        self._ttl_s = ttl_s
        self._capture_bytes = capture_bytes
        self._retries = retries
        self._fails_fast = fails_fast
        self._warn = warn
        self._closing = threading.Event()
        self._results = ResultQueue(self._closing)
        self._unread = 0
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatcher: Dispatcher | None = None
        self._is_ready = threading.Event()
        self._leaving: asyncio.Event | None = None
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._reading_failure: BaseException | None = None
        self._read: list[Ticket] = []
        self._outputs = SharedOutputs()
        self._thread = threading.Thread(target=self._serve, name="fleet", daemon=True)

    def connect(self) -> None:
        """Reach the scheduler.

        Raises:
            SchedulerUnreachable: it does not answer (exit 125).
        """
        self._thread.start()
        self._is_ready.wait()
        if self._failure is not None:
            raise self._failure

    def run(self, jobs: Iterable[JobTerms]) -> Iterator[JobResult]:
        """Run the jobs, and yield the result of each as it ends.

        `jobs` is iterated on another thread, and only some are read ahead.

        Raises:
            SchedulerLost: the scheduler does not answer any more (exit 125).
            Exception: what iterating over `jobs` raised, after the results of all that ran.
        """
        reading = threading.Thread(target=self._read_jobs, args=(iter(jobs),), daemon=True)
        reading.start()
        while not self._results.is_over:
            result = self._results.next(_WAIT_S)
            if result is not None:
                with self._changed:
                    self._unread -= 1
                    self._changed.notify()
                yield result
            elif self._closing.is_set():
                return
        failure = self._failure or self._reading_failure
        if failure is not None:
            raise failure

    @property
    def has_more_results(self) -> bool:
        """Whether `run` can yield another result without waiting."""
        return self._results.has_more

    def overview(self) -> FleetOverview:
        """The batch as it is now."""
        dispatcher = self._dispatcher
        if dispatcher is None:
            return FleetOverview((), 0)
        rows = tuple(
            HostRow(seat.name, seat.slots, len(seat.out), seat.ended, seat.is_draining)
            for seat in tuple(dispatcher.seats.values())
        )
        return FleetOverview(rows, dispatcher.waiting)

    def stop(self) -> None:
        """Start no more jobs; those that run go on. Safe in a signal handler."""
        self._is_stopping = True
        self._call(lambda dispatcher: dispatcher.stop())

    def end_all(self, reason: str) -> None:
        """Start no more jobs, and end those that run, for `reason`. Safe in a signal handler."""
        self._is_stopping = True
        self._call(lambda dispatcher: dispatcher.end(reason))

    def close(self) -> None:
        """Leave the hosts, which end what still runs; idempotent."""
        self._closing.set()
        self._is_stopping = True
        if self._loop is not None and self._leaving is not None:
            self._soon(self._loop, self._leaving.set)
            self._thread.join(_CONNECT_S)

    def _call(self, what: Callable[[Dispatcher], None]) -> None:
        if self._loop is not None and self._dispatcher is not None:
            self._soon(self._loop, what, self._dispatcher)

    def _soon(self, loop: asyncio.AbstractEventLoop, what: Callable[..., None], *on: Any) -> None:
        """Call it on the thread of the loop, if that goes on."""
        with suppress(RuntimeError):  # it may end at any moment, and all is told then
            loop.call_soon_threadsafe(what, *on)

    # On the thread that reads jobs

    def _read_jobs(self, jobs: Iterator[JobTerms]) -> None:
        try:
            for job in jobs:
                if self._is_stopping:
                    break
                self._read_job(job)
                self._await_room()
        except BaseException as error:
            self._reading_failure = error
        self._call(lambda dispatcher: dispatcher.all_read())

    def _read_job(self, job: JobTerms) -> None:
        try:
            ticket = self._ticket(job._replace(retries=self._retries))
            self._outputs.require_own(job)
        except AtectlError as error:
            self._put(ended_unstarted(job.job, refused(error)))
            return
        with self._changed:
            self._read.append(ticket)
            is_first = len(self._read) == 1
        if is_first:
            self._call(self._hand_over)

    def _ticket(self, job: JobTerms) -> Ticket:
        now_s, shares = time.monotonic(), shares_in(job.terms.wasi)
        named = str(job.capsule)
        if named.startswith(BY_CONTENT):
            sha256 = named.removeprefix(BY_CONTENT)
            return Ticket(job, CapsuleName(sha256, "capsule.wasm"), None, shares, now_s)
        content = self._contents.at(job.capsule)
        capsule = CapsuleName(content.sha256, content.file.name)
        return Ticket(job, capsule, content.file, shares, now_s)

    def _await_room(self) -> None:
        """Read no more jobs than can soon be sent, and none while results are not read."""
        with self._changed:
            while not self._is_stopping and not self._has_room():
                self._changed.wait(_WAIT_S)

    def _has_room(self) -> bool:
        dispatcher = self._dispatcher
        if dispatcher is None or self._unread > _MOST_UNREAD:
            return False
        return len(self._read) + dispatcher.waiting < max(_LEAST_AHEAD, dispatcher.room // 2)

    # On the thread of the loop

    def _serve(self) -> None:
        try:
            asyncio.run(self._dispatch())
        except AtectlError as failure:
            self._failure = failure
        except BaseException as failure:
            self._failure = InternalError(f"{type(failure).__name__}: {failure}")
        finally:
            self._is_stopping = True
            self._results.end()
            self._is_ready.set()

    async def _dispatch(self) -> None:
        self._leaving = asyncio.Event()
        link = FleetLink(self._address)
        try:
            await link.hosts(_CONNECT_S)
            dispatcher = Dispatcher(
                link, self._ttl_s, self._capture_bytes, self._put_counted, self._warn
            )
            self._dispatcher, self._loop = dispatcher, asyncio.get_running_loop()
            self._is_ready.set()
            await self._until_over(dispatcher)
            await dispatcher.leave()
        finally:
            await link.close()

    async def _until_over(self, dispatcher: Dispatcher) -> None:
        watching = asyncio.create_task(dispatcher.watch())
        leaving = asyncio.create_task(self._leave_when_told())
        done, _ = await asyncio.wait((watching, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (watching, leaving):
            if task not in done:
                task.cancel()
        if watching in done:
            watching.result()

    async def _leave_when_told(self) -> None:
        if self._leaving is not None:
            await self._leaving.wait()

    def _hand_over(self, dispatcher: Dispatcher) -> None:
        with self._changed:
            read, self._read = self._read, []
        dispatcher.add(read)

    def _put_counted(self, result: JobResult) -> None:
        if self._fails_fast and result.outcome[:2] != SUCCESS:
            self.stop()
        self._put(result)
        with self._changed:
            self._changed.notify()

    def _put(self, result: JobResult) -> None:
        with self._changed:
            self._unread += 1
        self._results.put(result)
