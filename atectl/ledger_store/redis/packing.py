"""How leases, accounts and sums of days are written in Redis; `lua/flush.lua` has the other half.

Whole numbers have eight bytes, the highest first: the server adds them without loss.
"""

import json
import struct
from types import NoneType

from atectl.accounting import ALL_TIME, Sums, Usage, whole_units
from atectl.ledger_store.records import LOST, AccountRecord, DayRecord, LeaseRecord

_NUMBERS = struct.Struct(">B10Q2d")
_ACCOUNT = struct.Struct(">8s10Q8sdd")
_LEASE = struct.Struct(">9s8s16s64sdd")
_SUMS = struct.Struct(">6Q")
_ACCOUNT_NUMBERS = struct.Struct(">10Q")

_US, _MS = 1_000_000, 1000

_TEXTS = frozenset({"id", "principal", "capsule", "label", "host", "process", "state"})
_MAYBE_TEXTS = frozenset({"reason", "sha256"})
_MAYBE_NUMBERS = frozenset({"finished_at", "exit_status", "cached"})


def _kinds_of(name: str) -> tuple[type, ...]:
    if name in _TEXTS:
        return (str,)
    if name in _MAYBE_TEXTS:
        return (str, NoneType)
    return (int, float, NoneType) if name in _MAYBE_NUMBERS else (int, float)


_KINDS = tuple(map(_kinds_of, LeaseRecord._fields))
"""What each field of a lease may be."""


class Damaged(ValueError):
    """What is there was not written by an atectl."""


def numbers_of(lease: LeaseRecord) -> bytes:
    """What the server counts of a lease."""
    return _NUMBERS.pack(
        lease.finished_at is not None,
        lease.peak_bytes,
        *_whole(lease.observation.usage),
        lease.quota_bytes,
        lease.started_at,
        lease.updated_at,
    )


def _whole(usage: Usage) -> tuple[int, ...]:
    return (
        usage.high_water_bytes,
        usage.fuel,
        whole_units(usage.cpu_s, _US),
        whole_units(usage.byte_seconds, _MS),
        usage.leases,
        usage.refused_growths,
        usage.traps,
        whole_units(usage.compile_cpu_s, _US),
    )


def record_of(lease: LeaseRecord) -> bytes:
    """A lease, to be read back as it is."""
    return json.dumps(lease, separators=(",", ":")).encode()


def lease_of(name: bytes, stored: bytes) -> tuple[LeaseRecord, int, str]:
    """The lease of this id, its number among all that the server has heard of, and its session.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        _, born, session, *_ = _LEASE.unpack_from(stored)
        _, _, record = stored[_LEASE.size :].partition(b"\0")
        fields = json.loads(record)
        lease = LeaseRecord._make(fields)
    except (struct.error, ValueError, TypeError, RecursionError):
        raise _damaged_lease(name, stored) from None
    if not all(map(isinstance, lease, _KINDS)):
        raise _damaged_lease(name, stored)
    return lease, int.from_bytes(born), session.decode("ascii", "replace")


def _damaged_lease(name: bytes, stored: bytes) -> Damaged:
    principal = stored[_LEASE.size :].partition(b"\0")[0]
    return Damaged(f"the lease {_text(name)!r} of {_text(principal)!r}")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")


def as_lost(lease: LeaseRecord) -> LeaseRecord:
    """A lease whose host is gone."""
    return lease._replace(state=LOST, reason=LOST)


def account_of(principal: bytes, stored: bytes, running: list[LeaseRecord]) -> AccountRecord:
    """An account, with what its running leases hold.

    Raises:
        Damaged: it cannot be read.
    """
    name = _text(principal)
    try:
        (
            _,
            peak,
            high,
            fuel,
            cpu,
            byte_ms,
            leases,
            refused,
            traps,
            compiling,
            quota,
            _,
            since,
            at,
        ) = _ACCOUNT.unpack_from(stored)
    except struct.error:
        raise Damaged(f"the account of {name!r}") from None
    return AccountRecord(
        principal=name,
        peak_bytes=peak,
        high_water_bytes=high,
        quota_bytes=quota,
        running_leases=len(running),
        current_bytes=sum(lease.current_bytes for lease in running) if running else 0,
        refused_growths=refused,
        leases=leases,
        cpu_s=cpu / _US,
        compile_cpu_s=compiling / _US,
        byte_seconds=byte_ms / _MS,
        fuel=fuel,
        traps=traps,
        last_capsule=_text(stored[_ACCOUNT.size :]),
        since=since,
        updated_at=at,
    )


def merged_account(source: str, account: AccountRecord) -> tuple[str | bytes | int, ...]:
    """The words of an account of another ledger, for `lua/merge.lua`."""
    usage = Usage(
        account.high_water_bytes,
        account.fuel,
        account.cpu_s,
        account.byte_seconds,
        account.leases,
        account.refused_growths,
        account.traps,
        account.compile_cpu_s,
    )
    # An account that was opened anew is another.
    name = f"{source}:account:{account.principal}:{account.since!r}"
    numbers = _ACCOUNT_NUMBERS.pack(account.peak_bytes, *_whole(usage), account.quota_bytes)
    return name, "account", 0, account.principal, "", "", account.last_capsule, numbers


def merged_day(source: str, day: DayRecord) -> tuple[str | bytes | int, ...]:
    """The words of a sum of another ledger, for `lua/merge.lua`."""
    name = f"{source}:{day.day}:{day.principal}\0{day.host}\0{day.label}"
    kind = "total" if day.day == ALL_TIME else "day"
    sums = _SUMS.pack(*day[-len(Sums._fields) :])
    return name, kind, day.day, day.principal, day.host, day.label, "", sums


def day_of(day: int, stored: dict[bytes, bytes]) -> list[DayRecord]:
    """The sums of one day, in the order of their spenders.

    Raises:
        Damaged: they cannot be read.
    """
    found = []
    for field, packed in stored.items():
        if field[:1] == b"\0":  # how many sums there are
            continue
        try:
            principal, host, label = _text(field).split("\0", 2)
            found.append(DayRecord(day, principal, host, label, *Sums(*_SUMS.unpack(packed))))
        except (struct.error, ValueError):
            raise Damaged("a sum of a day") from None
    return sorted(found)
