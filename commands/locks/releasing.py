"""What `locks release` does once it is connected: show, look again, ask, release, tell."""

from typing import TYPE_CHECKING, NamedTuple

import typer

from atectl.config import lock_audit_path
from atectl.errors import ConfirmationNeeded
from atectl.inert import inert_line
from atectl.locks.audit import LockAudit
from atectl.locks.charged import charged
from atectl.locks.details import lock_details
from atectl.locks.errors import LockChanged, LockRenewing, UnknownLock
from atectl.locks.listing import Lock
from atectl.locks.release import (
    RELEASABLE,
    Outcome,
    SeenLock,
    audit_note,
    note_refusal,
    release_audited,
    see_lock,
    token_of,
)
from atectl.locks.verdicts import Verdict, is_renewed
from atectl.units import format_duration

from ..output.stderr import report_warning, say
from ..terminal.countdown import count_down
from .show import print_details, warnings_of_place

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

MAX_WAIT_S = 120.0
"""The longest that --wait waits, whatever TTL the lock has."""

_WAIT_EVERY_S = 0.5

RELEASE, WAIT, LEAVE = "release", "wait", "leave"


class Release(NamedTuple):
    """What is asked for; durations in seconds. `can_ask` says that somebody can answer."""

    actor: str
    prefix: str
    lock_ttl_s: float
    probe_s: float
    ledger: str | None
    token: str | None
    is_wait: bool
    is_dry_run: bool
    is_forced: bool
    is_agreed: bool
    can_ask: bool


def carry_out(connection: "RedisConnection", wanted: Release) -> int:
    """Release the lock, or wait for it, or tell why not; the exit status.

    Raises:
        UnknownLock: there is no such lock (exit 1).
        LockRenewing: its holder is alive, or may be (exit 1).
        LockChanged: another holder has it now, or its own renewed it (exit 1).
        ConfirmationNeeded: nobody is there to be asked (exit 2).
        AtectlError: the server cannot be asked, or no note be written (exit 125).
    """
    details = lock_details(connection, wanted.actor, wanted.prefix, lock_ttl_s=wanted.lock_ttl_s)
    lock = details.only_lock()
    rows = list(charged(details.locks, wanted.ledger))
    print_details(details, rows, wanted.lock_ttl_s, warnings_of_place(connection))
    seen = see_lock(connection, lock.key or "")
    token = token_of(seen)
    _check_token(seen, wanted.token)
    if wanted.is_wait:
        return _wait(connection, lock, seen)
    if not (wanted.is_dry_run or wanted.is_agreed or wanted.can_ask):
        raise ConfirmationNeeded(
            f"this would release {seen.key}",
            remedy=f"pass --yes --token {token} to go ahead without being asked",
        )
    again = _look_again(connection, seen, wanted.probe_s)
    if again is None:
        return _told(f"{lock.name} freed itself; nothing was released")
    return _release(connection, wanted, _judged(lock, seen, again, wanted), again)


def _release(connection: "RedisConnection", wanted: Release, lock: Lock, seen: SeenLock) -> int:
    audit = LockAudit(lock_audit_path(), connection)
    note = audit_note(lock, seen, connection.address, is_forced=wanted.is_forced)
    if lock.verdict not in RELEASABLE and not wanted.is_forced:
        if not wanted.is_dry_run:
            note_refusal(audit, note)
        raise _refusal(lock)
    if wanted.is_dry_run:
        return _told(f"would release {seen.key}: {lock.verdict.value}")
    if not wanted.is_agreed:
        answer = _ask(lock, seen)
        if answer == WAIT:
            return _wait(connection, lock, seen)
        if answer == LEAVE:
            note_refusal(audit, note)
            return _told("nothing was released", status=1)
    if lock.verdict not in RELEASABLE:
        # It may well have been renewed while the question stood; the token is what was agreed on.
        token, seen = seen.look.token, see_lock(connection, seen.key)
        _check_token(seen, token)
    outcome, faults = release_audited(connection, audit, seen, note)
    for fault in faults:
        report_warning(fault)
    return _report(lock, outcome)


def _report(lock: Lock, outcome: Outcome) -> int:
    match outcome:
        case Outcome.RELEASED:
            return _told(f"released {lock.key}")
        case Outcome.GONE:
            return _told(f"{lock.name} freed itself; nothing was released")
        case Outcome.CHANGED:
            raise LockChanged(f"{lock.key} has another holder by now; nothing was released")
        case Outcome.RENEWED:
            raise LockChanged(f"{lock.key} was renewed just now; nothing was released")


def _look_again(connection: "RedisConnection", seen: SeenLock, probe_s: float) -> SeenLock | None:
    """The lock after a while; None if it is gone.

    Raises:
        LockChanged: another holder has it (exit 1).
    """
    count_down(probe_s, lambda left: f"looking again in {left} s, whether it is renewed")
    try:
        again = see_lock(connection, seen.key)
    except UnknownLock:
        return None
    if again.look.token != seen.look.token:
        raise LockChanged(f"{seen.key} has another holder by now; nothing was released")
    return again


def _judged(lock: Lock, first: SeenLock, second: SeenLock, wanted: Release) -> Lock:
    judged = lock._replace(look=first.look).judged(second.look, wanted.lock_ttl_s)
    # What is no token may be renewed all the same, and then somebody lives by it.
    if is_renewed(first.look, second.look, wanted.lock_ttl_s):
        return judged._replace(verdict=Verdict.RENEWING)
    return judged


def _refusal(lock: Lock) -> LockRenewing:
    reasons = {
        Verdict.RENEWING: "is alive and renews it",
        Verdict.FOREIGN: "is none of the systems that lock actors, and may be alive",
    }
    reason = reasons.get(lock.verdict, "may be alive: it was watched for less than one renewal")
    return LockRenewing(f"the holder of {lock.key} {reason}; nothing was released")


def _check_token(seen: SeenLock, token: str | None) -> None:
    if token is not None and seen.look.token != token:
        raise LockChanged(f"{seen.key} has the token {seen.look.token}, not {token}")


def _ask(lock: Lock, seen: SeenLock) -> str:
    """What to do: the name typed in full where the holder may be alive, else a word."""
    if lock.verdict not in RELEASABLE:
        question = f"Its holder may be alive. Type {inert_line(lock.name)} to release it anyway"
        typed = typer.prompt(question, default="", show_default=False, err=True)
        return RELEASE if typed == lock.name else LEAVE
    if seen.look.ttl_s is None:
        agrees = typer.confirm(f"Release {inert_line(lock.name)}?", err=True)
        return RELEASE if agrees else LEAVE
    left = format_duration(seen.look.ttl_s)
    question = f"It frees itself in {left}. Wait for that, release it now, or leave it?"
    typed = typer.prompt(f"{question} [{WAIT}/{RELEASE}/{LEAVE}]", default=WAIT, err=True)
    return typed if typed in (WAIT, RELEASE) else LEAVE


def _wait(connection: "RedisConnection", lock: Lock, seen: SeenLock) -> int:
    """Wait until the lock frees itself.

    Raises:
        LockRenewing: it is still held when its TTL should have run out, or has none (exit 1).
    """
    if seen.look.ttl_s is None:
        raise LockRenewing(
            f"{seen.key} has no TTL: waiting helps nothing",
            remedy="`atectl locks release` without --wait deletes it",
        )
    latest: list[SeenLock] = []

    def is_over() -> bool:
        try:
            latest.append(see_lock(connection, seen.key))
        except UnknownLock:
            latest.clear()
            return True
        return latest[-1].look.token != seen.look.token

    patience_s = min(seen.look.ttl_s + 1, MAX_WAIT_S)
    is_free = count_down(
        patience_s,
        lambda left: f"waiting for {lock.name}: free in {left} s at most, unless renewed",
        is_over=is_over,
        every_s=_WAIT_EVERY_S,
    )
    if not is_free:
        raise LockRenewing(
            f"{seen.key} is still held after {format_duration(patience_s)}: its holder renews it"
        )
    if latest:
        return _told(f"{lock.name} was freed, and has another holder already")
    return _told(f"{lock.name} is free")


def _told(line: str, status: int = 0) -> int:
    say(inert_line(line))
    return status
