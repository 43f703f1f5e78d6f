"""What a batch says of each job: one JSON object, with the fields of `run --report` and its own."""

from typing import TYPE_CHECKING, Any

from atectl.budget.jobs import Submission, in_words_of_a_job
from atectl.engine.meter import Reading
from atectl.errors import AtectlError
from atectl.lease.outcome import SUCCESS

from ..output.stderr import error_json
from ..output.stdout import SCHEMA_VERSION

if TYPE_CHECKING:
    from atectl.arbitration.seat import Ruling
    from atectl.batch.job import JobResult

_NOTHING_USED = Reading(0, 0, 0, 0, 0, 0.0)


def result_of_job(submission: Submission, result: "JobResult", quota_bytes: int) -> dict[str, Any]:
    """The result of a job that was run."""
    outcome = result.outcome
    return {
        **_head(submission, outcome.reason, outcome.exit_status, quota_bytes),
        **_use(result.reading, result.cpu_s, result.wall_s),
        "trap": outcome.trap and outcome.trap._asdict(),
        "results": list(outcome.results),
        "error": outcome.error and _error(outcome.error),
        "decisions": [_decision(ruling) for ruling in result.rulings],
    }


def result_of_refusal(submission: Submission, error: AtectlError) -> dict[str, Any]:
    """The result of a job that could not be read."""
    return {
        **_head(submission, "refused", error.exit_status, 0),
        **_use(_NOTHING_USED, 0.0, 0.0),
        "trap": None,
        "results": [],
        "error": _error(error),
        "decisions": [],
    }


def is_success(result: dict[str, Any]) -> bool:
    """Whether the guest ended by itself, with exit status 0."""
    return (result.get("reason"), result.get("exit_status")) == SUCCESS


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


def _error(error: AtectlError) -> dict[str, Any]:
    """The error, with its remedy for who writes jobs rather than command lines of `run`."""
    told = error_json(error)
    return {**told, "remedy": in_words_of_a_job(told["remedy"])}


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
