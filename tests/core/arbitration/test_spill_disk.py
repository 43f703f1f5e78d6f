"""The spill disk as an arbiter knows it."""

from pathlib import Path

import pytest

from atectl.arbitration.seat import Seat
from atectl.arbitration.spill_disk import SpillDisk
from atectl.arbitration.standing import Standing
from atectl.spill.area import SpillArea
from atectl.spill.errors import SpillCapReached, SpillDiskFull, SpillFailed
from tests.support.tenants import MIB, Tenant

CAP = 10 * MIB


@pytest.fixture
def area(tmp_path: Path) -> SpillArea:
    return SpillArea(tmp_path, CAP)


@pytest.fixture
def disk(area: SpillArea) -> SpillDisk:
    return SpillDisk(area)


def held(size_bytes: int) -> Seat:
    """A lease that waits in its growth request, and can be spilled."""
    standing = Standing(1, 0, size_bytes).ask(1).park()
    return Seat(standing, Tenant())


def test_its_room_is_that_of_the_last_look(disk: SpillDisk, area: SpillArea) -> None:
    assert disk.room_bytes == CAP
    area.take(MIB)
    assert (disk.room_bytes, disk.used_bytes) == (CAP, MIB)
    disk.look()
    assert disk.room_bytes == CAP - MIB


def test_where_nothing_is_spilled_there_is_no_room_and_no_refusal() -> None:
    disk = SpillDisk(None)
    assert (disk.room_bytes, disk.used_bytes) == (0, 0)
    assert disk.refusal([held(MIB)]) is None
    assert disk.failure is None


class Failing(Tenant):
    """A lease that cannot begin to spill."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self._failure = failure

    def spill(self, _area: SpillArea) -> None:
        raise self._failure


def test_a_spill_that_begins_has_not_failed(disk: SpillDisk) -> None:
    tenant = Tenant()
    assert disk.spill(tenant) is None
    assert tenant.is_spilling


def test_a_spill_that_cannot_begin_is_told_and_not_raised(disk: SpillDisk) -> None:
    full = SpillDiskFull("no room")
    assert disk.spill(Failing(full)) is full


def test_whatever_goes_wrong_as_it_begins_is_told_as_its_failure(disk: SpillDisk) -> None:
    failure = disk.spill(Failing(ValueError("what")))
    assert isinstance(failure, SpillFailed)
    assert "ValueError: what" in str(failure)


def test_nothing_is_refused_while_the_smallest_held_lease_fits(disk: SpillDisk) -> None:
    assert disk.refusal([held(CAP), held(CAP + 1)]) is None
    assert disk.failure is None


def test_if_not_even_the_smallest_held_lease_fits_that_is_the_failure(disk: SpillDisk) -> None:
    refusal = disk.refusal([held(CAP + 1), held(CAP + MIB)])
    assert isinstance(refusal, SpillCapReached)
    assert disk.failure is refusal


def test_leases_that_run_or_are_charged_nothing_are_not_asked_about(disk: SpillDisk) -> None:
    runs = Seat(Standing(1, 0, 2 * CAP), Tenant())
    spilled = held(2 * CAP)
    spilled.standing = spilled.standing.spill().spilled(0)  # all of it was zeros
    assert disk.refusal([runs, spilled]) is None


def test_a_failure_stands_for_a_lease_that_waits_for_room_after_it(disk: SpillDisk) -> None:
    waits = held(MIB)
    disk.failure = full = SpillDiskFull("no room")
    assert disk.refusal([waits]) is None
    waits.room_wanted_bytes = 2 * MIB
    assert disk.refusal([waits]) is full
