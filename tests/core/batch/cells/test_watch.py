"""What cells hold beyond what their leases are charged: who pays for it, and who is ended."""

from types import SimpleNamespace
from typing import Any

from atectl.accounting import Quota
from atectl.batch.cells.cell import CELL_BYTES
from atectl.batch.cells.lease_use import LeaseUse
from atectl.batch.cells.watch import CellWatch
from atectl.system.walls.amounts import SLACK_BYTES

MIB = 1 << 20


class Cell:
    """A cell that holds so much."""

    def __init__(self, own_bytes: int) -> None:
        self.idle_bytes = self.held_more_bytes = 0
        self._own_bytes = own_bytes
        self.was_trimmed = self.is_doomed = self.was_killed = False

    def own_bytes(self) -> int:
        return self._own_bytes

    def bound_threads(self) -> None: ...

    def trim(self) -> None:
        self.was_trimmed = True

    def kill(self) -> None:
        self.was_killed = True

    def readings(self) -> None: ...


def lease_in(cell: Cell, charged_bytes: int) -> Any:
    """A lease, which keeps what it is charged beside its memory, and why it was ended."""
    lease = SimpleNamespace(
        cell=cell, is_done=False, charged_bytes=charged_bytes, wall_s=1000.0, number=1,
        use=LeaseUse(Quota(1 << 40)), ended=None,
    )  # fmt: skip

    def end(reason: str, error: Exception) -> None:
        lease.ended = (reason, error)

    lease.end = end
    return Hashable(lease)


class Hashable:
    """A stand-in that can be looked up by identity."""

    def __init__(self, held: Any) -> None:
        self.__dict__ = held.__dict__


def looked_at(*leases: Any, seconds: float = 2.0) -> None:
    """Have the watch look once, after so much time."""
    now = iter([0.0, seconds])
    watch: Any = CellWatch(lambda: next(now))
    watch.look(leases)


def test_what_a_cell_holds_beside_its_leases_is_charged_to_them_in_equal_parts() -> None:
    cell = Cell(CELL_BYTES + 30 * MIB + 40 * MIB)
    leases = [lease_in(cell, 10 * MIB), lease_in(cell, 20 * MIB)]
    looked_at(*leases, seconds=2.0)
    assert [each.use.read().byte_seconds for each in leases] == [40 * MIB, 40 * MIB]
    assert {each.use.host_bytes for each in leases} == {CELL_BYTES + 40 * MIB}
    assert not any(each.ended for each in leases)


def test_what_every_cell_takes_is_charged_to_nobody() -> None:
    lease = lease_in(Cell(10 * MIB + CELL_BYTES), 10 * MIB)
    looked_at(lease)
    assert lease.use.read().byte_seconds == 0
    assert lease.use.host_bytes == CELL_BYTES


def test_a_lease_is_charged_for_no_more_time_than_it_ran() -> None:
    lease = lease_in(Cell(CELL_BYTES + MIB), 0)
    lease.wall_s = 0.5
    looked_at(lease, seconds=2.0)
    assert lease.use.read().byte_seconds == MIB // 2


def test_all_leases_are_ended_of_a_cell_that_holds_too_much_beside_them() -> None:
    cell = Cell(100 * MIB + SLACK_BYTES + 1)
    leases = [lease_in(cell, 50 * MIB), lease_in(cell, 50 * MIB)]
    other = lease_in(Cell(50 * MIB + SLACK_BYTES), 50 * MIB)
    looked_at(*leases, other)
    assert cell.was_trimmed
    assert [each.ended[0] for each in leases] == ["quota", "quota"]
    assert other.ended is None


def test_a_cell_that_holds_too_much_still_after_that_is_ended_itself() -> None:
    cell = Cell(SLACK_BYTES + 1)
    lease = lease_in(cell, 0)
    now = iter([0.0, 1.0, 2.0])
    watch: Any = CellWatch(lambda: next(now))
    watch.look([lease])
    assert cell.is_doomed, "no lease more begins there"
    assert not cell.was_killed
    watch.look([lease])
    assert cell.was_killed


def test_memory_that_was_to_go_to_disk_and_did_not_is_held_beside_its_lease() -> None:
    """While it is on disk a lease is charged nothing for it."""
    lease = lease_in(Cell(300 * MIB), 0)
    looked_at(lease)
    assert lease.ended[0] == "quota"
