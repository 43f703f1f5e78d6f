"""Leases as their arbiter knows them: whose each is, where it stands, what was ruled of it."""

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action

if TYPE_CHECKING:
    from atectl.arbitration.wording import Abortion
    from atectl.spill.area import SpillArea

RULINGS_KEPT = 200
"""How many of the latest rulings are kept, of each lease and of all together."""

FAILED = "failed"
"""How the reason of a ruling begins whose spill failed, so that it freed nothing."""


class Ruling(NamedTuple):
    """A decision that was carried out. `at_s` is seconds since the arbiter began.

    `lease` is its number. `bytes` is as in `Decision`; `freed_bytes` what spilling was measured
    to have given back, None for other actions. `pressure_bytes` is the host's as it was decided.
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
        """Whether this is a spill that failed, so that it freed nothing."""
        return self.action is Action.SPILL and self.reason.startswith(FAILED)


def came_back(before: Ruling, ruling: Ruling) -> bool:
    """Whether `ruling` let a spilled lease go on; `before` is the one before it on that lease."""
    was_spilled = before.action is Action.SPILL and not before.has_failed
    return was_spilled and ruling.action in (Action.GRANT, Action.RESUME)


class Tenant(Protocol):
    """A lease, as the arbiter knows it."""

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end, by whomever."""
        ...

    def abort(self, abortion: "Abortion") -> None:
        """Have it end because memory ran out, and say so: why, and what would help.

        Called under the arbiter's lock.
        """
        ...

    def spill(self, area: "SpillArea") -> None:
        """Begin to write its memory to disk; `Place.spilled` is told once that is done.

        Called under the arbiter's lock.

        Raises:
            AtectlError: it cannot even begin.
        """
        ...

    def woken(self) -> None:
        """Something has changed: call `Place.look` soon, on its own thread and not within this.

        Called under the arbiter's lock, on any thread.
        """
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


class Seat:
    """What an arbiter knows of one lease. It is changed under the arbiter's lock alone.

    Args:
        standing: where it stands at first.
        tenant: the lease itself.
    """

    __slots__ = (
        "_standing", "held_bytes", "held_s", "is_abandoned", "number", "probed_at",
        "room_wanted_bytes", "rulings", "tenant", "was_refused",
    )  # fmt: skip

    def __init__(self, standing: Standing, tenant: Tenant) -> None:
        self._standing = standing
        self.number = standing.number
        self.tenant = tenant
        self.held_bytes = standing.held_bytes
        """What it holds. Growths that are granted at once count here and change nothing else:
        there are many, and a new standing for each would cost more than the growth."""
        self.held_s = 0.0
        """How long its guest was held so far, this time not included."""
        self.is_abandoned = False
        """It has its outcome, but its guest is asleep in a host call and keeps its memory."""
        self.was_refused = False
        """It was told to end while it was held, and its guest was let go with nothing granted."""
        self.probed_at: float | None = None
        """When it was asked to show at a tick that it is awake, on the arbiter's clock; None if it
        was not, or has done so."""
        self.room_wanted_bytes = 0
        """How much room the disk must have before a spill that failed is tried again."""
        self.rulings: deque[Ruling] = deque(maxlen=RULINGS_KEPT)
        """The latest rulings about it, the oldest first."""

    @property
    def standing(self) -> Standing:
        """Where it stands, with all that it holds."""
        kept = self._standing
        return kept if kept.held_bytes == self.held_bytes else kept.holding(self.held_bytes)

    @standing.setter
    def standing(self, standing: Standing) -> None:
        self._standing = standing
        self.held_bytes = standing.held_bytes

    @property
    def charged_bytes(self) -> int:
        """What it counts for in the pressure."""
        kept = self._standing
        return (
            min(self.held_bytes, kept.fixed_bytes)
            if kept.phase is Phase.SPILLED
            else self.held_bytes
        )

    @property
    def makes_progress(self) -> bool:
        """As in `Standing`: what it holds does not matter for that."""
        return self._standing.makes_progress

    @property
    def is_held(self) -> bool:
        """Whether its guest is held."""
        return self._standing.is_held and not self.was_refused

    @property
    def is_held_back(self) -> bool:
        """Whether it is held, or will be at its next tick."""
        return self._standing.is_held_back and not self.was_refused

    @property
    def may_overtake(self) -> bool:
        """As in `Standing`."""
        # The standing kept here may lack growths that were granted at once. They matter only if
        # it held nothing before; so a full standing, which costs more, is made only then.
        return self._standing.may_overtake or self.standing.may_overtake

    def wake(self) -> None:
        """Have its tenant look again at where it stands."""
        self.tenant.woken()

    def probe(self, now_s: float, stall_s: float) -> bool:
        """If its guest runs, see whether it reaches ticks; it stalls if it did not for `stall_s`.

        Returns:
            Whether it is to be asked, by a tick, to show that it is awake.
        """
        if self.is_held:
            return False
        if self.probed_at is None:
            self.probed_at = now_s
            return True
        if now_s - self.probed_at > stall_s:
            self.standing = self.standing.fall_asleep()
        return False

    def hear_of(self) -> None:
        """Its guest has just shown that it is awake."""
        if self.probed_at is not None:
            self.probed_at = None
            self.standing = self.standing.wake_up()

    def note_room(self, disk_room_bytes: int) -> None:
        """After a spill that failed: allow another once the disk has enough room."""
        if 0 < self.room_wanted_bytes <= disk_room_bytes and self.is_held:
            self.room_wanted_bytes = 0
            self.standing = self.standing.may_spill_again()

    def seen(self) -> Standing:
        """Where it stands, as `decide` is to see it: whoever told it to end, it is ending, and for
        an abandoned guest nobody waits."""
        seen = self._standing = self.standing
        if self.tenant.is_ending and not seen.aborting:
            seen = seen.abort()
        return seen.fall_asleep() if self.is_abandoned else seen
