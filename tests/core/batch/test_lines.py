"""Results of a batch: their fields."""

from typing import Any

from atectl.accounting import Quota, Reading
from atectl.arbitration.seat import Ruling
from atectl.arbitration.view import Action
from atectl.batch.cells.outputs import Captured, Output
from atectl.batch.job import JobResult
from atectl.batch.lines import ResultLine, result_of_job, result_of_refusal
from atectl.budget.errors import BadJob
from atectl.budget.jobs import JobDefaults, Submission, submit
from atectl.lease.outcome import Outcome, exited, told_to_end
from atectl.records.as_json import document

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
    line = result_of_job(submission(7, label="x", principal="p"), finished(7), 64 << 20)
    result = document(line)
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
    result = document(result_of_refusal(bad, bad.job))
    assert set(result) == set(document(result_of_job(submission(), finished(), 0)))
    assert (result["reason"], result["exit_status"], result["label"]) == ("refused", 2, "x")
    assert result["error"]["code"] == "E330"


def test_only_the_guests_own_zero_is_success() -> None:
    def line(outcome: Outcome) -> ResultLine:
        return result_of_job(submission(), finished()._replace(outcome=outcome), 0)

    assert line(exited(0)).is_success
    assert not line(exited(1)).is_success
    assert not line(Outcome("terminated", 0)).is_success


def test_a_remedy_names_keys_of_a_job() -> None:
    deadline = told_to_end("deadline", Quota(1, deadline_s=1.0), 0)
    result = result_of_job(submission(), finished()._replace(outcome=deadline), 0)
    assert result.error is not None
    assert result.error.remedy == 'raise deadline, or lift it with deadline "none"'


def output_facts(data: bytes, written_bytes: int | None = None) -> Any:
    output = Output(stderr=Captured(data, written_bytes or len(data)))
    line = result_of_job(submission(), finished(status=1)._replace(output=output), 0)
    return document(line)["stderr"]


def test_what_a_job_wrote_is_text() -> None:
    told = output_facts("grüße\n".encode())
    assert told == {"text": "grüße\n", "base64": None, "written_bytes": 8}


def test_what_is_no_text_is_told_in_base64() -> None:
    assert output_facts(b"\xff\x00") == {"text": None, "base64": "/wA=", "written_bytes": 2}


def test_a_text_that_was_cut_begins_with_a_whole_character() -> None:
    assert output_facts("€uro".encode()[1:], 6)["text"] == "uro"
