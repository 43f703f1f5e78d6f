"""Hands the jobs of a batch out to the hosts of a fleet, and takes their results in.

All of this runs in one asyncio loop. Jobs wait here until a host's window has room, so that hosts
that join later get some, and hosts that leave take few along.
"""

import asyncio
import math
import os
import time
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from atectl.batch.fleet.errors import (
    HostGone,
    HostLost,
    NoHostFits,
    NoHosts,
    SchedulerLost,
    SchedulerUnreachable,
)
from atectl.batch.fleet.link import FleetLink, SeenHost
from atectl.batch.fleet.seat import Seat
from atectl.batch.fleet.tickets import MOST_LOSSES, Pending, Ticket
from atectl.batch.job import JobResult, ended_unstarted
from atectl.errors import AtectlError
from atectl.lease.outcome import HOST_LOST, REFUSED, Outcome, told_to_end
from atectl.units import counted, show_size

_LOOK_S = 1.0
_FIRST_LOOK_S = 0.1
_HOSTS_A_LOOK = 50
"""Where there are more hosts, the scheduler is asked less often, as it tells of all of them."""

_TOLD_OF_NO_HOSTS_S = 2.0
_ENDING_S = 2.0
"""How long hosts have to end what runs, once they were told to."""


class Dispatcher:
    """The jobs of one batch, and the hosts that run them.

    Args:
        link: the way to them.
        ttl_s: how long a host may be silent until it counts as lost.
        capture_bytes: how much to be told of each output of a job; see `outputs.kept_of`.
        put: called with each result.
        warn: called with what goes wrong without ending the batch.
    """

    def __init__(
        self,
        link: FleetLink,
        ttl_s: float,
        capture_bytes: int | None,
        put: Callable[[JobResult], None],
        warn: Callable[[AtectlError], None],
    ) -> None:
        self._link = link
        self._ttl_s = ttl_s
        self._capture_bytes = capture_bytes
        self._put = put
        self._warn = warn
        self._batch = os.urandom(8).hex()
        self._sessions = count(1)
        self._pending = Pending()
        self._left = 0
        self._are_all_read = False
        self._is_stopping = False
        self._is_recalling = False
        self._began_s = time.monotonic()
        self._seen_at: dict[str, float] = {}
        self._lost_at: dict[str, float] = {}
        self._foreign: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.seats: dict[str, Seat] = {}
        self.over = asyncio.Event()
        """Set once every job has its result."""

    # Jobs come and go

    def add(self, tickets: list[Ticket]) -> None:
        """Jobs that were read."""
        if self._is_stopping:
            return
        self._left += len(tickets)
        for ticket in tickets:
            self._pending.add(ticket)
        self._fill_all()

    def all_read(self) -> None:
        """No more jobs are to come."""
        self._are_all_read = True
        self._see_whether_over()
        self._fill_all()

    @property
    def waiting(self) -> int:
        """How many jobs wait here to be sent."""
        return len(self._pending)

    @property
    def room(self) -> int:
        """How many jobs the hosts could have at once."""
        return sum(seat.window.size for seat in self.seats.values())

    def end_job(self, ticket: Ticket, result: JobResult) -> None:
        """A job has ended at a host."""
        before_s = max(ticket.sent_s - ticket.read_s, 0.0)
        queued_s = before_s + (result.queued_s or 0.0)
        self._conclude(result._replace(attempt=ticket.attempt, queued_s=queued_s))

    def refuse(self, ticket: Ticket, error: AtectlError) -> None:
        """A job cannot be run."""
        self._conclude(
            ended_unstarted(ticket.number, Outcome(REFUSED, error.exit_status, error))._replace(
                attempt=max(ticket.attempt, 1)
            )
        )

    def give_back(self, tickets: list[Ticket]) -> None:
        """Jobs that have not started at a host, to be sent to another."""
        if self._is_stopping:
            self._left -= len(tickets)
            self._see_whether_over()
            return
        for ticket in tickets:
            self._pending.add(ticket)
        self._fill_all()

    def fill(self, seat: Seat) -> None:
        """Send a host what it has room for."""
        if self._is_stopping or not seat.free > 0 or self._has_suspect(seat):
            return
        if self._pending.suspects and not seat.out:
            suspect = self._pending.take_suspect(seat.accepts)
            if suspect is not None:
                seat.send([suspect])
                return
        if self._pending.suspects and seat is self._emptiest():
            return  # the next of them runs there, alone
        share = math.ceil(self._pending.usual / max(len(self._open_seats()), 1))
        tickets = self._pending.take(min(seat.free, max(share, 1)), seat.accepts)
        if tickets:
            seat.send(tickets)
        elif len(seat.out) < seat.slots:
            self._balance()

    def sent(self) -> None:
        """Jobs have arrived at a host: near the end, another may take some of them."""
        if self._are_all_read and not len(self._pending):
            self._fill_all()

    def stop(self) -> None:
        """Start no more jobs; those that run go on."""
        self._drop_pending()
        for seat in self._open_seats():
            self._spawn(seat.recall(None))
        self._see_whether_over()

    def end(self, reason: str) -> None:
        """Start no more jobs, and end those that run."""
        self._drop_pending()
        self._spawn(self._end_all(reason))

    # Hosts come and go

    async def watch(self) -> None:
        """Look for hosts, until all jobs have ended.

        Raises:
            SchedulerLost: the scheduler does not answer any more (exit 125).
        """
        has_told = False
        while not self.over.is_set():
            await self._look()
            waited_s = time.monotonic() - self._began_s
            if not has_told and not self.seats and waited_s > _TOLD_OF_NO_HOSTS_S:
                has_told = True
                self._warn(NoHosts("no host has joined the scheduler yet"))
            self._refuse_unfitting()
            wait_s = _LOOK_S * max(1.0, len(self.seats) / _HOSTS_A_LOOK)
            if not self.seats:
                wait_s = _FIRST_LOOK_S
            try:
                async with asyncio.timeout(wait_s):
                    await self.over.wait()
            except TimeoutError:
                continue

    async def leave(self) -> None:
        """Tell the hosts that it is over."""
        await asyncio.gather(*(seat.leave() for seat in self._open_seats()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        try:
            hosts = await self._link.hosts(self._ttl_s)
        except SchedulerUnreachable:
            await asyncio.sleep(_FIRST_LOOK_S)
            try:
                hosts = await self._link.hosts(self._ttl_s)
            except SchedulerUnreachable as error:
                left = counted(self._left, "job")
                raise SchedulerLost(f"{error}; {left} had no result yet") from None
        self._seen_at = {host.address: host.seen_at for host in hosts}
        for host in hosts:
            self._meet(host)

    def _meet(self, host: SeenHost) -> None:
        """Begin with a host that is new, or that is back."""
        if host.address in self.seats or host.address in self._foreign or self._is_stopping:
            return
        # One that was lost is tried again once the scheduler has heard of it since.
        if host.seen_at <= self._lost_at.get(host.address, 0.0) or host.facts["is_draining"]:
            return
        session = f"{self._batch}x{next(self._sessions)}"
        about = (session, self._batch, self._ttl_s, self._capture_bytes)
        seat = Seat(self._link, host.address, *about, self)
        self.seats[host.address] = seat
        self._spawn(self._attend(seat))

    async def _attend(self, seat: Seat) -> None:
        """Be with a host until it is lost."""
        await seat.run()
        self.seats.pop(seat.address, None)
        await self._link.forget(seat.address)
        self._lost_at[seat.address] = self._seen_at.get(seat.address, 0.0)
        tickets, seat.out = list(seat.out.values()), {}
        if seat.is_foreign and seat.address not in self._foreign:
            self._foreign.add(seat.address)
            self._warn(HostGone(f"host {seat.address} is of another version, and gets no jobs"))
        elif tickets and await self._is_scheduler_there():
            what = counted(len(tickets), "job")
            self._warn(HostGone(f"host {seat.name} is gone; sent elsewhere: {what} that it had"))
        self._lose(tickets)

    async def _is_scheduler_there(self) -> bool:
        """Whether it is, while jobs are left. If not, its hosts have left it, and are not gone."""
        try:
            await self._link.hosts(self._ttl_s)
        except SchedulerUnreachable:
            return False
        return not self.over.is_set()

    def _lose(self, tickets: list[Ticket]) -> None:
        """Their host is lost: send them to another, if they did not take too many along."""
        for ticket in tickets:
            ticket.losses += 1
            if ticket.losses >= MOST_LOSSES:
                error = HostLost(f"{ticket.losses} hosts were lost while they had this job")
                outcome = Outcome(HOST_LOST, error.exit_status, error)
                ended = ended_unstarted(ticket.number, outcome)
                self._conclude(ended._replace(attempt=ticket.attempt))
            else:
                self.give_back([ticket])

    # The rest

    def _open_seats(self) -> list[Seat]:
        return [seat for seat in self.seats.values() if seat.is_open and not seat.is_draining]

    def _emptiest(self) -> Seat | None:
        return min(self._open_seats(), key=lambda seat: (len(seat.out), seat.address), default=None)

    def _has_suspect(self, seat: Seat) -> bool:
        return len(seat.out) == 1 and next(iter(seat.out.values())).is_suspect

    def _fill_all(self) -> None:
        for seat in sorted(self._open_seats(), key=lambda seat: len(seat.out)):
            self.fill(seat)

    def _balance(self) -> None:
        """Near the end: take jobs back from a host where they wait, for one that has nothing."""
        if self._is_recalling or not self._are_all_read or len(self._pending):
            return
        seats = [seat for seat in self._open_seats() if seat.may_have_waiting]
        seat = max(seats, key=lambda seat: seat.surplus, default=None)
        if seat is None or seat.surplus < 1:
            return
        self._is_recalling = True
        latest = sorted(seat.out)[-math.ceil(seat.surplus / 2) :]
        self._spawn(self._recall(seat, latest))

    async def _recall(self, seat: Seat, numbers: list[int]) -> None:
        try:
            await seat.recall(numbers)
        finally:
            self._is_recalling = False

    def _refuse_unfitting(self) -> None:
        """Refuse jobs that no host could ever run, once hosts had time to join."""
        seats, now_s = self._open_seats(), time.monotonic()
        if not seats or not len(self._pending):
            return

        def is_unfitting(ticket: Ticket) -> bool:
            if any(seat.accepts(ticket) for seat in seats):
                ticket.unplaced_s = None
                return False
            ticket.unplaced_s = ticket.unplaced_s or now_s
            return now_s - ticket.unplaced_s >= self._ttl_s

        for ticket in self._pending.remove_if(is_unfitting):
            self.refuse(ticket, _why_unfitting(ticket, seats))

    def _conclude(self, result: JobResult) -> None:
        self._left -= 1
        self._put(result)
        self._see_whether_over()

    def _see_whether_over(self) -> None:
        if not self._left and (self._are_all_read or self._is_stopping):
            self.over.set()

    def _drop_pending(self) -> None:
        self._is_stopping = True
        self._left -= len(self._pending)
        self._pending.clear()

    async def _end_all(self, reason: str) -> None:
        seats = list(self.seats.values())
        await asyncio.gather(*(seat.end(reason, _ENDING_S) for seat in seats))
        try:
            async with asyncio.timeout(_ENDING_S):
                await self.over.wait()
        except TimeoutError:
            self._give_up(reason)

    def _give_up(self, reason: str) -> None:
        """Hosts did not say in time what became of their jobs."""
        for seat in self.seats.values():
            for ticket in list(seat.out.values()):
                del seat.out[ticket.number]
                outcome = told_to_end(reason, ticket.job.terms.quota, 0)
                self._conclude(ended_unstarted(ticket.number, outcome))
        self._left = 0
        self._see_whether_over()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _why_unfitting(ticket: Ticket, seats: list[Seat]) -> AtectlError:
    sha256 = ticket.capsule.sha256
    if all(sha256 in seat.lacks for seat in seats):
        return NoHostFits(
            f"no host has sha256:{sha256}",
            remedy="name the capsule's file, so that hosts can be sent it",
        )
    missing = sorted(name for name in ticket.shares if all(name not in s.shares for s in seats))
    if missing:
        return NoHostFits(
            f"no host shares {missing[0]!r}",
            remedy=f"join one with --share {missing[0]}=DIR",
        )
    most = show_size(max(seat.most_bytes for seat in seats))
    asked = show_size(ticket.job.terms.quota.memory_bytes)
    return NoHostFits(f"the job may take {asked}, and no host has room for more than {most}")
