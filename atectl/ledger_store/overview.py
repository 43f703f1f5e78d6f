"""What the ledger answers at one moment: about everybody, one principal, or a reset."""

import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from atectl.errors import UnknownPrincipal, nearest
from atectl.ledger_store.records import (
    HISTORY_LEASES,
    LOST,
    AccountRecord,
    LeaseRecord,
    LedgerStore,
)
from atectl.ledger_store.results import LeaseEntry
from atectl.system.memory import HostMemory, host_memory, resident_bytes
from atectl.system.processes import process_identity
from atectl.units import Stored


class Overview(NamedTuple):
    """A ledger and this machine at one moment.

    `accounts` are those of `live_accounts`; `leases` are the running ones, the oldest first,
    lost ones left out. `resident_bytes` is what the processes on this machine that run them
    hold together, None if none of them can be read. `taken_at` is in seconds since 1970.
    """

    accounts: list[AccountRecord]
    leases: list[LeaseRecord]
    memory: HostMemory
    resident_bytes: int | None
    taken_at: float


class AccountDetails(NamedTuple):
    """One account in full, with its leases."""

    account: AccountRecord
    """The account."""
    running: tuple[LeaseEntry, ...]
    """Its leases that have not finished, the oldest first."""
    history: tuple[LeaseEntry, ...]
    """Its latest leases that have finished, the newest first."""


class ResetEffect(NamedTuple):
    """What a reset would do: how much it would forget, and how many running leases it keeps."""

    accounts: int
    finished_leases: int
    running_leases: int


class GroupBy(StrEnum):
    """What accounts, or the leases that run, are listed by."""

    principal = "principal"
    host = "host"
    capsule = "capsule"


class RunningGroup(NamedTuple):
    """What runs on one host, or of one capsule."""

    name: str
    """The name of the host, or of the capsule."""
    principals: int
    """How many principals these leases are of."""
    running_leases: int
    """How many leases run."""
    current_bytes: int
    """The memory that they hold now, together."""
    quota_bytes: int
    """Their quotas together."""
    peak_bytes: int
    """The most that one of them was charged."""
    refused_growths: int
    """How often a growth was refused."""
    cpu_s: Stored
    """CPU time of their guests."""


class GroupList(NamedTuple):
    """What runs now, by host or by capsule."""

    groups: tuple[RunningGroup, ...]
    """Those that hold the most memory first."""


def running_by(store: LedgerStore, by: GroupBy, host: str | None = None) -> GroupList:
    """What runs now by host or by capsule; on one host only, if one is given.

    Raises:
        LedgerError: the store cannot be read (exit 125).
    """
    return groups_of(_alive(store, host), by)


def groups_of(running: Iterable[LeaseRecord], by: GroupBy) -> GroupList:
    """These leases by host or by capsule."""
    found: dict[str, list[LeaseRecord]] = {}
    for lease in running:
        found.setdefault(lease.host if by is GroupBy.host else lease.capsule, []).append(lease)
    groups = [_group(name, leases) for name, leases in found.items()]
    return GroupList(tuple(sorted(groups, key=lambda group: (-group.current_bytes, group.name))))


def _group(name: str, leases: list[LeaseRecord]) -> RunningGroup:
    return RunningGroup(
        name=name,
        principals=len({lease.principal for lease in leases}),
        running_leases=len(leases),
        current_bytes=sum(lease.current_bytes for lease in leases),
        quota_bytes=sum(lease.quota_bytes for lease in leases),
        peak_bytes=max(lease.peak_bytes for lease in leases),
        refused_growths=sum(lease.refused_growths for lease in leases),
        cpu_s=sum(lease.cpu_s for lease in leases),
    )


def take_overview(
    store: LedgerStore, principal: str | None = None, host: str | None = None
) -> Overview:
    """The ledger and this machine now; of one principal or host only, if one is given.

    Raises:
        LedgerError: the store cannot be read (exit 125).
    """
    accounts, running = store.accounts(), _alive(store, host)
    accounts = accounts if host is None else _on_one_host(accounts, running)
    resident = resident_of_hosts(running)
    if principal is not None:
        accounts = [account for account in accounts if account.principal == principal]
        running = [lease for lease in running if lease.principal == principal]
    return Overview(live_accounts(accounts, running), running, host_memory(), resident, time.time())


def accounts_now(store: LedgerStore, host: str | None = None) -> list[AccountRecord]:
    """The accounts of `live_accounts`, for what runs now; if a host is given, what runs there.

    Raises:
        LedgerError: the store cannot be read (exit 125).
    """
    running = _alive(store, host)
    accounts = store.accounts()
    if host is not None:
        accounts = _on_one_host(accounts, running)
    return live_accounts(accounts, running)


def _on_one_host(
    accounts: Iterable[AccountRecord], running: Iterable[LeaseRecord]
) -> list[AccountRecord]:
    """The accounts of which leases run there, with what these hold. Totals are of all hosts."""
    held: dict[str, list[int]] = {}
    for lease in running:
        held.setdefault(lease.principal, []).append(lease.current_bytes)
    return [
        account._replace(
            running_leases=len(held[account.principal]), current_bytes=sum(held[account.principal])
        )
        for account in accounts
        if account.principal in held
    ]


def account_details(store: LedgerStore, principal: str, recent: int) -> AccountDetails:
    """One account with its leases, of the finished ones the `recent` latest.

    Raises:
        UnknownPrincipal: it has no account (exit 1).
        LedgerError: the store cannot be read (exit 125).
    """
    account = _known_account(store, principal)
    running = [lease for lease in store.running() if lease.principal == principal]
    ended = [lease for lease in store.history(principal, recent) if lease.finished_at is not None]
    return AccountDetails(account, tuple(running), tuple(ended))


def effect_of_reset(store: LedgerStore, principal: str | None = None) -> ResetEffect:
    """What it would do to reset the account of `principal`, or all accounts.

    Raises:
        UnknownPrincipal: it has no account (exit 1).
        LedgerError: the store cannot be read (exit 125).
    """
    if principal is not None:
        _known_account(store, principal)
    running = [lease for lease in _alive(store) if principal in (None, lease.principal)]
    return ResetEffect(
        accounts=len(store.accounts()) if principal is None else 1,
        finished_leases=len(store.history(principal, HISTORY_LEASES)),
        running_leases=len(running),
    )


def live_accounts(
    accounts: Iterable[AccountRecord], running: Iterable[LeaseRecord]
) -> list[AccountRecord]:
    """The accounts, each with the quotas of its running leases together as its quota.

    So current bytes and quota speak of the same leases; an account of which nothing runs
    keeps the quota of its latest lease. A principal that the full ledger keeps no account of
    appears as long as it runs, with what its running leases used.
    """
    by_principal: dict[str, list[LeaseRecord]] = {}
    for lease in running:
        by_principal.setdefault(lease.principal, []).append(lease)
    live = []
    for account in accounts:
        leases = by_principal.pop(account.principal, None)
        if leases is not None:
            quota_bytes = sum(lease.quota_bytes for lease in leases) or account.quota_bytes
            account = account._replace(quota_bytes=quota_bytes)
        live.append(account)
    return live + [_account_of(leases) for leases in by_principal.values()]


def resident_of_hosts(
    running: Iterable[LeaseRecord],
    *,
    resident: Callable[[int], int | None] = resident_bytes,
    identity: Callable[[int], str | None] = process_identity,
) -> int | None:
    """Resident bytes of the processes here that run these leases, each counted once.

    None if there is none, or none that may be read. A process of another machine or container
    with the pid of one here is told apart by its identity.
    """
    hosts = {(lease.pid, lease.process) for lease in running}
    known = [
        size
        for pid, process in hosts
        if identity(pid) == process and (size := resident(pid)) is not None
    ]
    return sum(known) if known else None


def _alive(store: LedgerStore, host: str | None = None) -> list[LeaseRecord]:
    """The leases that run: an unfinished lease whose process has ended does not."""
    return [
        lease for lease in store.running() if lease.state != LOST and host in (None, lease.host)
    ]


def _known_account(store: LedgerStore, principal: str) -> AccountRecord:
    account = store.account(principal)
    if account is None:
        known = [each.principal for each in store.accounts()]
        near = nearest(principal, known)
        raise UnknownPrincipal(f"there is no account of {principal!r}{near}")
    return account


def _account_of(leases: list[LeaseRecord]) -> AccountRecord:
    latest = max(leases, key=lambda lease: lease.started_at)
    return AccountRecord(
        principal=latest.principal,
        peak_bytes=max(lease.peak_bytes for lease in leases),
        high_water_bytes=max(lease.high_water_bytes for lease in leases),
        quota_bytes=sum(lease.quota_bytes for lease in leases),
        running_leases=len(leases),
        current_bytes=sum(lease.current_bytes for lease in leases),
        refused_growths=sum(lease.refused_growths for lease in leases),
        leases=len(leases),
        cpu_s=sum(lease.cpu_s for lease in leases),
        compile_cpu_s=sum(lease.compile_cpu_s for lease in leases),
        byte_seconds=sum(lease.byte_seconds for lease in leases),
        fuel=sum(lease.fuel for lease in leases),
        traps=sum(lease.trapped for lease in leases),
        last_capsule=latest.capsule,
        since=min(lease.started_at for lease in leases),
        updated_at=max(lease.updated_at for lease in leases),
    )
