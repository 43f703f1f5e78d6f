"""Where the ledger lives between processes: the records, and what any store must do.

Hosts flush the whole state of their leases, as totals so far; a store works out what is new
since the last flush, in one transaction. A flush repeated, or lost and made up for by the
next one, therefore counts nothing twice and loses nothing.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from atectl.accounting import Observation, Usage

HISTORY_LEASES = 10_000
"""Finished leases a store keeps, the newest."""

HISTORY_SHOWN = 100
"""Finished leases that are told where nobody says how many."""

RUNNING, PARKED, SPILLED, FINISHED, LOST = "running", "parked", "spilled", "finished", "lost"


class LeaseRecord(NamedTuple):
    """One lease as its host last told it. Sizes in bytes, times in seconds since 1970 UTC.

    `peak_bytes` is what the lease was charged at most (growth over its own baseline),
    `high_water_bytes` the absolute mark. `process` identifies the host process beyond its
    pid: see `atectl.system.processes`. `state` is what the host said; a reader is told `lost`
    instead where that process is known to be gone. `trapped` counts 0 or 1.
    """

    id: str
    principal: str
    capsule: str
    label: str
    host: str
    pid: int
    process: str
    state: str
    current_bytes: int
    peak_bytes: int
    high_water_bytes: int
    quota_bytes: int
    refused_growths: int
    largest_refused_bytes: int
    cpu_s: float
    byte_seconds: float
    fuel: int
    trapped: int
    started_at: float
    updated_at: float
    finished_at: float | None = None
    reason: str | None = None
    exit_status: int | None = None

    @property
    def observation(self) -> Observation:
        """What of it is counted in its principal's account."""
        usage = Usage(
            self.high_water_bytes,
            self.fuel,
            self.cpu_s,
            self.byte_seconds,
            1,
            self.refused_growths,
            self.trapped,
        )
        return Observation(self.id, self.principal, self.peak_bytes, usage)


class AccountRecord(NamedTuple):
    """One principal's totals over all processes, and what its running leases hold now.

    `quota_bytes` is the quota of its latest lease; `since` is when the account was opened.
    Lost leases count neither as running nor towards `current_bytes`.
    """

    principal: str
    peak_bytes: int
    high_water_bytes: int
    quota_bytes: int
    running_leases: int
    current_bytes: int
    refused_growths: int
    leases: int
    cpu_s: float
    byte_seconds: float
    fuel: int
    traps: int
    last_capsule: str
    since: float
    updated_at: float


class LedgerStore(Protocol):
    """A place for the ledger that several processes share. Not for use from two threads at once.

    Every method raises a `LedgerError` for whatever the place itself does wrong.
    """

    def flush(self, leases: Iterable[LeaseRecord]) -> None:
        """Take the state of these leases: all of it or none.

        Accounts are bounded as in `accounting.Ledger`, over all processes. A lease with
        `finished_at` joins the finished ones, of which the newest `HISTORY_LEASES` stay.
        """

    def accounts(self) -> list[AccountRecord]:
        """Every account, the highest peak first."""

    def account(self, principal: str) -> AccountRecord | None:
        """One account."""

    def running(self) -> list[LeaseRecord]:
        """Leases that have not finished, the oldest first; those of dead hosts as `lost`."""

    def history(
        self, principal: str | None = None, limit: int = HISTORY_SHOWN
    ) -> list[LeaseRecord]:
        """Leases that have finished or were lost, the newest first."""

    def reset(self, principal: str | None = None) -> int:
        """Forget one account, or all, with the finished and lost leases; the number of accounts.

        Leases still running stay, and open their accounts anew at the next flush with what
        they use from then on.
        """

    def close(self) -> None:
        """Let go of the store; idempotent."""
