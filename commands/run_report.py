"""The JSON report of a run, for CI: what `--report` writes."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atectl.errors import AtectlError, ReportUnwritable

from .output import SCHEMA_VERSION, rfc3339

if TYPE_CHECKING:
    from .run import FinishedRun
    from .run_arguments import RunRequest

TO_STDERR = "-"


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
    from atectl.lock_errors import LockBusy

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


def error_json(error: AtectlError) -> dict[str, str]:
    """An error as reports have it."""
    return {"code": error.code, "message": str(error), "remedy": error.remedy}


def check_report_place(place: str) -> None:
    """See, before anything runs, that the report can be written.

    Raises:
        ReportUnwritable: it cannot (exit 125).
    """
    if place == TO_STDERR:
        return
    path = Path(place)
    if path.is_dir():
        raise ReportUnwritable(f"{place!r} is a folder")
    target = path if _is_special(path) else path.parent
    if not target.exists():
        raise ReportUnwritable(f"{str(target)!r} does not exist")
    if not os.access(target, os.W_OK):
        raise ReportUnwritable(f"{str(target)!r} may not be written by this user")


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
        elif _is_special(path):
            path.write_text(text)
        else:
            replace_file(path, text)
    except OSError as error:
        raise ReportUnwritable(f"{place!r}: {error.strerror}") from None


def replace_file(path: Path, text: str) -> None:
    """Write a whole file or none.

    Raises:
        OSError: it could not be written; what was there is as it was.
    """
    # Few runs write a file, and every batch would pay for its import.
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink()
            raise


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
