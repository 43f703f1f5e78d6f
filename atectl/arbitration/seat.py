"""Leases as their arbiter knows them: what each holds, where it stands, what was ruled of it."""

import threading
from collections import deque
from typing import NamedTuple, Protocol

from atectl.arbitration.view import Action, LeaseView, Phase
from atectl.spill.area import SpillArea

RULINGS_KEPT = 200
"""How many of the latest rulings are kept, of each lease and of all together."""


class Ruling(NamedTuple):
    """A decision that was carried out. `at_s` is seconds since the arbiter began.

    `lease` is its number. `bytes` is as in `arbitration.Decision`; `freed_bytes` what spilling
    was measured to have given back, None for other actions. `pressure_bytes` is the host's as
    it was decided.
    """

    at_s: float
    action: Action
    lease: int
    bytes: int
    freed_bytes: int | None
    pressure_bytes: int
    reason: str

    @property
    def has_failed(self) -> bool:
        """Whether this is a spill that freed nothing: the disk would not have it."""
        return self.action is Action.SPILL and self.reason.startswith("failed")


def came_back(before: Ruling, ruling: Ruling) -> bool:
    """Whether `ruling` let a lease go on from the disk; `before` is the one before it of that
    lease."""
    was_spilled = before.action is Action.SPILL and not before.has_failed
    return was_spilled and ruling.action in (Action.GRANT, Action.RESUME)


class Tenant(Protocol):
    """A lease, as the arbiter knows it."""

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end, by whomever."""
        ...

    def abort(self, why: str, remedy: str) -> None:
        """Have it end for want of memory; `remedy` helps. Called under the arbiter's lock."""
        ...

    def spill(self, area: SpillArea) -> int:
        """Write its memory to disk; the resident bytes that this freed."""
        ...

    @property
    def stored_bytes(self) -> int:
        """What of its memory lies on disk, whether it is spilled now or was once."""
        ...

    def resident_bytes(self) -> int | None:
        """What of its memory is resident; None where the system does not tell."""
        ...

    @property
    def principal(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def capsule_name(self) -> str: ...


class Keeper(Protocol):
    """Whoever keeps the seats: the arbiter, as a seat knows it."""

    lock: threading.RLock

    def admit(self, seat: "Seat", added_bytes: int) -> bool: ...
    def give_back(self, seat: "Seat", freed_bytes: int) -> None: ...
    def checkpoint(self, seat: "Seat") -> None: ...
    def leave(self, seat: "Seat", kept_bytes: int) -> None: ...
    def abandon(self, seat: "Seat") -> None: ...


class Seat:
    """One lease's place at the arbiter: what it holds and where it stands.

    It is the gate of the lease's memory (`linear_memory.Gate`).
    """

    __slots__ = (
        "_arbiter", "_changed", "abandoned", "aborting", "asked_bytes", "held_bytes", "is_held",
        "may_go_on", "number", "parking", "phase", "priority", "probed_at", "room_wanted_bytes",
        "rulings", "spilling", "stalled", "stored_bytes", "tenant", "was_refused",
    )  # fmt: skip

    def __init__(self, arbiter: Keeper, number: int, priority: int, tenant: Tenant) -> None:
        self._arbiter = arbiter
        self._changed = threading.Condition(arbiter.lock)
        self.number = number
        self.priority = priority
        self.tenant = tenant
        self.held_bytes = self.asked_bytes = self.stored_bytes = 0
        self.room_wanted_bytes = 0  # on the disk, before a spill that failed is tried again
        self.phase = Phase.RUNNING
        self.is_held = self.may_go_on = False
        self.parking = self.spilling = self.aborting = False
        self.stalled = self.abandoned = self.was_refused = False
        self.probed_at: float | None = None
        self.rulings: deque[Ruling] = deque(maxlen=RULINGS_KEPT)

    @property
    def charged_bytes(self) -> int:
        return 0 if self.phase is Phase.SPILLED else self.held_bytes

    def admit(self, added_bytes: int) -> bool:
        """Whether the lease may grow; its thread may be held here first."""
        return self._arbiter.admit(self, added_bytes)

    def give_back(self, freed_bytes: int) -> None:
        """Count that `freed_bytes` of what was admitted are gone."""
        self._arbiter.give_back(self, freed_bytes)

    def checkpoint(self) -> None:
        """Called on the guest's thread at an epoch tick; it may be held here."""
        self._arbiter.checkpoint(self)

    def leave(self, kept_bytes: int = 0) -> None:
        """The lease has ended, and all its memory is gone but `kept_bytes`, which nobody uses."""
        self._arbiter.leave(self, kept_bytes)

    def abandon(self) -> None:
        """The lease has ended, but its guest is asleep in a host call and keeps its memory."""
        self._arbiter.abandon(self)

    def wake(self) -> None:
        """Have the lease see at once that it is to end."""
        with self._arbiter.lock:
            self._changed.notify()

    def wait(self) -> None:
        self._changed.wait()

    def let_go(self) -> None:
        self.may_go_on, self.is_held, self.asked_bytes = True, False, 0
        self._changed.notify()

    @property
    def room_needed_bytes(self) -> int:
        """The most that spilling it takes of the disk."""
        return max(self.held_bytes - self.stored_bytes, 0)

    def view(self, room_bytes: int) -> LeaseView:
        """The lease as it is decided upon, with `room_bytes` left for spilling."""
        return LeaseView(
            number=self.number,
            priority=self.priority,
            held_bytes=self.held_bytes,
            asked_bytes=self.asked_bytes,
            phase=self.phase,
            spillable=self.is_held and room_bytes >= self.room_wanted_bytes,
            parking=self.parking,
            spilling=self.spilling,
            aborting=self.aborting or self.tenant.is_ending,
            stalled=self.stalled or self.abandoned,
            stored_bytes=self.stored_bytes,
        )
