"""Renewing a lock while work is done under it, and knowing in time that it may be lost.

The instants are those of a clock that nobody sets and that counts suspension. A lock's TTL is
counted from before its last answered renewal was sent, which is never later than the server
counts it from. It is lost by the clock alone: a connection that hangs delays no judgement.

Source: the life of a lock in the systems that write them; theirs is 30 s, renewed every 10, and
its holder gives up 20 s after the last renewal.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from atectl.errors import AtectlError
from atectl.locks.errors import BadLockTtl, LockLost
from atectl.system.clock import boottime
from atectl.units import format_duration

DEFAULT_TTL_S = 30.0
"""The TTL of a lock, as the systems in the field give it: what ours have, and are judged by."""

MIN_TTL_S = 0.5
"""Below it, the parts of a TTL are shorter than what a busy machine lets a process wait."""
MAX_TTL_S = 86_400.0

TICK_S = 0.1
"""No wait of the system counts suspension, so the clock is looked at this often."""


@dataclass(frozen=True)
class LockTimes:
    """What follows from a lock's TTL, in seconds.

    Raises:
        BadLockTtl: the TTL is not from `MIN_TTL_S` to `MAX_TTL_S` (exit 2).
    """

    ttl_s: float = DEFAULT_TTL_S

    def __post_init__(self) -> None:
        # A TTL of zero or less would not renew a lock but delete it.
        if not MIN_TTL_S <= self.ttl_s <= MAX_TTL_S:
            raise BadLockTtl(
                f"a lock's TTL is from {format_duration(MIN_TTL_S)} to "
                f"{format_duration(MAX_TTL_S)}, not {self.ttl_s:g}s"
            )

    @property
    def ttl_ms(self) -> int:
        return round(self.ttl_s * 1000)

    @property
    def period_s(self) -> float:
        """From one renewal to the next."""
        return self.ttl_s / 3

    @property
    def retry_s(self) -> float:
        """From a renewal that failed to the next; also how long an answer is waited for."""
        return self.ttl_s / 10

    @property
    def lost_after_s(self) -> float:
        """From the last renewal to when the lock counts as lost, and the work is told to end."""
        return self.ttl_s * 2 / 3

    @property
    def killed_after_s(self) -> float:
        """From the last renewal to when work that has not ended is killed."""
        return self.ttl_s * 14 / 15

    @property
    def grace_s(self) -> float:
        """How long work that was told to end has for it."""
        return self.killed_after_s - self.lost_after_s

    @property
    def usurped_grace_s(self) -> float:
        """The same where the lock is known to be somebody else's already."""
        return self.ttl_s / 15


class Heartbeat:
    """Renews a lock on a thread of its own, from `start` to `stop`.

    Args:
        times: of the lock.
        renew: asks the server; raises `LockLost` if the lock is not ours, and any other
            `AtectlError` if there was no answer.
        proved_at: the instant before the lock was asked for.
        on_renewed: told, on the heartbeat's thread, by when the work would have to be dead.
    """

    def __init__(
        self,
        times: LockTimes,
        renew: Callable[[], None],
        *,
        proved_at: float,
        on_renewed: Callable[[float], None],
        clock: Callable[[], float] = boottime,
    ) -> None:
        self._times = times
        self._renew = renew
        self._proved_at = proved_at
        self._on_renewed = on_renewed
        self._clock = clock
        self._loss: LockLost | None = None
        self._kill_by = proved_at + times.killed_after_s
        self._last_failure: AtectlError | None = None
        self._mutex = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to renew. A heartbeat starts once."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more: the thread has ended at return, or the lock is lost by the clock."""
        self._stopping.set()
        while self._thread.is_alive() and self.look() is None:
            self._thread.join(TICK_S)

    @property
    def kill_by(self) -> float:
        """The instant at which the work has to be dead."""
        with self._mutex:
            return self._kill_by

    def look(self) -> LockLost | None:
        """The loss of the lock, by what is known at this instant. Asks nobody, waits for nothing.

        Once lost, always lost, whatever answer may come.
        """
        with self._mutex:
            silent_s = self._clock() - self._proved_at
            if self._loss is None and silent_s >= self._times.lost_after_s:
                self._loss = LockLost(
                    f"no renewal of the lock was answered for {format_duration(silent_s)} "
                    f"of its {format_duration(self._times.ttl_s)}{self._because()}"
                )
            return self._loss

    def _because(self) -> str:
        return "" if self._last_failure is None else f": {self._last_failure}"

    def _run(self) -> None:
        due = self._proved_at + self._times.period_s
        while self._wait_until(due):
            sent_at = self._clock()
            # What is due is due now, not as soon as an answer has come.
            delay_s = self._times.period_s if self._attempt(sent_at) else self._times.retry_s
            due = sent_at + delay_s

    def _wait_until(self, due: float) -> bool:
        """Whether the next renewal is to be sent: False once stopped or lost."""
        while (left_s := due - self._clock()) > 0:
            if self._stopping.wait(min(left_s, TICK_S)):
                return False
        return not self._stopping.is_set() and self.look() is None

    def _attempt(self, sent_at: float) -> bool:
        try:
            self._renew()
        except LockLost as loss:
            self._lose(loss)
        except AtectlError as failure:
            self._last_failure = failure
            return False
        else:
            self._prove(sent_at)
        return True

    def _prove(self, sent_at: float) -> None:
        # An answer from beyond the instant of loss, as after a pause, comes too late to count.
        if self.look() is not None:
            return
        with self._mutex:
            self._proved_at = sent_at
            self._kill_by = sent_at + self._times.killed_after_s
            self._last_failure = None
        self._on_renewed(self._kill_by)

    def _lose(self, loss: LockLost) -> None:
        with self._mutex:
            self._loss = self._loss or loss
            grace_ends = self._clock() + self._times.usurped_grace_s
            self._kill_by = min(self._kill_by, grace_ends)
        self._on_renewed(self._kill_by)
