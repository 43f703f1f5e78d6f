"""A host of a fleet: its batch never ends, and takes its jobs from any number of submitters.

Messages come on one thread, and results on another.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from atectl.batch.batch import Batch
from atectl.batch.cells.outputs import MAX_CAPTURE_BYTES, kept_of
from atectl.batch.cells.wire import Malformed, items, number, text, whole
from atectl.batch.fleet.facts import HostFacts
from atectl.batch.fleet.session import Running, Session
from atectl.batch.fleet.shares import Shares
from atectl.batch.fleet.store import CapsuleStore
from atectl.batch.fleet.wire import PROTOCOL, encode, read_job, told_result
from atectl.batch.inbox import Inbox
from atectl.batch.job import JobResult, JobTerms, ended_unstarted
from atectl.errors import AtectlError, InternalError
from atectl.lease.outcome import INTERRUPTED, SUCCESS, TERMINATED, refused

_MOST_TTL_S = 3600.0
_MOST_JOBS = 1 << 40


class FleetHost:
    """One host, for all who submit jobs to it.

    Args:
        name: what results call it.
        slots, limit_bytes: those of its batch.
        batch: runs the jobs; closed by the caller.
        store: has the capsules.
        shares: the folders that jobs may name.
        news: called on any thread when a session has something to tell.
    """

    def __init__(
        self,
        name: str,
        slots: int,
        limit_bytes: int,
        batch: Batch,
        store: CapsuleStore,
        shares: Shares,
        news: Callable[[], None],
    ) -> None:
        self.name = name
        self.slots = slots
        self._limit_bytes = limit_bytes
        self._batch = batch
        self._store = store
        self._shares = shares
        self._news = news
        self._inbox = Inbox()
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._whose: dict[int, Session] = {}
        self._numbers = count(1)
        self._ended = 0
        self._is_draining = False
        self._are_given_back: set[int] = set()
        self.failure: BaseException | None = None
        """What ended the batch."""
        self._thread = threading.Thread(target=self._route, name="fleet-results", daemon=True)

    def open(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def facts(self) -> HostFacts:
        """What it is, and how it fares now."""
        overview = self._batch.overview()
        waiting = len(self._inbox)
        return HostFacts(
            self.name,
            self.slots,
            self._limit_bytes,
            self._most_bytes,
            overview.pressure.total_bytes,
            overview.on_disk_bytes,
            max(len(self._whose) - waiting, 0),
            waiting,
            self._ended,
            self._is_draining,
            tuple(self._shares.names),
        )

    # Messages

    def hear(self, told: dict[str, Any], data: bytes) -> dict[str, Any]:
        """The answer to a message, `take` apart; see `take`.

        Raises:
            Malformed: it is none.
        """
        if told.get("op") == "hello":
            return self._hello(told)
        session = self.session(told)
        if session is None:
            return {"unknown": True}
        session.hear()
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "have": lambda: {"has": self._store.find(text(told.get("sha256")))},
            "part": lambda: self._take_part(session, told, data),
            "put": lambda: self._put(session, items(told.get("jobs"))),
            "recall": lambda: self._recall(session, told),
            "end": lambda: self._end(session, told),
            "bye": lambda: self._bye(session),
        }
        what = text(told.get("op"))
        answer = answers.get(what)
        if answer is None:
            raise Malformed("a message asks for what there is not")
        if "number" in told:
            return session.once(what, whole(told["number"], _MOST_JOBS), answer)
        return answer()

    def session(self, told: dict[str, Any]) -> Session | None:
        """The session of a message; None if this host has none of that name."""
        return self._sessions.get(text(told.get("session")))

    def wait_s(self, session: Session) -> float | None:
        """How long to collect more results before they are told; None if there is nothing yet."""
        return session.wait_s(is_busy=self._is_busy)

    def take(self, session: Session) -> bytes:
        """What a session has to tell now."""
        with self._lock:
            told = session.told()
        about = {
            "last": told.last,
            "returned": told.returned,
            "cut": told.cut,
            "waiting": len(self._inbox),
            "draining": self._is_draining,
        }
        # Each result is JSON already.
        return b'%s,"results":[%s]}' % (encode(about)[:-1], ",".join(told.results).encode())

    def acknowledge(self, session: Session, told: dict[str, Any]) -> None:
        """The submitter asks for what there is, and says what it has."""
        with self._lock:
            session.hear()
            session.acknowledge(whole(told.get("acked"), _MOST_JOBS))

    def end_silent(self) -> None:
        """End the jobs of submitters that were not heard of for too long."""
        for session in tuple(self._sessions.values()):
            if session.is_silent:
                self._drop(session)

    def drain(self) -> None:
        """Take no more jobs, and give those back that have not started."""
        self._is_draining = True
        for session in tuple(self._sessions.values()):
            with self._lock:
                session.give_back(self._take_back(session, tuple(session.jobs)))
        self._inbox.close()
        self._news()

    def cut(self) -> None:
        """While draining: end what still runs, to be run elsewhere."""
        with self._lock:
            running = tuple(self._whose)
            self._are_given_back.update(running)
        for here in running:
            self._batch.end_one(here, TERMINATED)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, and every submitter knows what became of its jobs."""
        with self._lock:
            return not self._whose and all(each.is_told for each in self._sessions.values())

    # What the messages ask for

    @property
    def _is_busy(self) -> bool:
        """Whether it has enough to do for some time."""
        return len(self._inbox) > self.slots and not self._is_draining

    @property
    def _most_bytes(self) -> int:
        return max(self._limit_bytes - (self._batch.baseline_bytes or 0), 0)

    def _hello(self, told: dict[str, Any]) -> dict[str, Any]:
        if whole(told.get("protocol"), 1 << 30) != PROTOCOL:
            return {"protocol": PROTOCOL}
        name, of = text(told.get("session")), text(told.get("batch"))
        for session in tuple(self._sessions.values()):
            if session.name.partition("x")[0] == of:  # it was believed lost
                self._drop(session)
        if not name.isalnum():
            raise Malformed("a session has no name")
        capture = told.get("capture")
        session = Session(
            name,
            number(told.get("ttl_s"), _MOST_TTL_S),
            None if capture is None else whole(capture, MAX_CAPTURE_BYTES),
        )
        with self._lock:
            self._sessions[name] = session
        return {"protocol": PROTOCOL, "facts": self.facts()._asdict()}

    def _take_part(self, session: Session, told: dict[str, Any], data: bytes) -> dict[str, Any]:
        sha256, offset = text(told.get("sha256")), whole(told.get("offset"), 1 << 60)
        try:
            is_wrong = self._store.receive(
                sha256, session.name, offset, data, is_last=told.get("last") is True
            )
        except AtectlError as error:
            return {"error": [error.code, str(error), error.remedy]}
        return {"wrong": is_wrong}

    def _put(self, session: Session, jobs: list[Any]) -> dict[str, Any]:
        self._inbox.most_bytes = self._most_bytes
        returned, without = [], []
        for each in jobs:
            terms, sha256 = read_job(each)
            if not self._store.find(sha256):  # it had to make room meanwhile
                without.append(terms.job)
            elif not self._begin(session, terms, sha256):
                returned.append(terms.job)
        return {
            "returned": returned,
            "without": without,
            "draining": self._is_draining,
            "most_bytes": self._most_bytes,
        }

    def _begin(self, session: Session, terms: JobTerms, sha256: str) -> bool:
        """Have a job run. Returns whether this host takes it."""
        if self._is_draining:
            return False
        here = next(self._numbers)
        with self._lock:
            if not session.begin(here, Running(terms.job, sha256, time.monotonic())):
                return True
            self._whose[here] = session
        try:
            path = self._store.take(sha256, terms.capsule.name)
            wasi = self._shares.settled(terms.terms.wasi)
        except AtectlError as error:
            self._refuse(here, error)
            return True
        settled = terms._replace(job=here, capsule=path, terms=terms.terms._replace(wasi=wasi))
        if self._inbox.submit(settled):
            return True
        with self._lock:
            self._forget(here)
        return False

    def _refuse(self, here: int, error: AtectlError) -> None:
        self._end_job(ended_unstarted(here, refused(error)))

    def _recall(self, session: Session, told: dict[str, Any]) -> dict[str, Any]:
        """Give jobs back that have not started: those of these numbers, or all."""
        wanted = told.get("jobs")
        asked = None if wanted is None else {whole(each, _MOST_JOBS) for each in items(wanted)}
        with self._lock:
            found = [h for h, job in session.jobs.items() if asked is None or job.number in asked]
            return {"returned": self._take_back(session, found)}

    def _end(self, session: Session, told: dict[str, Any]) -> dict[str, Any]:
        """Give back what has not started, and end the rest."""
        reason = INTERRUPTED if told.get("reason") == INTERRUPTED else TERMINATED
        answer = self._recall(session, {})
        for here in tuple(session.jobs):
            self._batch.end_one(here, reason)
        return answer

    def _bye(self, session: Session) -> dict[str, Any]:
        self._drop(session)
        return {}

    def _take_back(self, session: Session, found: Iterable[int]) -> list[int]:
        """The numbers in the batch of those jobs that have not started and are not run."""
        numbers = []
        for here in self._inbox.take_back(found):
            numbers.append(session.jobs[here].number)
            self._forget(here)
        return numbers

    def _forget(self, here: int) -> None:
        session = self._whose.pop(here)
        job = session.jobs.pop(here)
        session.forget(job.number)
        self._store.let_go(job.sha256)

    def _drop(self, session: Session) -> None:
        """End all jobs of a session, whose results nobody wants."""
        with self._lock:
            self._sessions.pop(session.name, None)
            self._store.give_up(session.name)
            self._take_back(session, tuple(session.jobs))
            running = tuple(session.jobs)
        for here in running:
            self._batch.end_one(here, TERMINATED)

    # Results, on a thread of their own

    def _route(self) -> None:
        try:
            for result in self._batch.serve(self._inbox):
                self._end_job(result)
        except BaseException as failure:
            known = isinstance(failure, AtectlError)
            self.failure = failure if known else InternalError(f"{failure!r}")
        self._news()

    def _end_job(self, result: JobResult) -> None:
        with self._lock:
            session = self._whose.pop(result.job)
            here = result.job
            job = session.jobs.pop(here)
            self._ended += 1
            self._store.let_go(job.sha256)
            is_news = True
            was_cut = here in self._are_given_back
            self._are_given_back.discard(here)
            # One that ended by itself meanwhile has its result.
            if was_cut and result.outcome.reason == TERMINATED:
                session.cut(job.number)
            else:
                waited_s = max(time.monotonic() - job.came_s - result.wall_s, 0.0)
                has_failed = result.outcome[:2] != SUCCESS
                output = kept_of(result.output, session.capture_bytes, has_failed=has_failed)
                told = told_result(
                    result._replace(job=job.number, queued_s=waited_s, output=output)
                )
                is_news = session.put(job.number, json.dumps(told, separators=(",", ":")))
        # While results are collected, more of them are no news, unless the host runs dry.
        if is_news or not self._is_busy:
            self._news()
