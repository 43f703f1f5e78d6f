"""What a host takes of the figures that a cell tells: no more than can be."""

from atectl.accounting import Reading
from atectl.batch.cells.wire import Malformed
from atectl.system.walls.amounts import SLACK_BYTES

_GROWTHS_A_SECOND = 10_000_000
"""More than any guest can ask for: each takes a call to the host, of microseconds."""


def believable(
    reading: Reading, cpu_s: float, quota_bytes: int, wall_s: float
) -> tuple[Reading, float]:
    """A reading and CPU seconds as they are counted.

    What takes time is no more than there was time for. Clocks differ by a little, so that this is
    cut and ends no cell.

    Args:
        quota_bytes: what the lease may hold.
        wall_s: how long it has run so far.

    Raises:
        Malformed: it cannot have held so much.
    """
    if max(reading.current_bytes, reading.peak_bytes, reading.grown_bytes) > quota_bytes:
        raise Malformed("a cell told of more memory than the quota is")
    if reading.byte_seconds > quota_bytes * wall_s:
        reading = reading._replace(byte_seconds=quota_bytes * wall_s)
    if reading.refused_growths > _GROWTHS_A_SECOND * wall_s:
        reading = reading._replace(refused_growths=int(_GROWTHS_A_SECOND * wall_s))
    return reading, min(cpu_s, wall_s)


def believable_resident(
    told: object, held_bytes: int, of_cell_bytes: int, of_others_bytes: int
) -> int | None:
    """How much of a lease's memory is resident; None if its cell told nothing of it.

    It is no more than was granted, and not so little that its cell would hold more beside its
    leases than it may: else what a cell conceals would seem to be the host's own.

    Args:
        told: what the cell says.
        held_bytes: what the lease was granted.
        of_cell_bytes: what its cell holds, all together.
        of_others_bytes: what other leases there, and idle stores, may hold of that.
    """
    if isinstance(told, bool) or not isinstance(told, int):
        return None
    least_bytes = of_cell_bytes - of_others_bytes - SLACK_BYTES
    return min(max(told, least_bytes, 0), of_cell_bytes, held_bytes)
