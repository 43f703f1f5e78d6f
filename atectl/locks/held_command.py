"""Running a command while an actor's lock is held, from its start to the lock's release."""

import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from atectl.errors import AtectlError
from atectl.guard.child import GuardedChild
from atectl.guard.errors import GuardGone, StraysEnded, StraysUnknown
from atectl.locks.errors import LockDeadline, LockLost
from atectl.locks.heartbeat import TICK_S
from atectl.locks.holding import HeldLock, LockTerms, acquire, acquire_within
from atectl.locks.patience import Patience, opened
from atectl.system.clock import boottime
from atectl.system.signals import stop_as_asked
from atectl.units import format_duration

if TYPE_CHECKING:
    from atectl.redis.connection import RedisConnection

FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGTSTP,
    signal.SIGCONT,
)
"""The signals that are passed on to the command."""


_STRAYS_NAMED = 5
"""How many of the processes that the command left behind are named."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals that end a command by default. They also end the wait for its lock."""


class Signals(Protocol):
    """Signals that are received through a pipe: those of `FORWARDED`, and SIGCHLD."""

    @property
    def reader(self) -> int: ...

    def received(self) -> set[int]: ...


class HeldEnd(NamedTuple):
    """How a command under a lock ended.

    Attributes:
        exit_status: what atectl ends with.
        error: why the command was ended, or that its lock was lost by the time it ended.
        warnings: why the lock was not released, and what else was ended with the command.
    """

    exit_status: int
    error: AtectlError | None = None
    warnings: tuple[AtectlError, ...] = ()


def hold(
    open_connection: "Callable[[], RedisConnection]",
    terms: LockTerms,
    words: Sequence[str],
    environment: Mapping[str, str],
    signals: Signals,
    *,
    wait_s: float | None,
    on_wait: Callable[[AtectlError], None],
    on_warning: Callable[[AtectlError], None],
) -> HeldEnd:
    """Take a lock and run a command under it: see `run_held`.

    A signal that ends a command ends the wait, with the status that the command would have had.

    Args:
        open_connection: connects to where the lock is.
        terms: on which it is taken.
        words: the command and its arguments.
        environment: of the command, to which the variables of the lock are added.
        signals: those that are meant for the command.
        wait_s: how long to wait for a lock that is held, or a server that does not answer, in
            seconds; None not to wait.
        on_wait: told what is waited for.
        on_warning: told what does not keep the command from being run.

    Raises:
        LockBusy: somebody else holds the lock, to the end of the wait (exit 75).
        AtectlError: the server could not be asked (exit 125).
        HeldCommandNotFound, HeldCommandNotExecutable: as `run_held` (exit 127, 126).
    """
    patience = None
    if wait_s is not None:
        patience = Patience(wait_s, sleep=lambda s: _sleep(s, signals), on_wait=on_wait)
    try:
        with opened(open_connection, patience) as connection:
            lock = _taken(connection, terms, patience, on_warning)
            return run_held(lock, words, environment, signals)
    except _Ended as ended:
        return HeldEnd(128 + ended.number)


def _taken(
    connection: "RedisConnection",
    terms: LockTerms,
    patience: Patience | None,
    on_warning: Callable[[AtectlError], None],
) -> HeldLock:
    if patience is None:
        return acquire(connection, terms, on_warning=on_warning)
    return acquire_within(connection, terms, patience, on_warning=on_warning)


class _Ended(Exception):
    """A signal ended the wait for a lock."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _sleep(seconds: float, signals: Signals) -> None:
    """Wait for so many seconds, or until a signal comes.

    Raises:
        _Ended: it ends commands.
    """
    select.select([signals.reader], [], [], seconds)
    received = signals.received()
    for number in _ENDING:
        if number in received:
            raise _Ended(number)
    if signal.SIGTSTP in received:
        stop_as_asked()


def run_held(
    lock: HeldLock,
    words: Sequence[str],
    environment: Mapping[str, str],
    signals: Signals,
    *,
    clock: Callable[[], float] = boottime,
) -> HeldEnd:
    """Run a command under a lock that was just taken, and release the lock.

    The command and all processes that it has started are dead before the lock is released.

    Raises:
        HeldCommandNotFound: there is no such command; the lock is released (exit 127).
        HeldCommandNotExecutable: it cannot be executed; the lock is released (exit 126).
    """
    try:
        with GuardedChild(lock.kill_by) as child:
            lock.keep(child.extend)
            child.start(words, {**environment, **lock_variables(lock)})
            error = _Supervision(lock, child, signals, clock).run()
    except BaseException:
        _release(lock)
        raise
    failure = _release(lock)
    if error is None and isinstance(failure, LockLost):
        error = failure
    warnings = _told_of(child)
    if failure is not None and failure is not error:
        warnings.append(failure)
    status = child.exit_status or 0 if error is None else error.exit_status
    return HeldEnd(status, error, tuple(warnings))


def _told_of(child: GuardedChild) -> list[AtectlError]:
    """What is to be said of processes that had left the command's process group."""
    if not child.finds_strays:
        return [
            StraysUnknown("this system cannot tell which processes the command has left behind")
        ]
    if not child.strays:
        return []
    named = [f"{stray.name} (pid {stray.pid})" for stray in child.strays[:_STRAYS_NAMED]]
    more = len(child.strays) - len(named)
    told = ", ".join(named) + (f" and {more} more" if more else "")
    return [StraysEnded(f"the command left {told} running outside its process group: ended")]


def lock_variables(lock: HeldLock) -> dict[str, str]:
    """The environment variables that tell the command of its lock."""
    return {
        "ATECTL_LOCK_ACTOR": lock.terms.actor,
        "ATECTL_LOCK_KEY": lock.terms.key,
        "ATECTL_LOCK_TOKEN": lock.token,
        "ATECTL_LOCK_FENCE": str(lock.fence),
    }


def _release(lock: HeldLock) -> AtectlError | None:
    try:
        lock.release()
    except AtectlError as error:
        return error
    return None


def _has_shell() -> bool:
    """Whether the parent is a shell with job control, which can continue stopped commands."""
    parent = os.getppid()
    try:
        return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
    except (ProcessLookupError, PermissionError):
        return False


class _Supervision:
    """Watches over one running command. At each step it looks at the clock first."""

    def __init__(
        self, lock: HeldLock, child: GuardedChild, signals: Signals, clock: Callable[[], float]
    ) -> None:
        self._lock = lock
        self._child = child
        self._signals = signals
        self._clock = clock
        deadline_s = lock.terms.deadline_s
        self._deadline = None if deadline_s is None else clock() + deadline_s
        self._ending: AtectlError | None = None
        self._kill_at: float | None = None
        self._stops_with_child = child.has_terminal and _has_shell()

    def run(self) -> AtectlError | None:
        """Wait until the command has ended; why it was ended, None if it ended by itself."""
        while True:
            self._look()
            received = self._signals.received()
            self._child.poll()
            if self._child.exit_status is not None:
                return self._ending
            self._forward(received)
            if self._child.is_stopped and self._stops_with_child:
                self._stop_too()
                continue
            if self._child.is_stopped and self._child.has_terminal:
                # It was stopped from the terminal, and nobody but us can continue it.
                self._child.resume()
            readers = [self._signals.reader, self._child.reader]
            select.select(readers, [], [], self._wait_s())

    def _look(self) -> None:
        now = self._clock()
        loss = self._lock.look()
        if loss is not None:
            self._end(loss, self._lock.kill_by)
        elif self._deadline is not None and now >= self._deadline:
            limit = format_duration(self._lock.terms.deadline_s or 0)
            self._end(
                LockDeadline(f"the command was still running after {limit}"),
                now + self._lock.terms.times.grace_s,
            )
        elif self._child.guard_is_gone:
            self._end(GuardGone("the process that guards the command was killed"), now)
        if self._kill_at is not None and now >= self._kill_at:
            self._child.signal(signal.SIGKILL)

    def _end(self, error: AtectlError, kill_at: float) -> None:
        """Tell the work to end. That is done once; the earliest `kill_at` of all calls counts."""
        self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)
        if self._ending is None:
            self._ending = error
            if self._clock() < self._kill_at:
                self._child.signal(signal.SIGTERM)
                # A stopped process receives SIGTERM only when it is continued.
                self._child.signal(signal.SIGCONT)

    def _forward(self, received: set[int]) -> None:
        if signal.SIGTSTP in received:
            self._stops_with_child = True
        for number in FORWARDED:
            if number in received:
                self._child.signal(number)

    def _stop_too(self) -> None:
        """Stop this process like the command, so that the shell takes over, until continued.

        The lock is not renewed meanwhile, so after a long stop it is lost.
        """
        self._child.give_up_terminal()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._look()
        self._child.resume()

    def _wait_s(self) -> float:
        now = self._clock()
        instants = (self._deadline, self._kill_at)
        return min([TICK_S, *(at - now for at in instants if at is not None and at > now)])
