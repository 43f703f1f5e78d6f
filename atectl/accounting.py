"""The core accounting module: who is charged for how much memory, and what a host may use.

Principals, quotas, accounts, the ledger, meters, budgets and pressure. Every command shares it;
it imports the standard library only and does no I/O. It is one module, however long: a rule about
who is charged for what, or about what a host may use, is here and nowhere else.

The records here are named tuples rather than dataclasses because they lie on the way to every
guest: `dataclasses` imports `inspect`, a sixth of a warm start.
"""

import heapq
import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, Self

from atectl.errors import BadPrincipal

MAX_PRINCIPALS = 4096
"""The most accounts a ledger holds."""

MAX_TOTAL = 2**63 - 1
"""Where totals stop: the largest whole number that a store can keep."""

PERIOD_DAYS = 400
"""For how many days a ledger keeps what was used on each."""

MAX_NAMED_SUMS = 4096
"""How many sums of a day are kept by principal, host and label; more are kept by principal alone,
and there are as many of these at most."""

MAX_OWN_SUMS = 64
"""How many of them one principal has at most, so that its labels take no room of others."""

OTHERS = "*"
"""Stands for the hosts, labels and principals that have no sum of their own. No principal is
called that."""

ALL_TIME = -1
"""In place of a day: the sums of all days that ever were, by host. They never fall."""

DAY_S = 86_400
"""A day of UTC."""

TABLE_BYTES_PER_ELEMENT = 32
"""Quota bytes that pay for one table element: 8 bytes held, a quarter of the quota at most."""

UNCHARGED_STATE_BYTES = 64 << 10
"""State of its instances that a lease is not charged for: what every small capsule has, as every
lease has a thread."""

UNCHARGED_CODE_BYTES = 4 << 20
"""What mapped code takes of memory, beside its file, that no lease is charged for: CPython takes
less than one MiB."""

DEFAULT_PRINCIPAL = "default"
"""Who is charged where nobody is named."""

MAX_LABEL_CHARACTERS = 200
"""The longest note that is kept with a lease."""

DEFAULT_MEMORY_BYTES = 64 << 20
"""The memory quota of a lease that names none."""

DEFAULT_DEADLINE_S = 300.0
"""How long a lease may run that names no deadline, and a command under an actor's lock."""

DEFAULT_STACK_BYTES = 512 << 10
"""The size of a guest's own call stack."""

DEFAULT_JOB_OUTPUT_BYTES = 1 << 30
"""What a job of a batch may write to its stdout and stderr together."""

DEFAULT_SOFT = 0.80
"""The fraction of a host's limit above which leases are held back."""

DEFAULT_RESUME = 0.70
"""The fraction of a host's limit below which leases that were held back go on."""

PRINCIPAL_PATTERN = "[A-Za-z0-9_-][A-Za-z0-9_.@/+-]{0,63}"
"""What the whole of a principal's name looks like: as names of users, teams and services do."""

_MUCH_SHARE = 64
"""A limit's part in so many is much to have on disk."""

_PRINCIPAL = re.compile(PRINCIPAL_PATTERN, re.ASCII)
_FOREIGN = "^[.@/+]|[^A-Za-z0-9_.@/+-]"


class Principal(str):
    """Who is charged: 1 to 64 of `A-Z a-z 0-9 _ - . @ / +`, the first of them none of `. @ / +`.

    It is never part of a path.

    Raises:
        BadPrincipal: the name is empty, too long, or has another character (exit 2).
    """

    __slots__ = ()

    def __new__(cls, name: str = DEFAULT_PRINCIPAL) -> Self:
        if _PRINCIPAL.fullmatch(name) is None:
            raise BadPrincipal(_broken_rule(name))
        return super().__new__(cls, name)


def _broken_rule(name: str) -> str:
    if not name:
        return "a principal's name is empty; it has at least 1 character"
    foreign = re.search(_FOREIGN, name)
    if foreign is None:
        return f"a principal's name has {len(name)} characters; it has at most 64"
    return (
        f"principal {name!r} has {foreign[0]!r} at position {foreign.start() + 1}; "
        "only A-Z a-z 0-9 _ - and, behind the first, . @ / + are taken"
    )


class Quota(NamedTuple):
    """What one lease may use. None is unlimited.

    `memory_bytes` covers all its memories together, the initial sizes and the GC heap
    included; `fuel` is the engine's unit of work; `deadline_s` is wall-clock seconds.
    """

    memory_bytes: int
    deadline_s: float | None = None
    fuel: int | None = None

    @property
    def table_elements(self) -> int:
        """The most table elements, all tables of the lease together."""
        return max(self.memory_bytes // TABLE_BYTES_PER_ELEMENT, 1)


class StoreBounds(NamedTuple):
    """What a lease may make of the engine, beside its quota. None of it is memory yet.

    `reserved_bytes` is address space: each memory reserves 4 GiB or its quota, and a guard.
    """

    instances: int = 10_000
    memories: int = 16
    reserved_bytes: int = 128 << 30


DEFAULT_BOUNDS = StoreBounds()


def charged_code_bytes(code_bytes: int) -> int:
    """What of the memory that mapped code takes, beside its file, counts as state of instances."""
    return max(code_bytes - UNCHARGED_CODE_BYTES, 0)


def charged_state_bytes(state_bytes: int) -> int:
    """What a lease is charged, beside its memories, for the state of its instances."""
    return max(state_bytes - UNCHARGED_STATE_BYTES, 0)


class Usage(NamedTuple):
    """What one lease used, or all of an account: totals, and the high-water mark, a maximum."""

    high_water_bytes: int = 0
    fuel: int = 0
    cpu_s: float = 0.0
    byte_seconds: float = 0.0
    leases: int = 0
    refused_growths: int = 0
    traps: int = 0
    compile_cpu_s: float = 0.0

    def since(self, earlier: "Usage") -> "Usage":
        """What is new after `earlier`, never negative; the high-water mark stays absolute."""
        return Usage(
            self.high_water_bytes,
            max(self.fuel - earlier.fuel, 0),
            max(self.cpu_s - earlier.cpu_s, 0.0),
            max(self.byte_seconds - earlier.byte_seconds, 0.0),
            max(self.leases - earlier.leases, 0),
            max(self.refused_growths - earlier.refused_growths, 0),
            max(self.traps - earlier.traps, 0),
            max(self.compile_cpu_s - earlier.compile_cpu_s, 0.0),
        )

    def plus(self, more: "Usage") -> "Usage":
        """Both together; whole numbers stop at `MAX_TOTAL`."""
        return Usage(
            max(self.high_water_bytes, more.high_water_bytes),
            min(self.fuel + more.fuel, MAX_TOTAL),
            self.cpu_s + more.cpu_s,
            self.byte_seconds + more.byte_seconds,
            min(self.leases + more.leases, MAX_TOTAL),
            min(self.refused_growths + more.refused_growths, MAX_TOTAL),
            min(self.traps + more.traps, MAX_TOTAL),
            self.compile_cpu_s + more.compile_cpu_s,
        )


NOTHING_USED = Usage()


class Observation(NamedTuple):
    """One lease as it was seen at one moment, with all it used since it began.

    Totals, not differences: a lease that is seen twice is counted once, and the next observation
    makes up for one that was missed. `peak_bytes` is the most that it was charged, and
    `usage.leases` is 1. No number is over `MAX_TOTAL`.
    """

    lease: str
    principal: str
    peak_bytes: int
    usage: Usage


class Counted(NamedTuple):
    """How much of a lease was counted: its usage as it was last seen, and in which account.

    `account` is the serial number of that account, None as long as the lease never had one.
    """

    usage: Usage = NOTHING_USED
    account: int | None = None


class Account(NamedTuple):
    """One principal's totals.

    `peak_bytes` is the most that any one lease was charged: what it grew over its own
    baseline. The high-water mark of `usage` is the absolute size, which in a store leased before
    includes what an earlier lease grew. `serial` rises with every account that is opened.
    """

    principal: str
    peak_bytes: int = 0
    usage: Usage = NOTHING_USED
    serial: int = 0


def may_displace(newcomer_peak_bytes: int, lowest_peak_bytes: int) -> bool:
    """Whether a newcomer may displace the lowest account of a full ledger.

    Its peak has to be strictly larger, so that a flood of small principals cannot drive out the
    large ones. The lowest account is the one of the lowest peak; of several, the oldest.
    """
    return newcomer_peak_bytes > lowest_peak_bytes


def count(account: Account, seen: Observation, counted: Counted) -> tuple[Account, Counted]:
    """Add to its principal's account what is new of a lease; both as they are then.

    A lease that never had an account brings all it used, any other what it used since it was
    last seen. If its account was displaced, it is one lease more to the account opened anew.
    """
    if counted.account is None:
        new = seen.usage
    elif counted.account == account.serial:
        new = seen.usage.since(counted.usage)
    else:
        new = seen.usage.since(counted.usage._replace(leases=0))
    peak_bytes = max(account.peak_bytes, seen.peak_bytes)
    grown = Account(account.principal, peak_bytes, account.usage.plus(new), account.serial)
    return grown, Counted(seen.usage, account.serial)


def count_nowhere(seen: Observation, counted: Counted) -> Counted:
    """What is counted of a lease that was seen while its principal had no account."""
    return counted._replace(usage=seen.usage)


class Spender(NamedTuple):
    """Whose use a sum of a day is. `OTHERS` stands for all that have no sum of their own."""

    principal: str
    host: str
    label: str


class Sums(NamedTuple):
    """What was used in some time, in whole units: sums, and the peak, a maximum.

    Whole units add up to the same in any order, and each store can count them exactly.
    """

    leases: int = 0
    cpu_us: int = 0
    byte_ms: int = 0
    fuel: int = 0
    refused_growths: int = 0
    peak_bytes: int = 0

    def plus(self, more: "Sums") -> "Sums":
        """Both together; each number stops at `MAX_TOTAL`."""
        return Sums(
            min(self.leases + more.leases, MAX_TOTAL),
            min(self.cpu_us + more.cpu_us, MAX_TOTAL),
            min(self.byte_ms + more.byte_ms, MAX_TOTAL),
            min(self.fuel + more.fuel, MAX_TOTAL),
            min(self.refused_growths + more.refused_growths, MAX_TOTAL),
            max(self.peak_bytes, more.peak_bytes),
        )

    def part(self, share: float) -> "Sums":
        """That part of what takes time: of the CPU time, the byte-seconds and the fuel."""
        cpu_us, byte_ms, fuel = (min(int(each * share), each) for each in self[1:4])
        return Sums(self.leases, cpu_us, byte_ms, fuel, 0, self.peak_bytes)

    def without(self, part: "Sums") -> "Sums":
        """What is left without a part; the peak stays."""
        *left, _ = (a - b for a, b in zip(self, part, strict=True))
        return Sums._make((*left, self.peak_bytes))


def new_sums(seen: Usage, counted: Usage, peak_bytes: int) -> Sums:
    """What is new of a lease since it was last counted, in whole units, and its peak so far.

    It does not depend on accounts: what a lease used is counted, even if it has none.
    """
    cpu_us, byte_ms = whole_units(seen.cpu_s, 1_000_000), whole_units(seen.byte_seconds, 1000)
    if counted is NOTHING_USED:  # so for most: a lease that is told once, as it ends
        return Sums(seen.leases, cpu_us, byte_ms, seen.fuel, seen.refused_growths, peak_bytes)
    return Sums(
        max(seen.leases - counted.leases, 0),
        max(cpu_us - whole_units(counted.cpu_s, 1_000_000), 0),
        max(byte_ms - whole_units(counted.byte_seconds, 1000), 0),
        max(seen.fuel - counted.fuel, 0),
        max(seen.refused_growths - counted.refused_growths, 0),
        peak_bytes,
    )


def whole_units(amount: float, units: int) -> int:
    """An amount in whole units; 0 for a damaged one."""
    return min(int(amount * units + 0.5), MAX_TOTAL) if 0 <= amount < MAX_TOTAL else 0


def by_day(new: Sums, since_s: float, until_s: float) -> list[tuple[int, Sums]]:
    """What was used from one moment to another, split by time at each midnight UTC.

    CPU time, byte-seconds and fuel are split; the parts add up to `new`. A lease is counted on its
    first day, and refused growths on the last, when they were seen. The peak holds for all days: a
    memory never shrinks. Days are counted from 1970; of a longer time there are the last 400.
    """
    until_s = max(until_s, 0.0)
    last = int(until_s // DAY_S)
    # What is no time, or after the end, is no beginning either.
    if last * DAY_S <= since_s <= until_s:
        return [(last, new)]
    since_s = max(since_s if since_s <= until_s else until_s, (last - PERIOD_DAYS + 1) * DAY_S)
    first, left = int(since_s // DAY_S), new
    parts: list[tuple[int, Sums]] = []
    for day in range(first, last):
        midnight_s = (day + 1) * DAY_S
        part = left.part((midnight_s - since_s) / (until_s - since_s))
        parts.append((day, part))
        left, since_s = left.without(part), midnight_s
    return [*parts, (last, left)]


def total_of(host: str) -> Spender:
    """Whose sum of all time is that of a host."""
    return Spender(OTHERS, host, OTHERS)


class DaySums(Protocol):
    """The sums of one day, wherever they are kept."""

    def has(self, spender: Spender) -> bool:
        """Whether there is a sum of exactly this spender."""

    def count(self) -> int:
        """How many sums there are."""

    def count_of(self, principal: str) -> int:
        """How many of them are of this principal."""


def kept_as(spender: Spender, day: DaySums) -> Spender:
    """The spender whose sum of that day is to take what `spender` used.

    Its own, as long as there is room; or else that of its principal, whatever the host and label;
    or else that of all others.
    """
    if day.has(spender):
        return spender
    count = day.count()
    if count < MAX_NAMED_SUMS and day.count_of(spender.principal) < MAX_OWN_SUMS:
        return spender
    principal = Spender(spender.principal, OTHERS, OTHERS)
    if day.has(principal) or count < 2 * MAX_NAMED_SUMS:
        return principal
    return Spender(OTHERS, OTHERS, OTHERS)


class _Row:
    """An account in the ledger; its peak is raised in place, on the way of a growth."""

    __slots__ = ("peak_bytes", "serial", "usage")

    def __init__(self, peak_bytes: int, serial: int) -> None:
        self.peak_bytes = peak_bytes
        self.serial = serial
        self.usage = NOTHING_USED


class Ledger:
    """The accounts of this process, at most `capacity`, safe to use from many threads.

    Each operation is O(log n), amortised: the heap holds one place an account, which may lag
    behind a peak that has risen since and is brought up to date when it reaches the top.
    """

    def __init__(self, capacity: int = MAX_PRINCIPALS) -> None:
        self._capacity = capacity
        self._rows: dict[str, _Row] = {}
        self._heap: list[tuple[int, int, str]] = []  # peak, serial, principal
        self._serial = 0
        self._counted: dict[str, Counted] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def record_peak(self, principal: str, peak_bytes: int) -> None:
        """Raise the principal's peak to `peak_bytes` (absolute, bytes). Zero is ignored."""
        if peak_bytes <= 0:
            return
        with self._lock:
            row = self._rows.get(principal)
            if row is None:
                self._open_account(principal, peak_bytes)
            elif peak_bytes > row.peak_bytes:
                row.peak_bytes = peak_bytes

    def observe(self, seen: Observation, *, is_last: bool = False) -> None:
        """Count what is new of a lease. The ledger remembers the lease until it `is_last`."""
        with self._lock:
            row = self._rows.get(seen.principal)
            row = row or self._open_account(seen.principal, seen.peak_bytes)
            counted = self._counted.pop(seen.lease, Counted())
            if row is None:
                counted = count_nowhere(seen, counted)
            else:
                account, counted = count(self._account(seen.principal), seen, counted)
                row.peak_bytes, row.usage = account.peak_bytes, account.usage
            if not is_last:
                self._counted[seen.lease] = counted

    def peak(self, principal: str) -> int:
        """The principal's peak in bytes; 0 if the ledger does not know it."""
        row = self._rows.get(principal)
        return 0 if row is None else row.peak_bytes

    def account(self, principal: str) -> Account | None:
        """The principal's account now, or None if the ledger does not know it."""
        with self._lock:
            return self._account(principal) if principal in self._rows else None

    def accounts(self) -> list[Account]:
        """Every account, the highest peak first."""
        with self._lock:
            found = [self._account(principal) for principal in self._rows]
        return sorted(found, key=lambda account: (-account.peak_bytes, account.principal))

    def _account(self, principal: str) -> Account:
        row = self._rows[principal]
        return Account(principal, row.peak_bytes, row.usage, row.serial)

    def _open_account(self, principal: str, peak_bytes: int) -> _Row | None:
        """A new account, which displaces the lowest if need be; None if it may not."""
        name = Principal(principal)
        is_full = len(self._rows) >= self._capacity
        if is_full and not may_displace(peak_bytes, self._lowest_peak()):
            return None
        self._serial += 1
        place = (peak_bytes, self._serial, name)
        if is_full:
            del self._rows[heapq.heapreplace(self._heap, place)[2]]
        else:
            heapq.heappush(self._heap, place)
        row = self._rows[name] = _Row(peak_bytes, self._serial)
        return row

    def _lowest_peak(self) -> int:
        """The peak of the lowest account, which is on top of the heap then."""
        while True:
            peak_bytes, serial, name = self._heap[0]
            current = self._rows[name].peak_bytes
            if current == peak_bytes:
                return peak_bytes
            heapq.heapreplace(self._heap, (current, serial, name))


class Reading(NamedTuple):
    """What a meter shows at one moment. Sizes in bytes, of all the lease's memories together.

    `grown_bytes` is the most that was held over the baseline: what the lease is charged.
    `peak_bytes` is the absolute high-water mark.
    """

    current_bytes: int
    peak_bytes: int
    grown_bytes: int
    refused_growths: int
    largest_refused_bytes: int
    byte_seconds: float


class PeakRecorder(Protocol):
    """Where the peaks of principals are recorded as they rise."""

    def record_peak(self, principal: str, peak_bytes: int) -> None: ...


class Meter:
    """The limiter of one lease: told of every growth, it allows or refuses, and records.

    A growth is asked for with `admit` and, once the pages are there, counted with `charge`:
    what the system could not map is never charged. One thread grows a lease and any may read
    it, so there is no lock on the way of a growth: what belongs together is one tuple.

    Args:
        principal: who is charged.
        quota: what the lease may hold.
        ledger: where peaks are recorded as they rise.
        clock: seconds that never go back; byte-seconds are integrated over it.
    """

    def __init__(
        self,
        principal: Principal,
        quota: Quota,
        ledger: PeakRecorder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._held = (0, 0.0, clock())  # bytes, byte-seconds so far, and until when
        self.retarget(principal, quota)

    def retarget(self, principal: Principal, quota: Quota) -> None:
        """Begin a new lease on the same memories: what they hold now is its baseline."""
        self.principal = principal
        self.quota = quota
        self._limit_bytes = quota.memory_bytes
        self._baseline_bytes = self._peak_bytes = self._held[0]
        self._held = (self._baseline_bytes, 0.0, self._clock())
        self._refused_growths = 0
        self._largest_refused_bytes = 0

    def admit(self, old_bytes: int, new_bytes: int) -> bool:
        """Whether one memory may go from `old_bytes` to `new_bytes`; a refusal is counted.

        The quota holds over the sum of the lease's memories. A new memory has `old_bytes` 0.
        """
        asked = new_bytes - old_bytes
        if self._held[0] + asked <= self._limit_bytes:
            return True
        self._largest_refused_bytes = max(self._largest_refused_bytes, asked)
        self._refused_growths += 1
        return False

    def charge(self, old_bytes: int, new_bytes: int) -> None:
        """Count a growth that was admitted and has taken place."""
        before, byte_seconds, since = self._held
        now = self._clock()
        held = before + new_bytes - old_bytes
        self._held = (held, byte_seconds + before * (now - since), now)
        if held > self._peak_bytes:
            self._peak_bytes = held
            self._ledger.record_peak(self.principal, held - self._baseline_bytes)

    def release(self, held_bytes: int) -> None:
        """Count that a memory of `held_bytes` is gone."""
        self.charge(held_bytes, 0)

    def read(self) -> Reading:
        """What the meter shows now."""
        held, byte_seconds, since = self._held
        return Reading(
            held,
            self._peak_bytes,
            self._peak_bytes - self._baseline_bytes,
            self._refused_growths,
            self._largest_refused_bytes,
            byte_seconds + held * (self._clock() - since),
        )


class Pressure(NamedTuple):
    """What the host uses now, never a peak. Granted growth counts before it is touched.

    `resident_bytes` is None where it cannot be read; the charge alone serves then. What compiles
    does so in processes of its own: `compiling_bytes` is what they may come to hold, and they are
    no part of the other sizes. `baseline_of_others_bytes` is the part of the baseline that only
    several leases need, as each principal has processes of its own: with one lease it is gone.
    """

    resident_bytes: int | None
    baseline_bytes: int
    charged_bytes: int
    compiling_bytes: int = 0
    baseline_of_others_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        granted_bytes = self.baseline_bytes + self.charged_bytes
        return max(self.resident_bytes or 0, granted_bytes) + self.compiling_bytes

    @property
    def resident_alone(self) -> "Pressure":
        """What was measured, whatever is granted."""
        return Pressure(self.resident_bytes, 0, 0, self.compiling_bytes)

    @property
    def granted_alone(self) -> "Pressure":
        """What was granted on top of the baseline, touched or not, whatever was measured."""
        return Pressure(None, self.baseline_bytes, self.charged_bytes, self.compiling_bytes)

    def of_one(self, lease_bytes: int) -> "Pressure":
        """The pressure if one lease held so much, and had the host to itself."""
        return Pressure(None, self.baseline_bytes - self.baseline_of_others_bytes, lease_bytes)

    def after(self, added_bytes: int) -> "Pressure":
        """The pressure once `added_bytes` more are charged, and nothing of them is touched yet."""
        return self._replace(charged_bytes=self.charged_bytes + added_bytes)


class Budget(NamedTuple):
    """What the whole host may use. The gates are strict: exactly a threshold is allowed.

    All that compares a size with a threshold is here: each gate is one `over_…_bytes`, and all
    else follows from it.
    """

    limit_bytes: int
    """Most memory of the host process."""
    soft: float = DEFAULT_SOFT
    """The fraction of the limit above which leases are held back, to four decimals."""
    resume: float = DEFAULT_RESUME
    """The fraction of the limit below which they go on, to four decimals."""

    @property
    def soft_bytes(self) -> int:
        return self.limit_bytes * round(self.soft * 10_000) // 10_000

    @property
    def resume_bytes(self) -> int:
        return self.limit_bytes * round(self.resume * 10_000) // 10_000

    # The gates: bytes past each threshold, negative for bytes left below it

    def over_limit_bytes(self, pressure: Pressure) -> int:
        return pressure.total_bytes - self.limit_bytes

    def over_soft_bytes(self, pressure: Pressure) -> int:
        return pressure.total_bytes - self.soft_bytes

    def over_resume_bytes(self, pressure: Pressure) -> int:
        return pressure.total_bytes - self.resume_bytes

    # What follows from them

    def is_over_limit(self, pressure: Pressure) -> bool:
        return self.over_limit_bytes(pressure) > 0

    def is_over_soft(self, pressure: Pressure) -> bool:
        return self.over_soft_bytes(pressure) > 0

    def keeps_reserve(self, pressure: Pressure) -> bool:
        """Whether half of what lies between soft and the limit is left, for what nobody charges."""
        return self.over_soft_bytes(pressure) + self.over_limit_bytes(pressure) <= 0

    def is_near_soft(self, pressure: Pressure) -> bool:
        """Whether it is over soft, or would be with a twentieth of that more."""
        return self.over_soft_bytes(pressure) > -(self.soft_bytes // 20)

    def is_over_resume(self, pressure: Pressure) -> bool:
        return self.over_resume_bytes(pressure) > 0

    def is_below_resume(self, pressure: Pressure) -> bool:
        return self.over_resume_bytes(pressure) < 0

    def room_below_soft_bytes(self, pressure: Pressure, coming_free_bytes: int = 0) -> int:
        """The largest growth after which the pressure is not over soft; negative if none is left.

        While the resident size stays below soft, each growth that is charged takes its own size
        of that room, so that whoever grants many need not work it out each time.

        Args:
            coming_free_bytes: what comes free beforehand, or is spoken for if it is negative.
        """
        over_bytes = self.over_soft_bytes(pressure) - coming_free_bytes
        if over_bytes > 0:
            return -over_bytes
        return coming_free_bytes - self.over_soft_bytes(pressure.granted_alone)

    def is_much_on_disk(self, away_bytes: int) -> bool:
        """Whether what lies on disk is so much that reading it again takes time worth sparing."""
        return away_bytes * _MUCH_SHARE > self.limit_bytes

    def room_to_resume_bytes(self, pressure: Pressure) -> int:
        """Likewise, the largest growth after which the pressure is not over resume."""
        if self.is_over_resume(pressure):
            return -self.over_resume_bytes(pressure)
        return -self.over_resume_bytes(pressure.granted_alone)

    def room_to_compile_bytes(self, pressure: Pressure, *, is_alone: bool) -> int:
        """How much more may be granted to what compiles and needs more than it was taken to need.

        Guests need not wait for it as long as it leaves them some room, between resume and soft.
        If it `is_alone`, with no guest and nothing else that compiles, it may have all up to the
        limit. Negative if that is too much already.
        """
        return -(self.over_limit_bytes(pressure) if is_alone else self.over_resume_bytes(pressure))

    def most_to_compile_bytes(self, baseline_bytes: int) -> int:
        """What compiling one capsule could be granted at most, if it were alone on the host."""
        return -self.over_limit_bytes(Pressure(None, baseline_bytes, 0))

    def is_within(self, size_bytes: int) -> bool:
        """Whether the whole limit is within so many bytes."""
        return self.limit_bytes <= size_bytes

    def can_hold(self, baseline_bytes: int, lease_bytes: int = 0) -> bool:
        """Whether a lease of that size is within the limit, if it is alone on the host."""
        return not self.is_over_limit(Pressure(None, baseline_bytes, lease_bytes))

    def least_limit_bytes(self, wanted_bytes: int) -> int:
        """The smallest limit, in whole MiB, under which `wanted_bytes` are not over soft."""
        wanted = Pressure(None, 0, wanted_bytes)
        mebibytes = int(wanted_bytes / self.soft) >> 20
        while self._replace(limit_bytes=mebibytes << 20).is_over_soft(wanted):
            mebibytes += 1
        return mebibytes << 20
