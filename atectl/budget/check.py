"""Whether a host budget can be met, before anything starts: the figures, and what is wrong."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

from atectl.accounting import Budget, Pressure
from atectl.budget.baseline import Baseline, Sample
from atectl.budget.bounds import never_fitting, over_ceiling, throttled, tight
from atectl.budget.demand import Claim, Demand, claims, demand
from atectl.budget.errors import OvercommittedBudget, UnsatisfiableBudget
from atectl.budget.file import (
    HOST,
    BudgetFile,
    HostSettings,
    refuse_unsatisfiable,
)
from atectl.errors import AtectlError
from atectl.finding import Verdict
from atectl.records.types import Mark
from atectl.spill.errors import SpillFolderUnusable, SpillOntoMemory
from atectl.spill.room import disk_room_bytes, filesystem_of, refuse_memory_backed
from atectl.system.ceilings import DEFAULT_SHARE, Ceiling, ceilings, tightest
from atectl.system.memory import throttled_from
from atectl.units import format_size, show_size


class BudgetVerdict(StrEnum):
    """The result of a check. `skipped`: nothing wrong was found, but not all could be measured."""

    FITS = "fits"
    OVERCOMMITTED = "overcommitted"
    UNSATISFIABLE = "unsatisfiable"
    SKIPPED = "skipped"


class BudgetFinding(NamedTuple):
    """One thing that is or may be wrong."""

    code: str | None
    """The code of the error that it would lead to; null if there is none."""
    severity: Annotated[Verdict, (Verdict.PROBLEM, Verdict.WARNING, Verdict.SKIPPED)]
    """How serious it is; `skipped` is for what could not be found out."""
    message: str
    """What is wrong."""
    remedy: Annotated[str, Mark.EMPTY_IS_UNKNOWN]
    """What to do; null if nothing can be done."""


class Sources(NamedTuple):
    """Where the settings come from: the file, an option, or neither.

    `jobs` is for the number of jobs that run at once; None if there are no jobs.
    """

    limit: str
    soft: str = "the default"
    resume: str = "the default"
    jobs: str | None = None


class SpillRoom(NamedTuple):
    """How much may be spilled; None if nothing is, or if `refusal` says why nothing can be.

    `filesystem` is the type of the folder's file system; None if the system does not tell.
    """

    size_bytes: int | None
    source: str
    filesystem: str | None = None
    refusal: AtectlError | None = None


class Measured(NamedTuple):
    """The figures of a check."""

    host: HostSettings
    budget: Budget
    sources: Sources
    baseline: Baseline
    demand: Demand
    ceiling: Ceiling
    spill_room: SpillRoom
    throttled_bytes: int | None = None

    @property
    def baseline_bytes(self) -> int:
        """The baseline; 0 if it is not known."""
        return self.baseline.resident_bytes or 0

    @property
    def left_bytes(self) -> int:
        """What is left for leases below soft; negative if the baseline alone is over it."""
        return self.budget.room_below_soft_bytes(Pressure(None, self.baseline_bytes, 0))

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
    """A checked budget, with its findings, the most serious first.

    `code` is E312 if it is unsatisfiable. If it is overcommitted, it is E322, or E323 if only the
    host itself is over soft.
    """

    verdict: BudgetVerdict
    code: str | None
    measured: Measured
    findings: tuple[BudgetFinding, ...]


def samples(budget: BudgetFile) -> list[Sample]:
    """Each capsule of a budget file once, with the smallest and the largest of its quotas."""
    found: dict[Path, Sample] = {}
    for claim in claims(budget):
        size_bytes = claim.max_mem_bytes
        known = found.get(claim.capsule, Sample(claim.capsule, size_bytes, size_bytes))
        least, largest = known.least_mem_bytes, known.max_mem_bytes
        found[claim.capsule] = Sample(
            claim.capsule, min(least, size_bytes), max(largest, size_bytes)
        )
    return list(found.values())


def check_budget(
    budget: BudgetFile, host: HostSettings, baseline: Baseline, *, root: str = "/"
) -> BudgetCheck:
    """Compare what is to run under a budget with the memory that there is.

    Args:
        budget: what is to run.
        host: the settings that apply: those of the file, with options taking precedence.
        baseline: what the host itself takes.
        root: the folder that stands for `/`.

    Raises:
        BadBudgetFile: one of its jobs is not valid (exit 2).
    """
    bounds = ceilings(root=root)
    every = claims(budget)
    measured = Measured(
        host=host,
        budget=host.budget(root=root),
        sources=_sources(budget, host, every, bounds),
        baseline=baseline,
        demand=demand(every, host.jobs_at_once),
        ceiling=tightest(bounds),
        spill_room=_spill_room(budget, host, root),
        throttled_bytes=throttled_from(root=root),
    )
    found = [
        *_unmeasured(measured),
        *_about_the_limit(measured),
        *_about_leases(measured, every),
        *_about_capsules(baseline),
        *_about_spilling(measured),
    ]
    found.sort(key=lambda finding: _GRAVITY[finding.severity])
    verdict = _verdict(found)
    code = None
    if verdict is BudgetVerdict.UNSATISFIABLE:
        code = UnsatisfiableBudget.code
    elif verdict is BudgetVerdict.OVERCOMMITTED:
        told = [finding.code for finding in found]
        code = OvercommittedBudget.code if OvercommittedBudget.code in told else told[0]
    return BudgetCheck(verdict, code, measured, tuple(found))


_GRAVITY = {Verdict.PROBLEM: 0, Verdict.WARNING: 1, Verdict.SKIPPED: 2}


def _verdict(found: list[BudgetFinding]) -> BudgetVerdict:
    """The verdict on findings, the most serious first: it is never milder than they are."""
    if not found:
        return BudgetVerdict.FITS
    return {
        Verdict.PROBLEM: BudgetVerdict.UNSATISFIABLE,
        Verdict.WARNING: BudgetVerdict.OVERCOMMITTED,
    }.get(found[0].severity, BudgetVerdict.SKIPPED)


# What is measured


def _sources(
    budget: BudgetFile, host: HostSettings, every: list[Claim], bounds: tuple[Ceiling, ...]
) -> Sources:
    limit = f"none given: {DEFAULT_SHARE:g} of the {tightest(bounds).name}"
    has_jobs = any(not claim.at_once for claim in every)
    return Sources(
        limit=_source(budget, host, "limit", limit),
        soft=_source(budget, host, "soft", Sources("").soft),
        resume=_source(budget, host, "resume", _unsaid_resume(host)),
        jobs=_source(budget, host, "jobs", "as many jobs as cores") if has_jobs else None,
    )


def _unsaid_resume(host: HostSettings) -> str:
    usual = Budget(1)
    if host.resume_share == usual.resume:
        return Sources("").resume
    return f"the default for this soft: {usual.resume / usual.soft:g} of it"


def _source(budget: BudgetFile, host: HostSettings, key: str, otherwise: str) -> str:
    """What sets a key of `[host]`: an option or the file; `otherwise` if neither does."""
    field = HOST.name_of(key)
    if getattr(host, field) != getattr(budget.host, field):
        return f"--{key.replace('_', '-')}"
    return f"{key} in {budget.path}" if key in budget.host_keys else otherwise


def _spill_room(budget: BudgetFile, host: HostSettings, root: str) -> SpillRoom:
    if not host.rules.spills:
        return SpillRoom(None, f"nothing is spilled with backpressure {host.backpressure}")
    try:
        refuse_memory_backed(host.spill_dir, root=root)
        filesystem = filesystem_of(host.spill_dir, root=root)
        room_bytes = disk_room_bytes(host.spill_dir)
    except (SpillFolderUnusable, SpillOntoMemory) as error:
        return SpillRoom(None, str(error), refusal=error)
    source = f"free in {host.spill_dir}, on {filesystem or 'a file system of unknown kind'}"
    if host.spill_cap_bytes is None:
        return SpillRoom(room_bytes, source, filesystem)
    cap = _source(budget, host, "spill_cap", "the cap")
    if host.spill_cap_bytes <= room_bytes:
        source = f"{cap}; {show_size(room_bytes)} are {source}"
        return SpillRoom(host.spill_cap_bytes, source, filesystem)
    source = f"{source}: less than the {show_size(host.spill_cap_bytes)} of {cap}"
    return SpillRoom(room_bytes, source, filesystem)


# What may be wrong


def _problem(error: AtectlError) -> BudgetFinding:
    return BudgetFinding(error.code, Verdict.PROBLEM, str(error), error.remedy)


def _warning(error: AtectlError) -> BudgetFinding:
    return BudgetFinding(error.code, Verdict.WARNING, str(error), error.remedy)


def _skipped(message: str, remedy: str = "") -> BudgetFinding:
    return BudgetFinding(None, Verdict.SKIPPED, message, remedy)


def _unmeasured(measured: Measured) -> Iterator[BudgetFinding]:
    baseline = measured.baseline
    if baseline.resident_bytes is None:
        yield _skipped(
            f"the baseline is not known: {baseline.source}", "state it with --baseline SIZE"
        )
    for gap in baseline.gaps:
        yield _skipped(gap)


def _about_the_limit(measured: Measured) -> Iterator[BudgetFinding]:
    budget, is_guarded = measured.budget, measured.host.is_guarded
    baseline_bytes = measured.baseline_bytes
    try:
        refuse_unsatisfiable(budget, baseline_bytes, is_guarded=is_guarded)
    except UnsatisfiableBudget as error:
        yield _problem(error)
    else:
        too_tight = tight(budget, baseline_bytes, is_guarded=is_guarded)
        if too_tight is not None:
            yield _warning(too_tight)
    too_high = over_ceiling(budget, measured.ceiling)
    if too_high is not None:
        yield _problem(too_high)
    too_slow = throttled(budget, measured.throttled_bytes)
    if too_slow is not None:
        yield _warning(too_slow)


def _about_leases(measured: Measured, every: list[Claim]) -> Iterator[BudgetFinding]:
    if not measured.budget.can_hold(measured.baseline_bytes):  # nothing is left for leases
        if measured.excess_bytes and not measured.host.is_guarded:  # else it is a problem already
            yield _warning(_overcommitted(measured))
        return
    too_large = never_fitting(measured.budget, measured.baseline_bytes, every)
    if too_large is not None:
        yield _problem(too_large)
    elif measured.excess_bytes:
        yield _warning(_overcommitted(measured))


def _overcommitted(measured: Measured) -> OvercommittedBudget:
    left = max(measured.left_bytes, 0)
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
        remedy=_limit_for_all(measured),
    )


def _limit_for_all(measured: Measured) -> str:
    """A remedy: the limit under which nothing is overcommitted, if this machine has so much."""
    wanted = measured.demand.committed_bytes + measured.baseline_bytes
    enough_bytes = measured.budget.least_limit_bytes(wanted)
    ceiling = measured.ceiling
    if ceiling.size_bytes is not None and not ceiling.allows(enough_bytes):
        most = show_size(ceiling.size_bytes)
        return (
            f"lower quotas, or run fewer at once: for all to fit, the limit must be "
            f"{show_size(enough_bytes)}, and the {ceiling.name} allows {most}"
        )
    return f"with a limit of {format_size(enough_bytes)} all fit"


def _about_capsules(baseline: Baseline) -> Iterator[BudgetFinding]:
    for refusal in baseline.refusals:
        severity = Verdict.PROBLEM if refusal.is_certain else Verdict.SKIPPED
        yield BudgetFinding(refusal.code, severity, refusal.message, refusal.remedy)


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
        # A memory that was spilled once keeps its file on disk until it ends.
        what = f"all leases, spilled in turn, may need {show_size(committed_bytes)}"
        yield _warning(OvercommittedBudget(f"{spillable}, and {what}", remedy=remedy))
