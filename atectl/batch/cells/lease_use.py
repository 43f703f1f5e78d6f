"""What a lease in a cell uses, as its host counts it."""

from collections.abc import Mapping

from atectl.accounting import Quota, Reading
from atectl.batch.cells.believing import believable
from atectl.batch.cells.orders import read_reading, read_seconds
from atectl.batch.cells.wire import items, whole

_NOTHING = Reading(0, 0, 0, 0, 0, 0.0)


class LeaseUse:
    """What the cell of a lease tells of it, as far as that can be, and what its host sees.

    Args:
        quota: what the lease may use.
    """

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._told: Reading | None = None
        self._host_byte_seconds = 0.0
        self.cpu_s = 0.0
        """CPU seconds of the guest as its cell told of them last."""
        self.fuel = 0
        """Fuel burned, known once the guest has ended."""
        self.host_bytes = 0
        """The most that its cell was seen to hold beside what the leases in it are charged."""

    @property
    def was_told(self) -> bool:
        """Whether its cell has told anything of its memory yet."""
        return self._told is not None

    def read(self) -> Reading:
        """Its memory as its cell told of it last, and over time with what its cell held beside."""
        reading, more = self._told or _NOTHING, self._host_byte_seconds
        return reading._replace(byte_seconds=reading.byte_seconds + more) if more else reading

    def refuse(self, asked_bytes: int) -> None:
        """Count that it was refused so much, before its cell was told of it."""
        self._told = _NOTHING._replace(refused_growths=1, largest_refused_bytes=asked_bytes)

    def take_reading(self, told: object, wall_s: float) -> None:
        """Take what its cell tells while it runs, after so much time.

        Raises:
            Malformed: that cannot be.
        """
        *reading, cpu_s = items(told, len(Reading._fields) + 1)
        self._take(reading, cpu_s, wall_s)

    def take_result(self, told: Mapping[str, object], wall_s: float) -> None:
        """Take what its cell tells at its end, after so much time.

        Raises:
            Malformed: that cannot be.
        """
        self._take(told.get("reading"), told.get("cpu_s"), wall_s)
        self.fuel = whole(told.get("fuel"), self._quota.fuel or 0)

    def see_host(self, held_bytes: int, charged_bytes: float, seconds: float) -> None:
        """Its cell holds so much beside its leases, of which this one is charged a part for so
        long."""
        self.host_bytes = max(self.host_bytes, held_bytes)
        self._host_byte_seconds += charged_bytes * seconds

    def _take(self, reading: object, cpu_s: object, wall_s: float) -> None:
        told = read_reading(reading), read_seconds(cpu_s)
        self._told, self.cpu_s = believable(*told, self._quota.memory_bytes, wall_s)
