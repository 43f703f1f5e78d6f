"""The JSON report of a run, for CI: what `--report` writes."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atectl.errors import AtectlError, ReportUnwritable
from atectl.system.files import is_special, replace_file

from ..output.files import TO_STDERR
from ..output.stderr import error_json
from ..output.stdout import SCHEMA_VERSION, rfc3339

if TYPE_CHECKING:
    from .arguments import RunRequest
    from .finished import FinishedRun


def report_of_run(finished: "FinishedRun") -> dict[str, Any]:
    """The report of a lease that was started."""
    lease, outcome = finished.lease, finished.outcome
    reading = lease.read()
    return _report(
        finished.request,
        outcome.reason,
        outcome.exit_status,
        outcome.error,
        peak_bytes=reading.peak_bytes,
        grown_bytes=reading.grown_bytes,
        refused_growths=reading.refused_growths,
        largest_refused_bytes=reading.largest_refused_bytes,
        cpu_s=round(lease.cpu_s, 6),
        wall_s=round(lease.wall_s, 6),
        byte_seconds=round(reading.byte_seconds, 3),
        fuel=None if finished.request.quota.fuel is None else lease.fuel,
        lease=lease.id,
        started_at=rfc3339(lease.started_at),
        trap=outcome.trap and outcome.trap._asdict(),
        results=list(outcome.results),
        lock=finished.lock and finished.lock.facts(),
        warnings=[error_json(warning) for warning in finished.warnings],
    )


def report_of_refusal(request: "RunRequest", error: AtectlError) -> dict[str, Any]:
    """The report of a capsule that was never started."""
    from atectl.locks.errors import LockBusy

    was_refused = error.exit_status in (126, 127) or isinstance(error, LockBusy)
    reason = "refused" if was_refused else "failed"
    return _report(
        request,
        reason,
        error.exit_status,
        error,
        peak_bytes=0,
        grown_bytes=0,
        refused_growths=0,
        largest_refused_bytes=0,
        cpu_s=0.0,
        wall_s=0.0,
        byte_seconds=0.0,
        fuel=None,
    )


def _report(
    request: "RunRequest", reason: str, status: int, error: AtectlError | None, **figures: Any
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "reason": reason,
        "exit_status": status,
        "principal": request.principal,
        "capsule": request.capsule,
        "quota_bytes": request.quota.memory_bytes,
        "label": request.label,
        **figures,
        "error": error and error_json(error),
    }


def write_report(place: str, report: dict[str, Any]) -> None:
    """Write a report: to stderr, into a pipe or device, or as a whole file or none.

    Raises:
        ReportUnwritable: it could not be written (exit 125).
    """
    text = json.dumps(report, indent=2) + "\n"
    path = Path(place)
    try:
        if place == TO_STDERR:
            sys.stderr.write(text)
        elif is_special(path):
            path.write_text(text)
        else:
            replace_file(path, text)
    except OSError as error:
        raise ReportUnwritable(f"{place!r}: {error.strerror}") from None
