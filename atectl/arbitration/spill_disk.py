"""The disk as an arbiter knows it: how much room it has, and why it could last not be used."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from atectl.arbitration.seat import Seat, Tenant
from atectl.errors import AtectlError

if TYPE_CHECKING:
    from atectl.spill.area import SpillArea


class SpillDisk:
    """Where leases are spilled, as it was when last looked at.

    Args:
        area: the folder and its cap; None where nothing is spilled.
    """

    def __init__(self, area: "SpillArea | None") -> None:
        self._area = area
        self.room_bytes = 0
        """What the cap and the disk still take."""
        self.failure: AtectlError | None = None
        """Why memory could last not be spilled, or could not have been."""
        self.look()

    @property
    def used_bytes(self) -> int:
        """What the files of spilled memory take now: each stays as long as its memory does."""
        return 0 if self._area is None else self._area.used_bytes

    def look(self) -> None:
        """See how much room there is now."""
        self.room_bytes = 0 if self._area is None else self._area.room_bytes

    def spill(self, tenant: Tenant) -> AtectlError | None:
        """Have a lease begin to write its memory out; why it cannot, if so."""
        assert self._area is not None  # noqa: S101 - rules that spill come with a place for it
        try:
            tenant.spill(self._area)
        except AtectlError as error:
            return error
        except Exception as error:
            from atectl.spill.errors import SpillFailed

            # Were it raised, whoever waits for this to end would wait for ever.
            return SpillFailed(f"{type(error).__name__}: {error}")
        return None

    def refusal(self, seats: Iterable[Seat]) -> AtectlError | None:
        """What keeps the smallest of the leases that are held from being spilled, if anything."""
        held = [seat for seat in seats if seat.is_held and seat.standing.charged_bytes]
        if self._area is None or not held:
            return None
        found = self._area.refusal(min(seat.standing.room_needed_bytes for seat in held))
        if found is not None:
            self.failure = found
        elif any(seat.room_wanted_bytes for seat in held):
            found = self.failure
        return found
