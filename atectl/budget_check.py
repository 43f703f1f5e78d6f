"""Whether a host budget can be met, before anything starts: the sum, and what is wrong with it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from atectl.accounting import Budget
from atectl.baseline import Baseline, Sample
from atectl.budget import (
    BudgetFile,
    HostSettings,
    least_limit_bytes,
    refuse_unsatisfiable,
)
from atectl.budget_demand import Claim, Demand, claims, demand
from atectl.errors import (
    AtectlError,
    OvercommittedBudget,
    SpillFolderUnusable,
    SpillOntoMemory,
    TightBudget,
    UnsatisfiableBudget,
)
from atectl.finding import Verdict
from atectl.host_ceilings import DEFAULT_SHARE, Ceiling, ceilings, tightest
from atectl.spill_room import disk_room_bytes, filesystem_of, refuse_memory_backed
from atectl.units import show_size


class BudgetVerdict(StrEnum):
    """What a check comes to. `SKIPPED`: nothing is wrong, but for what could not be measured."""

    FITS = "fits"
    OVERCOMMITTED = "overcommitted"
    UNSATISFIABLE = "unsatisfiable"
    SKIPPED = "skipped"


class BudgetFinding(NamedTuple):
    """One thing that is or may be wrong; `code` is that of its error, None where it has none."""

    severity: Verdict
    code: str | None
    message: str
    remedy: str


class SpillRoom(NamedTuple):
    """How much may be spilled; None where nothing is, or where `refusal` says why nothing can be.

    `filesystem` is what the folder is on; None where the system does not tell.
    """

    size_bytes: int | None
    source: str
    filesystem: str | None = None
    refusal: AtectlError | None = None


class Measured(NamedTuple):
    """The figures of a check."""

    host: HostSettings
    budget: Budget
    limit_source: str
    baseline: Baseline
    demand: Demand
    ceiling: Ceiling
    spill_room: SpillRoom

    @property
    def baseline_bytes(self) -> int:
        """The baseline; 0 where it is not known."""
        return self.baseline.resident_bytes or 0

    @property
    def left_bytes(self) -> int:
        """What is left for leases below soft; negative if the baseline alone is over it."""
        return self.budget.soft_bytes - self.baseline_bytes

    @property
    def excess_bytes(self) -> int:
        """What leases may hold together beyond that."""
        return max(self.demand.committed_bytes - max(self.left_bytes, 0), 0)

    @property
    def overcommit_ratio(self) -> float | None:
        """What is committed, as a multiple of what is left; None if nothing is left."""
        if self.left_bytes <= 0:
            return None
        return self.demand.committed_bytes / self.left_bytes


class BudgetCheck(NamedTuple):
    """A checked budget. `code` is E312 if it is unsatisfiable, E322 if overcommitted."""

    verdict: BudgetVerdict
    code: str | None
    measured: Measured
    findings: tuple[BudgetFinding, ...]


def samples(budget: BudgetFile) -> list[Sample]:
    """Each capsule of a budget file once, under the largest of its quotas."""
    quotas: dict[str, Sample] = {}
    for claim in claims(budget):
        known = quotas.get(str(claim.capsule))
        if known is None or known.max_mem_bytes < claim.max_mem_bytes:
            quotas[str(claim.capsule)] = Sample(claim.capsule, claim.max_mem_bytes)
    return list(quotas.values())


def check_budget(
    budget: BudgetFile, host: HostSettings, baseline: Baseline, *, root: str = "/"
) -> BudgetCheck:
    """Hold what is to run under a budget against what there is.

    Args:
        budget: what is to run.
        host: the settings that count: those of the file, or with some of them replaced.
        baseline: what the host takes by itself.
        root: the folder that stands for `/`.

    Raises:
        BadBudgetFile: one of its jobs is none (exit 2).
    """
    bounds = ceilings(root=root)
    every = claims(budget)
    measured = Measured(
        host=host,
        budget=host.budget(root=root),
        limit_source=_limit_source(budget, host, bounds),
        baseline=baseline,
        demand=demand(every, host.jobs_at_once),
        ceiling=tightest(bounds),
        spill_room=_spill_room(host, root),
    )
    found = [
        *_unmeasured(measured),
        *_about_the_limit(measured),
        *_about_leases(measured, every),
        *_about_capsules(baseline),
        *_about_spilling(measured),
    ]
    verdict = _verdict(found, measured)
    codes = {
        BudgetVerdict.UNSATISFIABLE: UnsatisfiableBudget.code,
        BudgetVerdict.OVERCOMMITTED: OvercommittedBudget.code,
    }
    return BudgetCheck(verdict, codes.get(verdict), measured, tuple(found))


def _verdict(found: list[BudgetFinding], measured: Measured) -> BudgetVerdict:
    if any(finding.severity is Verdict.PROBLEM for finding in found):
        return BudgetVerdict.UNSATISFIABLE
    if measured.excess_bytes:
        return BudgetVerdict.OVERCOMMITTED
    if any(finding.severity is Verdict.SKIPPED for finding in found):
        return BudgetVerdict.SKIPPED
    return BudgetVerdict.FITS


# What is measured


def _limit_source(budget: BudgetFile, host: HostSettings, bounds: tuple[Ceiling, ...]) -> str:
    if host.limit_bytes is None:
        return f"none given: {DEFAULT_SHARE:g} of the {tightest(bounds).name}"
    return f"limit in {budget.path}" if host.limit_bytes == budget.host.limit_bytes else "--limit"


def _spill_room(host: HostSettings, root: str) -> SpillRoom:
    if not host.rules.spills:
        return SpillRoom(None, f"nothing is spilled with backpressure {host.backpressure}")
    try:
        refuse_memory_backed(host.spill_dir, root=root)
        filesystem = filesystem_of(host.spill_dir, root=root)
        room_bytes = disk_room_bytes(host.spill_dir)
    except (SpillFolderUnusable, SpillOntoMemory) as error:
        return SpillRoom(None, str(error), refusal=error)
    if host.spill_cap_bytes is not None and host.spill_cap_bytes <= room_bytes:
        source = f"spill_cap; {show_size(room_bytes)} free in {host.spill_dir}"
        return SpillRoom(host.spill_cap_bytes, source, filesystem)
    source = f"free in {host.spill_dir}, on {filesystem or 'a file system of unknown kind'}"
    return SpillRoom(room_bytes, source, filesystem)


# What may be wrong


def _problem(error: AtectlError) -> BudgetFinding:
    return BudgetFinding(Verdict.PROBLEM, error.code, str(error), error.remedy)


def _warning(error: AtectlError) -> BudgetFinding:
    return BudgetFinding(Verdict.WARNING, error.code, str(error), error.remedy)


def _skipped(message: str, remedy: str = "") -> BudgetFinding:
    return BudgetFinding(Verdict.SKIPPED, None, message, remedy)


def _unmeasured(measured: Measured) -> Iterator[BudgetFinding]:
    baseline = measured.baseline
    if baseline.resident_bytes is None:
        yield _skipped(
            f"the baseline is not known: {baseline.source}", "state it with --baseline SIZE"
        )


def _about_the_limit(measured: Measured) -> Iterator[BudgetFinding]:
    budget, ceiling = measured.budget, measured.ceiling
    baseline_bytes = measured.baseline_bytes
    limit, taken = show_size(budget.limit_bytes), show_size(baseline_bytes)
    try:
        refuse_unsatisfiable(budget, baseline_bytes, is_guarded=measured.host.is_guarded)
    except UnsatisfiableBudget as error:
        yield _problem(error)
    else:
        if budget.soft_bytes < baseline_bytes:
            least = show_size(least_limit_bytes(budget, baseline_bytes))
            what = "leases are parked at once" if measured.host.is_guarded else "it is passed"
            yield _warning(
                TightBudget(
                    f"the host itself takes {taken}, over the soft limit of "
                    f"{show_size(budget.soft_bytes)}: {what}",
                    remedy=f"raise the limit above {least}",
                )
            )
    if ceiling.size_bytes is not None and budget.limit_bytes > ceiling.size_bytes:
        bound = show_size(ceiling.size_bytes)
        yield _problem(
            UnsatisfiableBudget(
                f"the limit of {limit} is over the {bound} that the {ceiling.name} allows",
                remedy=f"lower the limit to {bound} or less, or raise the bound",
            )
        )


def _about_leases(measured: Measured, every: list[Claim]) -> Iterator[BudgetFinding]:
    hard_left = measured.budget.limit_bytes - measured.baseline_bytes
    if hard_left < 0:  # there is nothing to be shared, which was said already
        return
    too_large = [claim for claim in every if claim.max_mem_bytes > hard_left]
    if too_large:
        largest = max(too_large, key=lambda claim: claim.max_mem_bytes)
        number = sum(claim.leases for claim in too_large)
        others = f" ({number} leases are too large)" if number > 1 else ""
        yield _problem(
            UnsatisfiableBudget(
                f"a lease of {largest.capsule.name} could never have its quota of "
                f"{show_size(largest.max_mem_bytes)}: the limit leaves {show_size(hard_left)} "
                f"above the baseline{others}",
                remedy="raise the limit, or lower its max_mem",
            )
        )
    elif measured.excess_bytes:
        yield _warning(_overcommitted(measured))


def _overcommitted(measured: Measured) -> OvercommittedBudget:
    left = max(measured.left_bytes, 0)
    wanted = measured.demand.committed_bytes + measured.baseline_bytes
    means = {
        "both": "it relies on parking and spilling",
        "park": "it relies on parking, and past the limit leases are aborted",
        "spill": "it relies on spilling",
    }
    host = measured.host
    what = means[host.backpressure] if host.is_guarded else "nothing holds leases back"
    number = measured.demand.leases
    committed = show_size(measured.demand.committed_bytes)
    who = "1 lease may hold" if number == 1 else f"{number} leases together may hold"
    return OvercommittedBudget(
        f"{who} {committed}, and {show_size(left)} is left below soft: {what}",
        remedy=f"with a limit of {show_size(least_limit_bytes(measured.budget, wanted))} all fit",
    )


def _about_capsules(baseline: Baseline) -> Iterator[BudgetFinding]:
    for refusal in baseline.refusals:
        yield BudgetFinding(Verdict.PROBLEM, refusal.code, refusal.message, refusal.remedy)


def _about_spilling(measured: Measured) -> Iterator[BudgetFinding]:
    folder, room = measured.host.spill_dir, measured.spill_room
    if room.refusal is not None:
        yield _problem(room.refusal)
    if room.size_bytes is None:
        return
    if room.filesystem is None:
        yield _skipped(
            f"whether {folder} is on a real disk is not known",
            "see that it is: memory that is spilled into memory is not freed",
        )
    remedy = "name a folder on a larger disk with --spill-dir, or raise --spill-cap"
    committed_bytes, excess_bytes = measured.demand.committed_bytes, measured.excess_bytes
    spillable = f"{show_size(room.size_bytes)} can be spilled ({room.source})"
    if room.size_bytes < excess_bytes:
        what = f"leases may hold {show_size(excess_bytes)} more than is left below soft"
        yield _problem(UnsatisfiableBudget(f"{spillable}, and {what}", remedy=remedy))
    elif excess_bytes and room.size_bytes < committed_bytes:
        # The file behind a memory stays as long as the memory does.
        what = f"all leases, spilled in turn, may need {show_size(committed_bytes)}"
        yield _warning(OvercommittedBudget(f"{spillable}, and {what}", remedy=remedy))
