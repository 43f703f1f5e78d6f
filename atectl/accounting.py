"""The core accounting module: who is charged for how much memory, and what a host may use.

Principals, quotas, meters, accounts, the ledger, budgets and pressure. Every command shares
it; it imports the standard library only and does no I/O.

The records here are named tuples rather than dataclasses because they lie on the way to every
guest: `dataclasses` imports `inspect`, a sixth of a warm start.
"""

import heapq
import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from atectl.errors import BadPrincipal

MAX_PRINCIPALS = 4096
"""The most accounts a ledger holds. Source: seeds/memory-ledger.txt."""

TABLE_BYTES_PER_ELEMENT = 32
"""Quota bytes that pay for one table element: 8 bytes held, a quarter of the quota at most."""

DEFAULT_PRINCIPAL = "default"
"""Who is charged where nobody is named."""

DEFAULT_MEMORY_BYTES = 64 << 20
"""The memory quota of a lease that names none."""

DEFAULT_DEADLINE_S = 300.0
"""How long a lease may run that names no deadline, and a command under an actor's lock."""

DEFAULT_STACK_BYTES = 512 << 10
"""The size of a guest's own call stack."""

DEFAULT_SOFT = 0.80
"""The fraction of a host's limit above which leases are held back."""

DEFAULT_RESUME = 0.70
"""The fraction of a host's limit below which leases that were held back go on."""

_PRINCIPAL = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)


class Principal(str):
    """Who is charged: 1 to 64 of `A-Z a-z 0-9 _ -`.

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
    foreign = _FOREIGN.search(name)
    if foreign is None:
        return f"a principal's name has {len(name)} characters; it has at most 64"
    return (
        f"principal {name!r} has {foreign[0]!r} at position {foreign.start() + 1}; "
        "only A-Z a-z 0-9 _ and - are taken"
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


class Usage(NamedTuple):
    """What is added to an account: sums, and the absolute high-water mark by maximum."""

    high_water_bytes: int = 0
    fuel: int = 0
    cpu_s: float = 0.0
    byte_seconds: float = 0.0
    leases: int = 0
    refused_growths: int = 0
    traps: int = 0


class Account(NamedTuple):
    """One principal's totals.

    `peak_bytes` is the most that any one lease was charged: what it grew over its own
    baseline. `high_water_bytes` is the absolute size beside it, which in a store leased before
    includes what an earlier leaseholder grew.
    """

    principal: str
    peak_bytes: int
    usage: Usage


class _Entry:
    __slots__ = ("peak_bytes", "usage")

    def __init__(self, peak_bytes: int) -> None:
        self.peak_bytes = peak_bytes
        self.usage = Usage()


class Ledger:
    """All accounts of this process, bounded, safe to use from many threads.

    When it is full, a newcomer displaces the account with the lowest peak only if its own is
    strictly higher, so that a flood of small principals cannot drive out the large ones.
    Each operation is O(log n), amortised: the heap holds one entry an account, which may lag
    behind a peak that has risen since and is brought up to date when it reaches the top.
    """

    def __init__(self, capacity: int = MAX_PRINCIPALS) -> None:
        self._capacity = capacity
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._arrivals = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def record_peak(self, principal: str, peak_bytes: int) -> None:
        """Raise the principal's peak to `peak_bytes` (absolute, bytes). Zero is ignored."""
        if peak_bytes <= 0:
            return
        with self._lock:
            entry = self._entries.get(principal)
            if entry is None:
                self._admit(principal, peak_bytes)
            elif peak_bytes > entry.peak_bytes:
                entry.peak_bytes = peak_bytes

    def add(self, principal: str, usage: Usage) -> None:
        """Add `usage` to the principal's account, if the ledger keeps one for it."""
        with self._lock:
            entry = self._entries.get(principal) or self._admit(principal, 0)
            if entry is None:
                return
            old = entry.usage
            entry.usage = Usage(
                max(old.high_water_bytes, usage.high_water_bytes),
                old.fuel + usage.fuel,
                old.cpu_s + usage.cpu_s,
                old.byte_seconds + usage.byte_seconds,
                old.leases + usage.leases,
                old.refused_growths + usage.refused_growths,
                old.traps + usage.traps,
            )

    def peak(self, principal: str) -> int:
        """The principal's peak in bytes; 0 if the ledger does not know it."""
        entry = self._entries.get(principal)
        return 0 if entry is None else entry.peak_bytes

    def account(self, principal: str) -> Account | None:
        """The principal's account now, or None if the ledger does not know it."""
        with self._lock:
            entry = self._entries.get(principal)
            return None if entry is None else Account(principal, entry.peak_bytes, entry.usage)

    def accounts(self) -> list[Account]:
        """Every account, the highest peak first."""
        with self._lock:
            found = [Account(name, e.peak_bytes, e.usage) for name, e in self._entries.items()]
        return sorted(found, key=lambda account: (-account.peak_bytes, account.principal))

    def _admit(self, principal: str, peak_bytes: int) -> _Entry | None:
        """Open an account, displacing the lowest if the ledger is full; None if it may not."""
        name = Principal(principal)
        full = len(self._entries) >= self._capacity
        if full and peak_bytes <= self._lowest_peak():
            return None
        self._arrivals += 1
        place = (peak_bytes, self._arrivals, name)
        if full:
            del self._entries[heapq.heapreplace(self._heap, place)[2]]
        else:
            heapq.heappush(self._heap, place)
        entry = self._entries[name] = _Entry(peak_bytes)
        return entry

    def _lowest_peak(self) -> int:
        heap = self._heap
        while True:
            peak_bytes, arrival, name = heap[0]
            current = self._entries[name].peak_bytes
            if current == peak_bytes:
                return peak_bytes
            heapq.heapreplace(heap, (current, arrival, name))


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
        ledger: Ledger,
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

    `resident_bytes` is None where it cannot be read; the charge alone serves then.
    Source: arbitration.md.
    """

    resident_bytes: int | None
    baseline_bytes: int
    charged_bytes: int

    @property
    def total_bytes(self) -> int:
        return max(self.resident_bytes or 0, self.baseline_bytes + self.charged_bytes)

    @property
    def resident_alone(self) -> "Pressure":
        """What was measured, whatever is granted."""
        return Pressure(self.resident_bytes, 0, 0)

    @property
    def granted_alone(self) -> "Pressure":
        """What was granted on top of the baseline, touched or not, whatever was measured."""
        return Pressure(None, self.baseline_bytes, self.charged_bytes)

    def after(self, added_bytes: int) -> "Pressure":
        """The pressure once `added_bytes` more are charged, and nothing of them is touched yet."""
        return self._replace(charged_bytes=self.charged_bytes + added_bytes)


class Budget(NamedTuple):
    """What the whole host may use. The gates are strict: exactly a threshold is allowed.

    `soft` and `resume` are fractions of `limit_bytes`, to four decimals. All that compares a
    size with a threshold is here: each gate is one `over_…_bytes`, and all else follows from it.
    Source: seeds/bounded-memory.txt.
    """

    limit_bytes: int
    soft: float = DEFAULT_SOFT
    resume: float = DEFAULT_RESUME

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

    def is_over_resume(self, pressure: Pressure) -> bool:
        return self.over_resume_bytes(pressure) > 0

    def is_below_resume(self, pressure: Pressure) -> bool:
        return self.over_resume_bytes(pressure) < 0

    def room_below_soft_bytes(self, pressure: Pressure) -> int:
        """The largest growth after which the pressure is not over soft; negative if none is left.

        While the resident size stays below soft, each growth that is charged takes its own size
        of that room, so that whoever grants many need not work it out each time.
        """
        if self.is_over_soft(pressure):
            return -self.over_soft_bytes(pressure)
        return -self.over_soft_bytes(pressure.granted_alone)

    def can_hold(self, baseline_bytes: int, lease_bytes: int = 0) -> bool:
        """Whether a lease of that size is within the limit, if it is alone on the host."""
        return not self.is_over_limit(Pressure(None, baseline_bytes, lease_bytes))

    def least_limit_bytes(self, wanted_bytes: int) -> int:
        """The smallest limit, in whole MiB, under which `wanted_bytes` are not over soft."""
        wanted = Pressure(None, 0, wanted_bytes)
        mebibytes = max(int(wanted_bytes / self.soft) >> 20, 0)
        while self._replace(limit_bytes=mebibytes << 20).is_over_soft(wanted):
            mebibytes += 1
        return mebibytes << 20
