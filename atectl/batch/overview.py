"""A batch at one moment: its leases, row by row, and the host."""

from typing import NamedTuple

from atectl.accounting import Account, Budget, Pressure
from atectl.arbitration.seat import Ruling, Seat, came_back
from atectl.arbitration.standing import Phase
from atectl.batch.cells.host_lease import CellLease
from atectl.ledger_store.records import LeaseRecord

RESUMING_S = 1.0
"""Seconds for which a lease that came back from disk is shown as resuming.

Its pages are read one by one as it touches them; when the last one was read is not known.
"""


class LeaseRow(NamedTuple):
    """A lease that has not ended. `state` is `running`, `resuming` (from disk, within the last
    `RESUMING_S`), `waiting` (inside its growth request), `parked`, `spilled`, `ending` or
    `aborted`; `resident_bytes` None is unknown."""

    job: int
    principal: str
    capsule: str
    label: str
    state: str
    current_bytes: int
    resident_bytes: int | None
    quota_bytes: int
    wall_s: float


class BatchOverview(NamedTuple):
    """A batch at `now_s`, on the clock of its rulings.

    `rulings` are the latest; `accounts` are those of the process's ledger, the highest peak first.
    `on_disk_bytes` is what spilled memory takes on disk. Leases that came back count for as long
    as they still have their file.
    """

    now_s: float
    rows: tuple[LeaseRow, ...]
    budget: Budget
    pressure: Pressure
    on_disk_bytes: int
    rulings: tuple[Ruling, ...]
    accounts: tuple[Account, ...]


def lease_row(job: int, lease: CellLease, record: LeaseRecord, now_s: float) -> LeaseRow:
    """The row of a lease, from its record in the ledger and its present state.

    `now_s` is on the clock of its rulings.
    """
    return LeaseRow(
        job=job,
        principal=record.principal,
        capsule=record.capsule,
        label=record.label,
        state=_state(lease, now_s),
        current_bytes=record.current_bytes,
        resident_bytes=lease.resident_bytes(),
        quota_bytes=record.quota_bytes,
        wall_s=lease.wall_s,
    )


def _state(lease: CellLease, now_s: float) -> str:
    seat = lease.seat
    if seat is None:
        return "ending" if lease.is_ending else lease.state
    standing = seat.standing
    if standing.aborting:
        return "aborted"
    if lease.is_ending:
        return "ending"
    if standing.phase is Phase.PARKED and standing.asked_bytes:
        return "waiting"
    if standing.phase is Phase.RUNNING and _came_back_lately(seat, now_s):
        return "resuming"
    return standing.phase.value


def _came_back_lately(seat: Seat, now_s: float) -> bool:
    if len(seat.rulings) < 2:
        return False
    before, latest = seat.rulings[-2], seat.rulings[-1]
    return came_back(before, latest) and now_s - latest.at_s < RESUMING_S
