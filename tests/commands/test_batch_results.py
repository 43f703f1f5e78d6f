"""Results of a batch: their fields, and how a later batch knows what is done."""

import json
from pathlib import Path
from typing import Any

import pytest

from atectl.accounting import Reading
from atectl.arbiter import Ruling
from atectl.arbitration import Action
from atectl.batch import JobResult
from atectl.commands.batch_results import (
    DoneBefore,
    is_success,
    read_done,
    result_of_job,
    result_of_refusal,
)
from atectl.errors import BadJob, BadResults
from atectl.jobs import JobDefaults, Submission, submit
from atectl.outcome import exited

REPORT_FIELDS = {
    "schema_version", "reason", "exit_status", "principal", "capsule", "quota_bytes",
    "peak_bytes", "grown_bytes", "refused_growths", "largest_refused_bytes", "cpu_s",
    "wall_s", "byte_seconds", "fuel",
}  # fmt: skip
OWN_FIELDS = {"label", "job", "decisions"}


def submission(number: int = 1, **table: Any) -> Submission:
    return submit(number, {"capsule": "a.wasm", **table}, JobDefaults())


def finished(job: int = 1, status: int = 0) -> JobResult:
    ruling = Ruling(1.25, Action.SPILL, job, 8, 4, 900, "over soft: largest")
    reading = Reading(0, 131_072, 131_072, 1, 65_536, 2.5)
    return JobResult(job, exited(status), reading, 0.5, 0.75, 0, (ruling,))


def test_a_result_has_the_fields_of_a_report_and_its_own() -> None:
    result = result_of_job(submission(7, label="x", principal="p"), finished(7), 64 << 20)
    assert set(result) >= REPORT_FIELDS | OWN_FIELDS
    assert (result["job"], result["label"], result["principal"]) == (7, "x", "p")
    assert (result["reason"], result["exit_status"], result["quota_bytes"]) == (
        "exited", 0, 64 << 20,
    )  # fmt: skip
    assert (result["peak_bytes"], result["refused_growths"]) == (131_072, 1)
    assert result["decisions"] == [
        {
            "at_s": 1.25,
            "action": "spill",
            "bytes": 8,
            "freed_bytes": 4,
            "pressure_bytes": 900,
            "reason": "over soft: largest",
        }
    ]


def test_a_job_that_could_not_be_read_has_the_same_fields_and_its_error() -> None:
    bad = submission(3, label="x", max_mem="?")
    assert isinstance(bad.job, BadJob)
    result = result_of_refusal(bad, bad.job)
    assert set(result) == set(result_of_job(submission(), finished(), 0))
    assert (result["reason"], result["exit_status"], result["label"]) == ("refused", 2, "x")
    assert result["error"]["code"] == "E330"


def test_only_the_guests_own_zero_is_success() -> None:
    assert is_success(result_of_job(submission(), finished(), 0))
    assert not is_success(result_of_job(submission(), finished(status=1), 0))
    assert not is_success({"reason": "deadline", "exit_status": 124})


# Resuming


def line_of(job: Submission, status: int = 0) -> str:
    return json.dumps(result_of_job(job, finished(job.number, status), 0)) + "\n"


def test_a_job_that_succeeded_is_done(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission(1, label="a")) + line_of(submission(2, label="b"), 1))
    done = read_done(path)
    assert done.take(submission(1, label="a"))
    assert not done.take(submission(2, label="b"))


def test_a_job_is_known_again_at_another_place(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission(1, label="a")))
    assert read_done(path).take(submission(99, label="a"))


def test_each_success_stands_for_one_of_several_equal_jobs() -> None:
    done = DoneBefore([submission().digest, submission().digest])
    assert [done.take(submission(n)) for n in range(3)] == [True, True, False]


def test_a_last_line_that_was_cut_off_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission(1, label="a")) + line_of(submission(2, label="b"))[:-20])
    done = read_done(path)
    assert done.take(submission(1, label="a"))
    assert not done.take(submission(2, label="b"))


@pytest.mark.parametrize("line", ["{", "7", "[]", "{}", '{"reason": "exited"}', "\0"])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission()) + line + "\n")
    with pytest.raises(BadResults, match="line 2 is no result of a batch"):
        read_done(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadResults, match="No such file"):
        read_done(tmp_path / "missing.jsonl")
