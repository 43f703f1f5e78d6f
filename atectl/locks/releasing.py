"""Releasing a lock that somebody else holds, in the order that makes it safe.

1. What is found is shown to the operator.
2. The lock is looked at. Its token has to be the one shown, and the one asked for if one was named.
3. After the probe it is looked at again. Its token has to be the same.
4. It is judged by both looks. If its holder may be alive, that is refused, unless forced.
5. The operator agrees. For a holder that may be alive, they have to type the actor's name.
6. The attempt is noted where others can read it. Only then is the lock deleted, and only if it
   still is exactly as it was last seen. What came of it is noted too.

No other module deletes the lock of another holder. An operator is a terminal, or a script.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from atectl.errors import AtectlError, ConfirmationNeeded
from atectl.locks.audit import INTENDED, AuditNote, LockAudit, own_origin
from atectl.locks.details import LockDetails, lock_details
from atectl.locks.errors import LockChanged, LockRenewing, TokenNeeded, UnknownLock
from atectl.locks.lock import Lock
from atectl.locks.seen import Deletion, SeenLock, delete_seen, no_token, see_lock
from atectl.locks.verdicts import Verdict, is_renewed
from atectl.locks.waiting import wait_until_free
from atectl.system.clock import boottime

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

RELEASABLE = frozenset({Verdict.EXPIRING, Verdict.STUCK})
"""Verdicts on which a lock is released without being forced: nobody renews it."""

REFUSED = "refused"
"""The outcome that is noted of an attempt that was given up before anything was deleted."""


class Intent(StrEnum):
    """What is to be done with the lock."""

    ASK = "ask"
    """Release it once the operator has agreed."""
    RELEASE = "release"
    """Release it without asking: the operator agreed by naming its token."""
    JUDGE = "judge"
    """Only look and judge; delete nothing."""
    WAIT = "wait"
    """Wait until it frees itself; delete nothing."""


class Choice(StrEnum):
    """What an operator can answer once a lock is judged."""

    RELEASE = "release"
    WAIT = "wait"
    LEAVE = "leave"


class End(StrEnum):
    """How an attempt ended, where it did not end with an error."""

    RELEASED = "released"
    FREED_ITSELF = "freed itself"
    """It was gone before it was deleted."""
    WOULD_RELEASE = "would release"
    LEFT = "left"
    """The operator decided against it."""
    WAITED = "waited"
    """It is free after a wait."""
    TAKEN_OVER = "taken over"
    """It was freed during a wait, and another holder has it already."""


@dataclass(frozen=True)
class ReleaseRequest:
    """What is asked for.

    Attributes:
        actor: `ATESPACE/NAME`, `NAME` or the key of the lock.
        prefix: what the keys of locks begin with.
        lock_ttl_s: the TTL that holders give their locks, in seconds.
        probe_s: seconds between the two looks.
        intent: what is to be done.
        token: the lock has to have this token; None for any.
        is_forced: release it although its holder may be alive.

    Raises:
        TokenNeeded: nobody is to be asked, and no token was named (exit 2).
    """

    actor: str
    prefix: str
    lock_ttl_s: float
    probe_s: float
    intent: Intent
    token: str | None = None
    is_forced: bool = False

    def __post_init__(self) -> None:
        if self.intent is Intent.RELEASE and self.token is None:
            raise TokenNeeded(
                "--yes goes ahead without asking, so --token has to say with which lock"
            )


class Operator(Protocol):
    """Whoever asks for a release: is shown the lock, and decides."""

    @property
    def can_answer(self) -> bool:
        """Whether anybody is there to be asked."""

    def show(self, details: LockDetails) -> None:
        """Show what is found, before anything else is done."""

    def let_pass(self, probe_s: float) -> None:
        """Let so many seconds pass between the two looks."""

    def choose(self, lock: Lock) -> Choice:
        """Decide on a lock that nobody renews."""

    def type_name(self, lock: Lock) -> str:
        """Type the actor's name, to release a lock whose holder may be alive; else anything."""

    def watch_wait(self, lock: Lock, left_s: float) -> None:
        """Be told, again and again, that for so many seconds at most a lock is waited for."""

    def warn(self, fault: AtectlError) -> None:
        """Be told what kept one of the two audit places from having a note."""


class Ruling(NamedTuple):
    """Whether a lock is released, as it is judged.

    Attributes:
        refusal: why it is not; None if it is.
        may_change: a second look after the probe may lift the refusal.
    """

    refusal: AtectlError | None = None
    may_change: bool = False


def ruling_on(lock: Lock, *, is_forced: bool = False) -> Ruling:
    """Whether a lock is released as it is judged: what `show` tells and what `release` goes by."""
    if lock.look is not None and lock.look.token is None:
        return Ruling(no_token(lock.key or lock.name))
    if lock.verdict in RELEASABLE or is_forced:
        return Ruling()
    reasons = {
        Verdict.RENEWING: "is alive and renews it",
        Verdict.FOREIGN: "is none of the systems that lock actors, and may be alive",
    }
    reason = reasons.get(lock.verdict, "may be alive: it was watched for less than one renewal")
    refusal = LockRenewing(f"the holder of {lock.key} {reason}; nothing was released")
    return Ruling(refusal, may_change=lock.verdict not in reasons)


class Released(NamedTuple):
    """How an attempt ended, and the lock as it was judged last."""

    end: End
    lock: Lock


def release(
    connection: "RedisConnection",
    request: ReleaseRequest,
    operator: Operator,
    audit: LockAudit,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = boottime,
) -> Released:
    """Carry out a request to release a lock, in the order that this module's head describes.

    Raises:
        UnknownLock: there is no such lock (exit 1).
        AmbiguousActor: the name stands for several locks (exit 2).
        LockRenewing: its holder is alive, or may be (exit 1).
        LockChanged: another holder has it now, or its own renewed it (exit 1).
        ConfirmationNeeded: nobody is there to be asked (exit 2).
        AuditUnwritable: no place takes a note, so nothing was deleted (exit 125).
        AtectlError: the server cannot be asked (exit 125).
    """
    return _Attempt(connection, request, operator, audit, sleep, clock).run()


class _Attempt:
    """One attempt. Its methods stand in the order in which they are called."""

    def __init__(
        self,
        connection: "RedisConnection",
        request: ReleaseRequest,
        operator: Operator,
        audit: LockAudit,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._request = request
        self._operator = operator
        self._audit = audit
        self._sleep = sleep
        self._clock = clock

    def run(self) -> Released:
        request = self._request
        lock = self._show()
        first = self._look(lock)
        if request.intent is Intent.WAIT:
            return self._wait(lock, first)
        if request.intent is Intent.ASK and not self._operator.can_answer:
            raise _unconfirmed(first)
        self._operator.let_pass(request.probe_s)
        second = self._look_again(first)
        if second is None:
            return Released(End.FREED_ITSELF, lock)
        lock = self._judged(lock, first, second)
        note = self._note(lock, second)
        self._refuse_the_living(lock, note)
        if request.intent is Intent.JUDGE:
            return Released(End.WOULD_RELEASE, lock)
        choice = self._choice(lock)
        if choice is Choice.WAIT:
            return self._wait(lock, second)
        if choice is Choice.LEAVE:
            self._note_outcome(note, REFUSED)
            return Released(End.LEFT, lock)
        latest = self._latest(lock, second)
        if latest is None:
            return Released(End.FREED_ITSELF, lock)
        return self._delete(lock, latest, note)

    def _show(self) -> Lock:
        """Show what is found; the one lock that is meant."""
        wanted = self._request
        details = lock_details(
            self._connection,
            wanted.actor,
            wanted.prefix,
            lock_ttl_s=wanted.lock_ttl_s,
            clock=self._clock,
        )
        lock = details.only_lock()
        self._operator.show(details)
        return lock

    def _look(self, lock: Lock) -> SeenLock:
        """The lock as it is now, if its token is the one shown and the one asked for."""
        seen = self._see(lock.key or "")
        shown = None if lock.look is None else lock.look.token
        if seen.token != shown:
            raise _taken_over(seen.key)
        wanted = self._request.token
        if wanted is not None and seen.token != wanted:
            raise LockChanged(f"{seen.key} has the token {seen.token}, not {wanted}")
        return seen

    def _look_again(self, earlier: SeenLock) -> SeenLock | None:
        """The lock as it is now, if its token is still the same; None if it is gone."""
        try:
            latest = self._see(earlier.key)
        except UnknownLock:
            return None
        if latest.token != earlier.token:
            raise _taken_over(earlier.key)
        return latest

    def _judged(self, lock: Lock, first: SeenLock, second: SeenLock) -> Lock:
        lock_ttl_s = self._request.lock_ttl_s
        judged = lock._replace(look=first.look).judged(second.look, lock_ttl_s)
        # Even a lock whose value is no token may be renewed: then somebody still uses it.
        if is_renewed(first.look, second.look, lock_ttl_s):
            return judged._replace(verdict=Verdict.RENEWING)
        return judged

    def _refuse_the_living(self, lock: Lock, note: AuditNote) -> None:
        """Raise the refusal of a release, if there is one."""
        refusal = ruling_on(lock, is_forced=self._request.is_forced).refusal
        if refusal is None:
            return
        if self._request.intent is not Intent.JUDGE:
            self._note_outcome(note, REFUSED)
        raise refusal

    def _choice(self, lock: Lock) -> Choice:
        if self._request.intent is Intent.RELEASE:
            return Choice.RELEASE
        if lock.verdict in RELEASABLE:
            return self._operator.choose(lock)
        return Choice.RELEASE if self._operator.type_name(lock) == lock.name else Choice.LEAVE

    def _latest(self, lock: Lock, second: SeenLock) -> SeenLock | None:
        """The lock as it has to be when it is deleted; None if it is gone.

        One that nobody renews has to be as it was judged. A living holder may well have renewed
        its lock while the question stood: there the token is what was agreed on.
        """
        return second if lock.verdict in RELEASABLE else self._look_again(second)

    def _delete(self, lock: Lock, seen: SeenLock, note: AuditNote) -> Released:
        """Note the attempt, delete exactly what was seen, and note what came of it."""
        faults = self._audit.write(note)
        try:
            deletion = delete_seen(self._connection, seen)
        except AtectlError as error:
            self._note_outcome(note, f"failed: {error.code}")
            raise
        faults += self._note_outcome(note, deletion.value)
        # What keeps a place from having the one note often keeps it from the other.
        for fault in {str(fault): fault for fault in faults}.values():
            self._operator.warn(fault)
        match deletion:
            case Deletion.RELEASED:
                return Released(End.RELEASED, lock)
            case Deletion.GONE:
                return Released(End.FREED_ITSELF, lock)
            case Deletion.CHANGED:
                raise _taken_over(seen.key)
            case Deletion.RENEWED:
                raise LockChanged(f"{seen.key} was renewed just now; nothing was released")

    def _wait(self, lock: Lock, seen: SeenLock) -> Released:
        is_free = wait_until_free(
            self._connection,
            seen,
            on_wait=lambda left_s: self._operator.watch_wait(lock, left_s),
            sleep=self._sleep,
            clock=self._clock,
        )
        return Released(End.WAITED if is_free else End.TAKEN_OVER, lock)

    def _see(self, key: str) -> SeenLock:
        return see_lock(self._connection, key, self._clock)

    def _note(self, lock: Lock, seen: SeenLock) -> AuditNote:
        """The note of this attempt, by this process and user."""
        holder = lock.holder
        told = None if holder is None else f"{holder.host}/{holder.pid} {holder.command or ''}"
        ttl_s = seen.look.ttl_s
        return AuditNote(
            id=str(uuid.uuid4()),
            at=time.time(),
            outcome=INTENDED,
            is_forced=self._request.is_forced,
            **own_origin()._asdict(),
            server=self._connection.address,
            key=seen.key,
            actor=lock.name,
            token=seen.look.token,
            ttl_ms=None if ttl_s is None else round(ttl_s * 1000),
            verdict=lock.verdict.value,
            holder=told if told is None else told.strip(),
        )

    def _note_outcome(self, note: AuditNote, outcome: str) -> list[AtectlError]:
        """Note what came of an attempt; what kept a place from having the note."""
        try:
            return self._audit.write(note._replace(outcome=outcome, at=time.time()))
        except AtectlError as error:
            return [error]


def _taken_over(key: str) -> LockChanged:
    return LockChanged(f"{key} has another holder by now; nothing was released")


def _unconfirmed(seen: SeenLock) -> ConfirmationNeeded:
    return ConfirmationNeeded(
        f"this would release {seen.key}",
        remedy=f"pass --yes --token {seen.token} to go ahead without being asked",
    )
