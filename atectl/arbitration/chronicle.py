"""What an arbiter tells of itself: the latest rulings, and an observer who hears of everything."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from atectl.accounting import Pressure
from atectl.arbitration.seat import RULINGS_KEPT, Ruling, Seat
from atectl.arbitration.view import Action, Decision, HostView


class Observer(Protocol):
    """Is told of every event, in order, while the arbiter's lock is held."""

    def registered(self, at_s: float, seat: Seat) -> None: ...
    def finished(self, at_s: float, seat: Seat) -> None: ...
    def asked(self, at_s: float, seat: Seat, added_bytes: int) -> None: ...
    def sampled(self, at_s: float, pressure: Pressure) -> None: ...
    def decided(self, at_s: float, host: HostView, decisions: list[Decision]) -> None: ...
    def ruled(self, ruling: Ruling, pressure: Pressure) -> None: ...


class Chronicle:
    """Keeps the latest rulings, and passes on what happens with the time at which it did.

    Args:
        clock: seconds that never go back; told times begin with the chronicle.
        observer: who is told; None for nobody.
    """

    def __init__(self, clock: Callable[[], float], observer: Observer | None) -> None:
        self._clock = clock
        self._began = clock()
        self._latest: deque[Ruling] = deque(maxlen=RULINGS_KEPT)
        self.observer = observer

    @property
    def now_s(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    @property
    def latest(self) -> tuple[Ruling, ...]:
        """The latest rulings, the oldest first."""
        return tuple(self._latest)

    def registered(self, seat: Seat) -> None:
        if self.observer is not None:
            self.observer.registered(self.now_s, seat)

    def finished(self, seat: Seat) -> None:
        if self.observer is not None:
            self.observer.finished(self.now_s, seat)

    def asked(self, seat: Seat, added_bytes: int) -> None:
        if self.observer is not None:
            self.observer.asked(self.now_s, seat, added_bytes)

    def sampled(self, pressure: Pressure) -> None:
        if self.observer is not None:
            self.observer.sampled(self.now_s, pressure)

    def decided(self, host: HostView, decisions: list[Decision]) -> None:
        if self.observer is not None:
            self.observer.decided(self.now_s, host, decisions)

    def ruled(
        self,
        seat: Seat,
        action: Action,
        size_bytes: int,
        reason: str,
        pressure: Pressure,
        freed_bytes: int | None = None,
    ) -> None:
        """A decision about a lease was carried out; the fields are those of `Ruling`."""
        ruling = Ruling(
            self.now_s, action, seat.number, size_bytes, freed_bytes, pressure.total_bytes, reason
        )
        seat.rulings.append(ruling)
        self._latest.append(ruling)
        if self.observer is not None:
            self.observer.ruled(ruling, pressure)
