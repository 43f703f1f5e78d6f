"""Renewing a lock while work is done under it, and noticing in time that it may be lost.

Instants are read from a clock that nobody sets and that also counts while the machine sleeps. The
TTL is counted from when the last renewal that was answered was sent. That is never later than when
the server began to count it. Whether the lock is lost follows from the clock alone, so a connection
that hangs does not delay it.

Source: the systems that lock actors. Their locks have a TTL of 30 s and are renewed every 10 s; a
holder gives up 20 s after its last renewal.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from atectl.errors import AtectlError
from atectl.locks.errors import BadLockTtl, LockLost
from atectl.system.clock import boottime
from atectl.units import format_duration

DEFAULT_TTL_S = 30.0
"""The TTL of a lock, as in the systems that lock actors. Locks are taken and judged by it."""

MIN_TTL_S = 0.5
"""With a shorter TTL, its parts would be shorter than a busy machine can make a process wait."""
MAX_TTL_S = 86_400.0

TICK_S = 0.1
"""How often the clock is looked at: the system's own waits do not count while it sleeps."""


@dataclass(frozen=True)
class LockTimes:
    """The times that follow from a lock's TTL, in seconds.

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
        """The time from one renewal to the next."""
        return self.ttl_s / 3

    @property
    def retry_s(self) -> float:
        """The time from a failed renewal to the next, and how long to wait for an answer."""
        return self.ttl_s / 10

    @property
    def lost_after_s(self) -> float:
        """The time after the last renewal at which the lock is lost and the work is told to end."""
        return self.ttl_s * 2 / 3

    @property
    def killed_after_s(self) -> float:
        """The time after the last renewal at which work that has not ended is killed."""
        return self.ttl_s * 14 / 15

    @property
    def grace_s(self) -> float:
        """How long work has to end after it was told to."""
        return self.killed_after_s - self.lost_after_s

    @property
    def usurped_grace_s(self) -> float:
        """The same if it is known that somebody else has the lock already."""
        return self.ttl_s / 15


class Heartbeat:
    """Renews a lock on a thread of its own, from `start` to `stop`.

    Args:
        times: of the lock.
        renew: asks the server to renew the lock. It raises `LockLost` if the lock is not ours, and
            another `AtectlError` if there was no answer.
        proved_at: an instant just before the lock was asked for.
        on_renewed: called on the heartbeat's thread with the instant by which the work now has to
            be dead.
        clock: seconds of a clock that nobody sets and that counts while the machine sleeps.
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
        """Begin to renew. A heartbeat can be started once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing. On return the thread has ended, or the lock is lost by the clock."""
        self._stopping.set()
        while self._thread.is_alive() and self.look() is None:
            self._thread.join(TICK_S)

    @property
    def kill_by(self) -> float:
        """The instant by which the work has to be dead."""
        with self._mutex:
            return self._kill_by

    def look(self) -> LockLost | None:
        """Why the lock is lost, by what is known now; None if it is not. Never waits.

        A lock that was lost once stays lost, whatever answers come later.
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
            # The next renewal is due by when this one was sent, not by when it was answered.
            delay_s = self._times.period_s if self._attempt(sent_at) else self._times.retry_s
            due = sent_at + delay_s

    def _wait_until(self, due: float) -> bool:
        """Wait; whether the next renewal is to be sent. False once stopped, or if it is lost."""
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
        # After the lock was lost, as after a pause of this process, an answer comes too late.
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
