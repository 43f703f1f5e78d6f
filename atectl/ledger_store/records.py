"""Where the ledger lives between processes: the records, and what any store must do.

In a store that is damaged a number may be none, or a time may be past all years. Then a record has
not-a-number in its place: a table has a question mark there, and JSON null.

Hosts flush the whole state of their leases, as totals so far; a store works out what is new
since the last flush, in one transaction. A flush repeated, or lost and made up for by the
next one, therefore counts nothing twice and loses nothing.
"""

from collections.abc import Iterable
from math import isfinite, nan
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar

from atectl.accounting import MAX_TOTAL, Observation, Usage
from atectl.units import END_OF_TIME_S, Stored, StoredMoment

HISTORY_LEASES = 10_000
"""Finished leases a store keeps, the newest."""

HISTORY_SHOWN = 100
"""Finished leases that are told where nobody says how many."""

RUNNING, PARKED, SPILLED, FINISHED, LOST = "running", "parked", "spilled", "finished", "lost"
STATES = (RUNNING, PARKED, SPILLED, FINISHED, LOST)
"""All that a lease may be found in."""


class LeaseRecord(NamedTuple):
    """One lease as its host last told it."""

    id: str
    """Its id, unique over all hosts."""
    principal: str
    """Who is charged."""
    capsule: str
    """The name of the capsule's file, with that of its package where it has one."""
    label: str
    """The note that its run was given; may be empty."""
    host: str
    """The name of the machine that it runs on."""
    pid: int
    """The process that runs it."""
    process: str
    """What identifies that process beyond its pid: see `atectl.system.processes`."""
    state: Annotated[str, STATES]
    """As its host said; `lost` where that process is known to be gone."""
    current_bytes: int
    """The memory that it holds now."""
    peak_bytes: int
    """The most it was charged: what it grew over its own baseline."""
    high_water_bytes: int
    """The most memory that it held."""
    quota_bytes: int
    """The most memory that it may hold."""
    refused_growths: int
    """How often a growth was refused."""
    largest_refused_bytes: int
    """The largest growth that was refused."""
    cpu_s: Stored
    """CPU time of the guest."""
    byte_seconds: Stored
    """The memory that it held, times how long it held it."""
    fuel: int
    """The fuel that it burned; 0 where none was counted."""
    trapped: int
    """Whether it trapped: 1 if it did, else 0."""
    started_at: StoredMoment
    """When it began."""
    updated_at: StoredMoment
    """When its host last told of it."""
    finished_at: StoredMoment | None = None
    """When it ended; null if it has not, as far as is known."""
    reason: str | None = None
    """Why it ended; null if it has not."""
    exit_status: int | None = None
    """The exit status that it ended with; null if it has not."""
    sha256: str | None = None
    """The hash of the capsule's file, as it was read; null if that is not known."""
    cached: bool | None = None
    """Whether the capsule had been compiled before, or for somebody else; null if not known."""
    compile_s: Stored = 0.0
    """Wall-clock seconds that judging and compiling the capsule took; 0 if it was cached."""
    compile_cpu_s: Stored = 0.0
    """CPU time that this took."""
    compile_peak_bytes: int = 0
    """The most memory that this took."""

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
            self.compile_cpu_s,
        )
        return Observation(self.id, self.principal, self.peak_bytes, usage)


class AccountRecord(NamedTuple):
    """One principal's totals over all processes, and what its running leases hold now.

    Lost leases count neither as running nor towards `current_bytes`.
    """

    principal: str
    """Who is charged."""
    peak_bytes: int
    """The most that one of its leases was charged: what that grew over its own baseline."""
    high_water_bytes: int
    """The most memory that one of its leases held."""
    quota_bytes: int
    """The quota of its latest lease; in a list of accounts, of all its running leases together."""
    running_leases: int
    """How many of its leases run."""
    current_bytes: int
    """The memory that these hold now, together."""
    refused_growths: int
    """How often a growth was refused."""
    leases: int
    """How many leases it has had."""
    cpu_s: Stored
    """CPU time of its guests."""
    compile_cpu_s: Stored
    """CPU time of judging and compiling its capsules."""
    byte_seconds: Stored
    """The memory that its leases held, times how long they held it."""
    fuel: int
    """The fuel that its leases burned, where it was counted."""
    traps: int
    """How many of its leases trapped."""
    last_capsule: str
    """The name of the capsule that it ran last."""
    since: StoredMoment
    """When its account was opened."""
    updated_at: StoredMoment
    """When one of its leases was last heard of."""


class DayRecord(NamedTuple):
    """What was used on one day, for one principal on one host under one label.

    `OTHERS` of `atectl.accounting` stands for those that have no sums of their own. The units are
    those of `accounting.Sums`.
    """

    day: int
    """The day of UTC, counted from 1970; `accounting.ALL_TIME` for sums of all days."""
    principal: str
    host: str
    label: str
    leases: int
    cpu_us: int
    byte_ms: int
    fuel: int
    refused_growths: int
    peak_bytes: int


_TIMES = frozenset({"since", "started_at", "updated_at", "finished_at"})

_Told = TypeVar("_Told", LeaseRecord, AccountRecord)


def cleared(record: _Told) -> _Told:
    """The record with not-a-number for each number that is none, and each time that cannot be."""
    wrong: dict[str, Any] = {
        name: nan
        for name, value in zip(record._fields, record, strict=True)
        if type(value) is float and not _can_be(name, value)
    }
    return record._replace(**wrong) if wrong else record


def _can_be(name: str, value: float) -> bool:
    return 0 <= value < END_OF_TIME_S if name in _TIMES else isfinite(value)


def storable_text(text: str) -> str:
    """A text as a store can hold it, and finds it: bytes of it that are not UTF-8 are spelled out.

    No principal has such a name, so a store has nothing of it.
    """
    if text.isascii():
        return text
    from atectl.inert import utf8_text  # which a run seldom needs

    return utf8_text(text)


def storable(lease: LeaseRecord) -> LeaseRecord:
    """The lease as a store can hold it: with text that is UTF-8, and numbers up to `MAX_TOTAL`."""
    texts = (lease.capsule, lease.label, lease.host)
    # A guest may ask a 64-bit memory for more than a column can hold.
    fuel, refused_bytes = lease.fuel, lease.largest_refused_bytes
    is_small = fuel <= MAX_TOTAL and refused_bytes <= MAX_TOTAL
    if is_small and "".join(texts).isascii():
        return lease
    capsule, label, host = map(storable_text, texts)
    return lease._replace(
        capsule=capsule,
        label=label,
        host=host,
        fuel=min(fuel, MAX_TOTAL),
        largest_refused_bytes=min(refused_bytes, MAX_TOTAL),
    )


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

    def days(self, first: int, last: int, principal: str | None = None) -> list[DayRecord]:
        """What was used on the days from `first` to `last`, split by `accounting.by_day`.

        Whose use each sum is, `accounting.kept_as` says. Each day has at most twice
        `accounting.MAX_NAMED_SUMS` sums, and one for all others.
        """

    def totals(self) -> list[DayRecord]:
        """What was used in all time, by host: sums that never fall, until all is forgotten.

        Accounts may be displaced, and days are forgotten; this is what counters are made of.
        """

    def reset(self, principal: str | None = None) -> int:
        """Forget one account, or all, with the finished and lost leases; the number of accounts.

        What was used on each day is forgotten too. Leases still running stay, and open their
        accounts anew at the next flush with what they use from then on.
        """

    def close(self) -> None:
        """Let go of the store; idempotent."""
