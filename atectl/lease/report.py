"""The report of a finished run. The results of a batch have parts of it in common."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, NamedTuple

from atectl.accounting import Quota
from atectl.engine.traps import TrapReport
from atectl.errors import AtectlError, CapsuleError, DeadlinePassed
from atectl.lease.outcome import DEADLINE, FAILED, REASONS, REFUSED, Outcome
from atectl.records.errors import ErrorFacts, facts_of
from atectl.records.types import Mark
from atectl.system.walls.wall import Wall
from atectl.units import Moment

if TYPE_CHECKING:
    from atectl.accounting import Reading
    from atectl.capsule.loading import Capsule
    from atectl.lease.lease import Lease

_STATUSES_OF_REFUSAL = (75, 126, 127)
"""Exit statuses of runs that were refused, not failed: the lock is busy, or it is no capsule."""


class Ending(NamedTuple):
    """How a run ended, and whose it was."""

    reason: Annotated[str, REASONS]
    """Why it ended. The exit status alone does not tell: a guest may return any."""
    exit_status: int
    """The exit status, of the guest or of the error that ended it."""
    principal: str
    """Who is charged."""
    capsule: str
    """The file of the capsule, as it was given."""
    quota_bytes: int
    """The most memory that it could hold; 0 for a job that could not be read."""
    exit_code: int | None = None
    """The number that the guest ended with, which may be too large for `exit_status`; null if it
    did not end by itself."""


class Use(NamedTuple):
    """What a run used."""

    peak_bytes: int
    """The most memory that it held."""
    grown_bytes: int
    """What it was charged: the most that it held beyond its own baseline."""
    refused_growths: int
    """How often a growth was refused."""
    largest_refused_bytes: int
    """The largest growth that was refused; 0 if none was."""
    cpu_s: float
    """CPU time of the guest."""
    wall_s: float
    """Its wall-clock time."""
    byte_seconds: float
    """The memory that it held, times how long it held it; for a job of a batch with what its
    process held beside it."""
    fuel: int | None
    """The fuel that it burned; null if none was counted."""


class Loading(NamedTuple):
    """How the capsule was loaded."""

    sha256: str | None
    """The hash of the capsule's file, as it was read; null if it was not."""
    cached: bool | None
    """Whether the capsule had been compiled before, or for another job at the same moment; null if
    it was not loaded."""
    compile_s: float
    """Wall-clock time that judging and compiling the capsule took; 0 if it was cached."""
    compile_cpu_s: float
    """CPU time that this took, which the principal is charged."""
    compile_peak_bytes: int
    """The most memory that this took."""
    image_bytes: int
    """How much of its memory begins as an image of the capsule's data, which all who run it
    share until they change it. What is used has it in full."""


NOT_LOADED = Loading(None, None, 0.0, 0.0, 0, 0)
"""The facts of a run whose capsule was never looked at."""

NO_USE = Use(0, 0, 0, 0, 0.0, 0.0, 0.0, None)
"""The use of a run that was never started."""


class LockFacts(NamedTuple):
    """The actor lock that was held for a run."""

    actor: str
    """The actor, as `ATESPACE/NAME`."""
    key: str
    """The key of the lock."""
    fence: int
    """The number of this holder; each next holder has a higher one."""


class RunReport(NamedTuple):
    """The report of a run that was started."""

    ending: Annotated[Ending, Mark.INLINE]
    """How it ended, and whose it was."""
    label: str
    """The note that it was given; may be empty."""
    use: Annotated[Use, Mark.INLINE]
    """What it used."""
    loading: Annotated[Loading, Mark.INLINE]
    """How its capsule was loaded."""
    lease: str
    """The id of its lease in the ledger."""
    package: str | None
    """The name in the capsule's Capsule.toml; null if it has none."""
    version: str | None
    """The version in the capsule's Capsule.toml; null if it has none."""
    started_at: Moment
    """When it started."""
    trap: TrapReport | None
    """Why and where the guest trapped; null if it did not."""
    results: tuple[str, ...]
    """What the invoked export returned, as text."""
    lock: LockFacts | None
    """The lock that was held for it; null if it ran without `--actor`."""
    walls: tuple[Wall, ...]
    """The walls around it: those that held, and those that could not be put up."""
    warnings: tuple[ErrorFacts, ...]
    """What went wrong without keeping it from running."""
    error: ErrorFacts | None
    """What ended it; null if it ended by itself, or was told to end."""


class RefusalReport(NamedTuple):
    """The report of a run that was never started."""

    ending: Annotated[Ending, Mark.INLINE]
    """Why it was not started, and whose it was."""
    label: str
    """The note that it was given; may be empty."""
    use: Annotated[Use, Mark.INLINE]
    """What it used: nothing."""
    loading: Annotated[Loading, Mark.INLINE]
    """What trying to load its capsule took."""
    error: ErrorFacts
    """What kept it from being started."""
    lease: str | None = None
    """Null: the ledger has no lease of it."""
    package: str | None = None
    """Null: the capsule was not loaded."""
    version: str | None = None
    """Null: the capsule was not loaded."""
    started_at: Moment | None = None
    """Null: it did not start."""
    trap: TrapReport | None = None
    """Null: it did not start."""
    results: tuple[str, ...] = ()
    """Empty: it did not start."""
    lock: LockFacts | None = None
    """Null: no lock is held for it any more."""
    walls: tuple[Wall, ...] = ()
    """Empty: there was nothing to be around."""
    warnings: tuple[ErrorFacts, ...] = ()
    """Empty: it did not come so far."""


Report = RunReport | RefusalReport
"""The report of `atectl run --report`."""


def use_of(reading: "Reading", cpu_s: float, wall_s: float, fuel: int | None) -> Use:
    """What a run used, by its meter and its clocks; `fuel` is None if it was not counted."""
    return Use(
        reading.peak_bytes,
        reading.grown_bytes,
        reading.refused_growths,
        reading.largest_refused_bytes,
        round(cpu_s, 6),
        round(wall_s, 6),
        round(reading.byte_seconds, 3),
        fuel,
    )


def loading_of(capsule: "Capsule | None", error: AtectlError | None = None) -> Loading:
    """How a capsule was loaded, or what the attempt took that ended with `error`."""
    if capsule is not None:
        sha256, image_bytes = capsule.sha256, capsule.image_bytes
        return _loading(capsule, sha256, is_cached=capsule.was_cached, image_bytes=image_bytes)
    if isinstance(error, CapsuleError):
        return _loading(error, error.sha256, is_cached=None)
    return NOT_LOADED if error is None else _loading(error, None, is_cached=None)


def _loading(
    found: "Capsule | AtectlError",
    sha256: str | None,
    *,
    is_cached: bool | None,
    image_bytes: int = 0,
) -> Loading:
    return Loading(
        sha256,
        is_cached,
        round(found.compile_s, 6),
        round(found.compile_cpu_s, 6),
        found.compile_peak_bytes,
        image_bytes,
    )


def run_report(
    lease: "Lease",
    outcome: Outcome,
    capsule: str,
    warnings: Iterable[AtectlError] = (),
    lock: LockFacts | None = None,
    walls: tuple[Wall, ...] = (),
) -> RunReport:
    """The report of a lease that has ended.

    Args:
        outcome: how it ended; not the lease's own outcome if its lock was lost.
        capsule: the file, as it was given.
        warnings: what else went wrong.
        lock: the actor lock that was held for it.
        walls: what was around it.
    """
    terms = lease.terms
    fuel = None if terms.quota.fuel is None else lease.fuel
    return RunReport(
        ending=Ending(
            outcome.reason,
            outcome.exit_status,
            terms.principal,
            capsule,
            terms.quota.memory_bytes,
            outcome.exit_code,
        ),
        label=terms.label,
        use=use_of(lease.read(), lease.cpu_s, lease.wall_s, fuel),
        loading=loading_of(lease.capsule),
        lease=lease.id,
        package=lease.capsule.package,
        version=lease.capsule.version,
        started_at=lease.started_at,
        trap=outcome.trap,
        results=outcome.results,
        lock=lock,
        walls=walls,
        warnings=tuple(map(facts_of, warnings)),
        error=None if outcome.error is None else facts_of(outcome.error),
    )


def refusal_report(
    error: AtectlError,
    principal: str,
    capsule: str,
    quota: Quota,
    label: str,
    ending: tuple[str, int] | None = None,
) -> RefusalReport:
    """The report of a capsule that was never started.

    Args:
        error: why.
        ending: the reason and the exit status of a signal that came before; None without one.
    """
    reason, status = ending or (_reason_of_refusal(error), error.exit_status)
    return RefusalReport(
        ending=Ending(reason, status, principal, capsule, quota.memory_bytes),
        label=label,
        use=NO_USE,
        loading=loading_of(None, error),
        error=facts_of(error),
    )


def _reason_of_refusal(error: AtectlError) -> str:
    if isinstance(error, DeadlinePassed):
        return DEADLINE
    return REFUSED if error.exit_status in _STATUSES_OF_REFUSAL else FAILED
