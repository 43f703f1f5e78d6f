"""What a batch says of each job: one JSON object, with the fields of `run --report` and its own."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atectl.accounting import Reading
from atectl.errors import AtectlError, BadResults
from atectl.jobs import Submission

from .output import SCHEMA_VERSION
from .run_report import error_json

if TYPE_CHECKING:
    from atectl.arbiter import Ruling
    from atectl.batch import JobResult

SUCCEEDED = ("exited", 0)
"""Reason and exit status of a job that did what it was to do."""

_NOTHING_USED = Reading(0, 0, 0, 0, 0, 0.0)


def result_of_job(submission: Submission, result: "JobResult", quota_bytes: int) -> dict[str, Any]:
    """The result of a job that was run."""
    outcome = result.outcome
    return {
        **_head(submission, outcome.reason, outcome.exit_status, quota_bytes),
        **_use(result.reading, result.cpu_s, result.wall_s),
        "trap": outcome.trap and outcome.trap._asdict(),
        "results": list(outcome.results),
        "error": outcome.error and error_json(outcome.error),
        "decisions": [_decision(ruling) for ruling in result.rulings],
    }


def result_of_refusal(submission: Submission, error: AtectlError) -> dict[str, Any]:
    """The result of a job that could not be read."""
    return {
        **_head(submission, "refused", error.exit_status, 0),
        **_use(_NOTHING_USED, 0.0, 0.0),
        "trap": None,
        "results": [],
        "error": error_json(error),
        "decisions": [],
    }


def is_success(result: dict[str, Any]) -> bool:
    """Whether the guest ended by itself, with exit status 0."""
    return (result.get("reason"), result.get("exit_status")) == SUCCEEDED


def _head(
    submission: Submission, reason: str, exit_status: int, quota_bytes: int
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "job": submission.number,
        "digest": submission.digest,
        "label": submission.label,
        "reason": reason,
        "exit_status": exit_status,
        "principal": submission.principal,
        "capsule": submission.capsule,
        "quota_bytes": quota_bytes,
    }


def _use(reading: Reading, cpu_s: float, wall_s: float) -> dict[str, Any]:
    return {
        "peak_bytes": reading.peak_bytes,
        "grown_bytes": reading.grown_bytes,
        "refused_growths": reading.refused_growths,
        "largest_refused_bytes": reading.largest_refused_bytes,
        "cpu_s": round(cpu_s, 6),
        "wall_s": round(wall_s, 6),
        "byte_seconds": round(reading.byte_seconds, 3),
        "fuel": None,
    }


def _decision(ruling: "Ruling") -> dict[str, Any]:
    return {
        "at_s": round(ruling.at_s, 6),
        "action": ruling.action.value,
        "bytes": ruling.bytes,
        "freed_bytes": ruling.freed_bytes,
        "pressure_bytes": ruling.pressure_bytes,
        "reason": ruling.reason,
    }


class DoneBefore:
    """The jobs that succeeded in an earlier batch, each as often as it did.

    A job is known again by its digest, so that neither its place nor the order of its keys
    matters.
    """

    def __init__(self, digests: Iterable[str] = ()) -> None:
        self._left = Counter(digests)

    def take(self, submission: Submission) -> bool:
        """Whether this job was done; each success counts for one job."""
        if self._left[submission.digest] <= 0:
            return False
        self._left[submission.digest] -= 1
        return True


def read_done(path: Path) -> DoneBefore:
    """The successes among the result lines of a file.

    A last line without its end is left out: the batch that wrote it was cut off there.

    Raises:
        BadResults: it cannot be read, or another line is no result (exit 2).
    """
    try:
        with path.open("rb") as file:
            return DoneBefore(_successes(path, file))
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from None


def _successes(path: Path, lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return
        try:
            result = json.loads(line)
            succeeded, digest = is_success(result), result["digest"]
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            raise BadResults(f"{path}: line {number} is no result of a batch") from None
        if succeeded and isinstance(digest, str) and digest:
            yield digest
