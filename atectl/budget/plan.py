"""A host budget that is recommended from what the ledger has recorded."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from atectl.accounting import Budget, Principal
from atectl.budget.baseline import Baseline
from atectl.budget.file import BudgetFile
from atectl.ledger_store.records import AccountRecord, LeaseRecord
from atectl.records.types import Mark
from atectl.units import Moment, format_size

DEFAULT_HEADROOM = 0.15
"""How much is added to the highest peak, as a fraction of it."""

_MIB = 1 << 20


class PrincipalPlan(NamedTuple):
    """What one principal's leases held, and the quota that is recommended for each of them."""

    principal: str
    """Who is charged."""
    samples: int
    """How many leases were recorded."""
    since: Moment
    """The time of the first record."""
    until: Moment
    """The time of the last record."""
    peak_bytes: int
    """The most memory that one of them held, as a quota counts it."""
    refused_growths: int
    """How often a growth was refused."""
    wanted_bytes: int
    """The most that one lease wanted: what it held, and the largest growth that it was refused."""
    is_cut_off: bool
    """Whether that lease was refused a growth, so that others may want even more."""
    headroom_bytes: int
    """What is added to that."""
    max_mem_bytes: int
    """The quota that is recommended: never more than this machine has."""
    left_out_bytes: int = 0
    """The largest growth that was refused and is left out, as no quota here could allow it."""


class Plan(NamedTuple):
    """A budget that is recommended from what the ledger has recorded.

    Its limit is such that all that was held at the same time stays below soft, headroom included.
    So does the largest quota.
    """

    headroom: float
    """How much is added to a peak, as a fraction of it."""
    principals: tuple[PrincipalPlan, ...]
    """The quotas, by principal."""
    together_leases: int
    """How many leases ran when the most was held at the same time."""
    together_bytes: int
    """How much these held."""
    baseline_bytes: int | None
    """What a host itself takes; null if that is not known."""
    baseline_source: str
    """How the baseline was found, or why it is not known."""
    limit_bytes: int | None
    """The limit that is recommended; null if the baseline is not known."""


class Change(NamedTuple):
    """One value of a budget in use, and the recommended one."""

    key: str
    """Its key in a budget file."""
    in_use_bytes: int | None
    """The value in use; null if it is not set."""
    planned_bytes: int | None
    """The recommended value; null if there is none."""


class ComparedPlan(NamedTuple):
    """A budget that is recommended from what the ledger has recorded, compared with one in use."""

    plan: Annotated[Plan, Mark.INLINE]
    """What is recommended."""
    changes: tuple[Change, ...]
    """Where the two differ."""


PlanReport = Plan | ComparedPlan
"""What `atectl budget plan` recommends; with `--diff` also what that would change."""


def recommend(
    accounts: Iterable[AccountRecord],
    leases: Iterable[LeaseRecord],
    *,
    headroom: float = DEFAULT_HEADROOM,
    baseline: Baseline,
    ceiling_bytes: int | None = None,
    ignores_refused: bool = False,
) -> Plan:
    """A budget from the accounts of a ledger and the leases that it remembers.

    Args:
        headroom: what is added to a peak, as a fraction of it.
        baseline: what a host itself takes.
        ceiling_bytes: the most that one process may have on this machine; None if that is not
            known. No more is recommended, and a refused growth past it is left out.
        ignores_refused: leave all refused growths out.
    """
    most_bytes = 0 if ignores_refused else ceiling_bytes
    known = list(leases)
    remembered: dict[str, list[LeaseRecord]] = defaultdict(list)
    for lease in known:
        remembered[lease.principal].append(lease)
    plans = [
        _capped(
            _plan_of(account, remembered[account.principal], headroom, most_bytes), ceiling_bytes
        )
        for account in sorted(accounts, key=lambda account: account.principal)
        if max(account.high_water_bytes, account.peak_bytes)
    ]
    together_leases, together_bytes = most_together(known)
    limit_bytes = None
    baseline_bytes = baseline.resident_bytes
    if baseline_bytes is not None:
        together = together_bytes + _headroom(together_bytes, headroom)
        largest_quota = max((each.max_mem_bytes for each in plans), default=0)
        wanted = baseline_bytes + max(together, largest_quota)
        limit_bytes = Budget(1).least_limit_bytes(wanted)
        if ceiling_bytes is not None:
            limit_bytes = min(limit_bytes, ceiling_bytes)
    return Plan(
        headroom,
        tuple(plans),
        together_leases,
        together_bytes,
        baseline_bytes,
        baseline.source,
        limit_bytes,
    )


def most_together(leases: Iterable[LeaseRecord]) -> tuple[int, int]:
    """The most that leases held at the same time: how many there were, and how much they held.

    Each counts with its high-water mark from its start to its end.
    """
    events = []
    for lease in leases:
        end = lease.updated_at if lease.finished_at is None else lease.finished_at
        events.append((lease.started_at, 1, lease.high_water_bytes))
        events.append((max(end, lease.started_at), -1, -lease.high_water_bytes))
    running = held = 0
    most = (0, 0)
    # At the same moment, starts come first, so that a lease without a duration counts as well.
    for _, count, size_bytes in sorted(events, key=lambda event: (event[0], -event[1])):
        running += count
        held += size_bytes
        if held > most[1]:
            most = (running, held)
    return most


def to_tables(plan: Plan) -> dict[str, Any]:
    """The plan as the tables of a budget file."""
    tables: dict[str, Any] = {}
    if plan.limit_bytes is not None:
        tables["host"] = {"limit": format_size(plan.limit_bytes)}
    tables["principals"] = {
        each.principal: {"max_mem": format_size(each.max_mem_bytes)} for each in plan.principals
    }
    return tables


def changes(plan: Plan, budget: BudgetFile) -> list[Change]:
    """Where the plan and a budget in use differ, the limit first, then by principal.

    A principal without a table has the defaults. One that is not in the ledger has no
    recommendation.
    """
    planned = {each.principal: each.max_mem_bytes for each in plan.principals}
    found = [Change("host.limit", budget.host.limit_bytes, plan.limit_bytes)]
    found += [
        Change(
            f"principals.{_key(name)}.max_mem",
            budget.defaults.allowance(Principal(name)).memory_bytes,
            planned.get(name),
        )
        for name in sorted({*budget.defaults.principals, *planned})
    ]
    return [change for change in found if change.in_use_bytes != change.planned_bytes]


def _key(name: str) -> str:
    """A name as TOML takes it in a dotted key."""
    is_bare = name.replace("-", "_").isidentifier() or name.isdecimal()
    return name if is_bare else f'"{name}"'


def _capped(plan: PrincipalPlan, ceiling_bytes: int | None) -> PrincipalPlan:
    """The plan with no larger quota than the machine could grant."""
    if ceiling_bytes is None or plan.max_mem_bytes <= ceiling_bytes:
        return plan
    most_bytes = ceiling_bytes // _MIB * _MIB or ceiling_bytes
    spare_bytes = max(most_bytes - plan.wanted_bytes, 0)
    return plan._replace(max_mem_bytes=most_bytes, headroom_bytes=spare_bytes)


def _plan_of(
    account: AccountRecord, leases: list[LeaseRecord], headroom: float, most_bytes: int | None
) -> PrincipalPlan:
    peak_bytes = max(account.high_water_bytes, account.peak_bytes)
    wanted_bytes, is_cut_off = _wanted(account, leases, peak_bytes, most_bytes)
    left_out = [x.largest_refused_bytes for x in leases if _is_outlier(x, most_bytes)]
    headroom_bytes = _headroom(wanted_bytes, headroom)
    return PrincipalPlan(
        principal=account.principal,
        samples=account.leases,
        since=min([account.since, *(lease.started_at for lease in leases)]),
        until=account.updated_at,
        peak_bytes=peak_bytes,
        refused_growths=account.refused_growths,
        wanted_bytes=wanted_bytes,
        is_cut_off=is_cut_off,
        headroom_bytes=headroom_bytes,
        max_mem_bytes=-(-(wanted_bytes + headroom_bytes) // _MIB) * _MIB,
        left_out_bytes=max(left_out, default=0),
    )


def _wanted(
    account: AccountRecord, leases: list[LeaseRecord], peak_bytes: int, most_bytes: int | None
) -> tuple[int, bool]:
    """The most that one lease wanted, and whether it was refused a growth.

    If the lease with the peak is no longer remembered, its own refusals are not known. It counts
    as refused if the account has more refusals than all remembered leases together.
    """
    most_bytes, was_refused = max(
        ((_wanted_by(lease, most_bytes), lease.refused_growths > 0) for lease in leases),
        default=(0, False),
    )
    if most_bytes >= peak_bytes:
        return most_bytes, was_refused
    remembered = sum(lease.refused_growths for lease in leases)
    return peak_bytes, account.refused_growths > remembered


def _wanted_by(lease: LeaseRecord, most_bytes: int | None) -> int:
    counts = lease.refused_growths and not _is_outlier(lease, most_bytes)
    return _held_by(lease) + (lease.largest_refused_bytes if counts else 0)


def _is_outlier(lease: LeaseRecord, most_bytes: int | None) -> bool:
    """Whether a refused growth says nothing of what is needed: nobody could have granted it.

    Some programs ask for a terabyte at first, and make do with less.
    """
    if not lease.refused_growths or most_bytes is None:
        return False
    return _held_by(lease) + lease.largest_refused_bytes > most_bytes


def _held_by(lease: LeaseRecord) -> int:
    return max(lease.high_water_bytes, lease.peak_bytes)


def _headroom(size_bytes: int, headroom: float) -> int:
    return -(-size_bytes * round(headroom * 10_000) // 10_000)
