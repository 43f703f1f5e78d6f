"""The baseline: how much memory a host process takes before any guest runs.

It is measured in a child process that starts the engine, loads the capsules as a host does, and
instantiates each once without running it.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from atectl.budget.errors import BaselineUnmeasured
from atectl.capsule.limits import DEFAULT_LIMITS, CompileLimits
from atectl.ledger_store.records import LOST, SPILLED, LeaseRecord
from atectl.system.apart import Apart, ApartFailed
from atectl.system.memory import resident_bytes
from atectl.system.processes import process_identity
from atectl.units import show_size

TIMEOUT_S = 120.0
"""How long the child may take; compiling a large capsule takes seconds."""

START_S = 5.0
"""How long one capsule may take to be instantiated, its start function included."""


class Sample(NamedTuple):
    """A capsule to be instantiated, and the smallest and largest of its quotas.

    The smallest shows whether it can start; under the largest its memory is measured.
    """

    path: Path
    least_mem_bytes: int
    max_mem_bytes: int


class Refusal(NamedTuple):
    """A capsule that could not be instantiated, with the error that running it would give.

    `is_certain` is false if instantiating it took too long: a run of it may succeed.
    """

    path: Path
    code: str
    message: str
    remedy: str
    is_certain: bool = True


class Baseline(NamedTuple):
    """What the host itself takes; None if it could not be measured, and `source` says why.

    `gaps` lists what else could not be found out, each as a sentence. It `may_be_more` if the
    memory of leases was subtracted, since not all of that need be resident.
    """

    resident_bytes: int | None
    source: str
    refusals: tuple[Refusal, ...] = ()
    gaps: tuple[str, ...] = ()
    may_be_more: bool = False


def stated(size_bytes: int) -> Baseline:
    """The baseline that the operator gave."""
    return Baseline(size_bytes, "as stated")


def unmeasured(reason: str) -> Baseline:
    """A baseline that is not known."""
    return Baseline(None, reason)


def of_process(pid: int, running: Iterable[LeaseRecord] | None) -> Baseline:
    """The resident bytes of a running host, without what its leases hold.

    Args:
        running: the unfinished leases in the ledger; None without a ledger.

    Raises:
        BaselineUnmeasured: there is no such process, or it may not be read (exit 125).
    """
    resident = resident_bytes(pid)
    if not resident:  # a process that has ended and waits to be reaped has no memory
        raise BaselineUnmeasured(f"there is no process {pid} whose memory could be read")
    source = f"resident size of process {pid}"
    if running is None:
        told = f"no ledger tells how much of the {show_size(resident)} of process {pid} is leases'"
        gap = f"{told}: without them it may take more than an idle host"
        return Baseline(None, told, gaps=(gap,))
    leases = [lease for lease in running if _is_run_by(pid, lease)]
    if not leases:
        return Baseline(resident, f"{source}; the ledger knows no lease of it")
    held = sum(lease.current_bytes for lease in leases if lease.state != SPILLED)
    noun = "lease" if len(leases) == 1 else "leases"
    less = f"{show_size(resident)}, less the {show_size(held)} of its {len(leases)} {noun}"
    return Baseline(max(resident - held, 0), f"{source}, {less}", may_be_more=True)


def _is_run_by(pid: int, lease: LeaseRecord) -> bool:
    if lease.pid != pid or lease.state == LOST:
        return False
    # Processes of other hosts, and processes that have ended, may have the same pid. A host may go
    # by any name in the ledger; what identifies a process is unique.
    identity = process_identity(pid)
    return lease.host == os.uname().nodename if identity is None else lease.process == identity


def not_below(baseline: Baseline, measured: Baseline) -> Baseline:
    """The baseline of a running host, or what was `measured` of an idle one if that is better.

    It is better if the first is not known, or if it is less after its leases were subtracted.
    """
    if measured.resident_bytes is None:
        return baseline
    source = f"{measured.source}; {baseline.source}"
    if baseline.resident_bytes is not None:
        if not baseline.may_be_more or measured.resident_bytes <= baseline.resident_bytes:
            return baseline
        source += ", would be less"
    return baseline._replace(resident_bytes=measured.resident_bytes, source=source)


def with_trials(baseline: Baseline, trial: Baseline) -> Baseline:
    """`baseline` with the refusals and gaps that instantiating its capsules has shown.

    Args:
        trial: the result of `measure`.
    """
    gaps = baseline.gaps + trial.gaps
    if trial.resident_bytes is None and not trial.refusals:
        gaps += (f"whether the capsules can start was not tried: {trial.source}",)
    return baseline._replace(refusals=trial.refusals, gaps=gaps)


def measure(
    samples: Iterable[Sample],
    *,
    program: Iterable[str] = (),
    forked: Iterable[str] = (),
    compiling: CompileLimits = DEFAULT_LIMITS,
    timeout_s: float = TIMEOUT_S,
    start_s: float = START_S,
) -> Baseline:
    """The resident bytes of a host that has instantiated each of `samples` and has run none.

    What is not in the cache is compiled by processes that have ended before anything is measured.

    Args:
        program: the names of other modules that the host has imported.
        forked: those that the process has imported which forks its cells.
        compiling: what a capsule may cost that is not in the cache.
        timeout_s: how long measuring may take.
        start_s: how long each capsule may take to be instantiated.
    """
    asked = {
        "program": list(program),
        "forked": list(forked),
        "start_s": start_s,
        "compiling": list(compiling),
    }
    wanted = list(samples)
    try:
        answer = _ask_child({**asked, "capsules": _told(wanted)}, timeout_s)
        refusals = _refusals(answer)
    except ApartFailed as error:
        return Baseline(None, f"the measuring process failed: {error}")
    if answer["resident_bytes"] is None:
        return Baseline(None, "the system does not tell what a process holds", refusals)
    number = answer["instantiated"]
    noun = "capsule" if number == 1 else "capsules"
    source = f"measured: a process with the engine up and {number} {noun} instantiated"
    return Baseline(answer["resident_bytes"], source, refusals)


def _ask_child(asked: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    answer: dict[str, Any] = Apart("atectl.budget.baseline_child").ask(asked, timeout_s)
    return answer


def _told(samples: Sequence[Sample]) -> list[list[Any]]:
    return [[str(each.path), each.least_mem_bytes, each.max_mem_bytes] for each in samples]


def _refusals(answer: dict[str, Any]) -> tuple[Refusal, ...]:
    return tuple(Refusal(Path(path), *rest) for path, *rest in answer["refusals"])
