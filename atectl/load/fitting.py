"""Whether a capsule that can be loaded could start under a quota, or where a host budget has it."""

from collections.abc import Callable
from pathlib import Path

from atectl.budget.demand import claims
from atectl.budget.file import BudgetFile
from atectl.load.results import UNFIT, LoadedCapsule
from atectl.units import format_size, show_size

Judge = Callable[[LoadedCapsule], LoadedCapsule]


def fits_quota(quota_bytes: int) -> Judge:
    """Judges whether a capsule starts under a quota."""

    def judge(row: LoadedCapsule) -> LoadedCapsule:
        return _judged(row, quota_bytes, f"over the {format_size(quota_bytes)} that it is to fit")

    return judge


def fits_budget(budget: BudgetFile) -> Judge:
    """Judges whether a capsule starts with what a host budget grants it, and within its limit.

    That is the least of its entries and jobs in the file; without any, what a lease is granted
    that says nothing.

    Raises:
        BadBudgetFile: one of its jobs is none (exit 2).
    """
    granted: dict[Path, int] = {}
    for claim in claims(budget):
        path = claim.capsule.resolve()
        granted[path] = min(claim.max_mem_bytes, granted.get(path, claim.max_mem_bytes))
    usual_bytes = budget.defaults.general.memory_bytes
    limit_bytes = budget.host.budget().limit_bytes

    def judge(row: LoadedCapsule) -> LoadedCapsule:
        own_bytes = granted.get(Path(row.path).resolve(), usual_bytes)
        row = _judged(row, own_bytes, f"over the {format_size(own_bytes)} of {budget.path}")
        return _judged(row, limit_bytes, f"over the host's limit of {show_size(limit_bytes)}")

    return judge


def fits_all(judges: list[Judge]) -> Judge:
    """Judges by all of these, and the first that says no is told."""

    def judge(row: LoadedCapsule) -> LoadedCapsule:
        for each in judges:
            row = each(row)
        return row

    return judge


def _judged(row: LoadedCapsule, most_bytes: int, over: str) -> LoadedCapsule:
    needed_bytes = row.min_memory_bytes
    if not row.is_ok or needed_bytes is None or needed_bytes <= most_bytes:
        return row
    reason = f"{Path(row.path).name} needs {format_size(needed_bytes)} to start, {over}"
    return row._replace(verdict=UNFIT, reason=reason)
