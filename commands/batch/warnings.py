"""What a batch warns of, and runs nevertheless."""

from functools import lru_cache
from typing import TYPE_CHECKING

from atectl.accounting import DEFAULT_PRINCIPAL
from atectl.budget.jobs import Job
from atectl.errors import AtectlError

from ..output.stderr import report_warning
from .source import JobSource

if TYPE_CHECKING:
    from atectl.budget.demand import Claim
    from atectl.budget.file import HostSettings
    from atectl.engine.wasi import Folder


def warn_of_budget(host: "HostSettings", source: JobSource, baseline_bytes: int | None) -> None:
    """Warn of a limit that is over what the machine has, near the baseline or below a quota.

    Also of one that the kernel slows the host down before.

    None of these keeps jobs from running: a quota is the most that a guest may use.

    Args:
        baseline_bytes: what the host takes by itself, not above the limit if leases are held back.
            If it is None, not known, only the limit of the machine is compared.
    """
    from atectl.budget.bounds import never_fitting, over_ceiling, throttled, tight
    from atectl.system.ceilings import ceilings, tightest
    from atectl.system.memory import throttled_from

    budget = host.budget()
    found: list[AtectlError | None] = [
        over_ceiling(budget, tightest(ceilings())),
        throttled(budget, throttled_from()),
    ]
    if baseline_bytes is not None:
        found.append(tight(budget, baseline_bytes, is_guarded=host.is_guarded))
        if budget.can_hold(baseline_bytes):
            found.append(never_fitting(budget, baseline_bytes, _claims(source)))
    for warning in found:
        if warning is not None:
            report_warning(warning)


def warn_of_job(job: Job, *, has_pool: bool) -> None:
    """Warn of what a job can do with devices in its folders, and of a principal's default."""
    for folder in job.wasi.folders:
        _warn_of_devices(folder)
    if has_pool and job.principal == DEFAULT_PRINCIPAL:
        _warn_of_shared_stores()


@lru_cache(maxsize=1)
def _warn_of_shared_stores() -> None:
    """Warn once that jobs without a principal of their own share what is kept in a pool."""
    from atectl.budget.errors import SharedStores

    report_warning(
        SharedStores(
            f"jobs that name no principal are all {DEFAULT_PRINCIPAL}'s, so that with --pool one "
            "finds in globals and memory what another has left"
        )
    )


@lru_cache(maxsize=256)  # many jobs have the same folder: it is looked at, and warned of, once
def _warn_of_devices(folder: "Folder") -> None:
    """Warn of devices and pipes in the folder of a job, which its guest can use."""
    from atectl.engine.wasi import devices_in

    warning = devices_in(folder)
    if warning is not None:
        report_warning(warning)


def _claims(source: JobSource) -> "list[Claim]":
    """What the jobs of a budget file may hold. Lines are still to be read."""
    if not source.capsules:
        return []
    from atectl.budget.demand import Claim

    jobs = (each.job for each in source.submissions if isinstance(each.job, Job))
    return [
        Claim(job.capsule, job.principal, job.quota.memory_bytes, 1, at_once=False) for job in jobs
    ]
