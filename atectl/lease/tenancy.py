"""A lease among the other leases of its host."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from atectl.lease.store_pool import StorePool
    from atectl.spill.area import SpillArea


class Guest(Protocol):
    """A lease, as who gives it a place needs it."""

    @property
    def stored_bytes(self) -> int:
        """What of its memory lies on disk."""
        ...

    def end(self, reason: str) -> None:
        """Have its guest end."""
        ...

    def spill(self, area: "SpillArea") -> int:
        """Write its memory to disk, and return the resident bytes that this freed."""
        ...


class Place(Protocol):
    """Where a lease's guest asks for memory, and is held: see `arbitration.place`."""

    @property
    def state(self) -> str:
        """What the lease does, as it is listed: `running`, `parked` or `spilled`."""
        ...

    @property
    def was_refused(self) -> bool:
        """Whether it was told to end while it was held, and nothing was granted."""
        ...

    @property
    def held_s(self) -> float:
        """How long its guest was held so far."""
        ...

    def admit(self, added_bytes: int) -> bool: ...
    def give_back(self, freed_bytes: int) -> None: ...
    def checkpoint(self) -> None: ...
    def leave(self, kept_bytes: int = 0) -> None: ...
    def abandon(self) -> None: ...
    def wake(self) -> None: ...


class Host(Protocol):
    """What gives a lease its place at the arbiter, which may be in another process."""

    def register(self, lease: Guest, number: int, priority: int = 0, idle_bytes: int = 0) -> Place:
        """A place for a lease that is about to begin: see `Arbiter.register`."""
        ...


class Tenancy(NamedTuple):
    """What arbitrates among the leases of a host, and the number of one lease there.

    Numbers are unique; a lease of higher priority is more important. `pool` has the stores that
    earlier leases of the same reactor and principal left; None if none are kept.
    """

    arbiter: Host
    number: int
    priority: int = 0
    pool: "StorePool | None" = None
