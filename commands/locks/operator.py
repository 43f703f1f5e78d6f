"""The user of `locks release` as its operator: what is shown, asked and reported."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from atectl.config import lock_audit_path
from atectl.errors import AtectlError
from atectl.inert import inert_line
from atectl.locks.audit import LockAudit
from atectl.locks.charged import Charges, charged
from atectl.locks.details import LockDetails
from atectl.locks.lock import Lock
from atectl.locks.releasing import Choice, End, Released, ReleaseRequest, release
from atectl.units import format_duration

from ..output.stderr import report_warning, say
from ..terminal.countdown import count_down, status_line
from .show import print_details

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection


def carry_out(connection: "RedisConnection", request: ReleaseRequest, ledger: str | None) -> int:
    """Carry out a request, with the user as its operator. Returns the exit status.

    Raises:
        AtectlError: as `releasing.release` does.
    """
    audit = LockAudit(lock_audit_path(), connection)
    with status_line() as show_status:
        operator = TerminalOperator(ledger, request.lock_ttl_s, show_status)
        released = release(connection, request, operator, audit)
    say(inert_line(_told(released)))
    return 1 if released.end is End.LEFT else 0


class TerminalOperator:
    """Shows a lock on stdout, and asks about it on stderr.

    Args:
        ledger: the ledger that has the memory of the holder; None for the usual one.
        lock_ttl_s: the TTL that holders give their locks, in seconds.
        show_status: shows a line that replaces the last one.
    """

    def __init__(
        self,
        ledger: str | None,
        lock_ttl_s: float,
        show_status: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._lock_ttl_s = lock_ttl_s
        self._show_status = show_status

    @property
    def can_answer(self) -> bool:
        return sys.stdin.isatty()

    def show(self, details: LockDetails) -> None:
        charges = Charges(self._ledger)
        print_details(details, list(charged(details.locks, charges)), self._lock_ttl_s)
        if charges.fault is not None:
            self.warn(charges.fault)

    def let_pass(self, probe_s: float) -> None:
        count_down(probe_s, lambda left: f"looking again in {left}s, whether it is renewed")

    def choose(self, lock: Lock) -> Choice:
        ttl_s = None if lock.look is None else lock.look.ttl_s
        if ttl_s is None:
            agrees = typer.confirm(f"Release {inert_line(lock.name)}?", err=True)
            return Choice.RELEASE if agrees else Choice.LEAVE
        question = (
            f"It frees itself in {format_duration(ttl_s)}. "
            f"Wait for that, release it now, or leave it? [{'/'.join(Choice)}]"
        )
        typed = typer.prompt(question, default=Choice.WAIT.value, err=True)
        return Choice(typed) if typed in tuple(Choice) else Choice.LEAVE

    def type_name(self, lock: Lock) -> str:
        question = f"Its holder may be alive. Type {inert_line(lock.name)} to release it anyway"
        typed: str = typer.prompt(question, default="", show_default=False, err=True)
        return typed

    def watch_wait(self, lock: Lock, left_s: float) -> None:
        left = max(round(left_s), 1)
        self._show_status(f"waiting for {lock.name}: free in {left}s at most, unless renewed")

    def warn(self, fault: AtectlError) -> None:
        report_warning(fault)


def _told(released: Released) -> str:
    lock = released.lock
    match released.end:
        case End.RELEASED:
            return f"released {lock.key}"
        case End.FREED_ITSELF:
            return f"{lock.name} freed itself; nothing was released"
        case End.WOULD_RELEASE:
            return f"would release {lock.key}: {lock.verdict.value}"
        case End.LEFT:
            return "nothing was released"
        case End.WAITED:
            return f"{lock.name} is free"
        case End.TAKEN_OVER:
            return f"{lock.name} was freed, and has another holder already"
