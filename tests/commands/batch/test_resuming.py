"""How a later batch knows what is done, and goes on in the file where the earlier was cut off."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from atectl.accounting import Reading
from atectl.batch.job import JobResult
from atectl.batch.lines import result_of_job
from atectl.budget.errors import BadResults
from atectl.budget.jobs import JobDefaults, Submission, submit
from atectl.capsule.content import Contents
from atectl.capsule.limits import DEFAULT_MAX_CAPSULE_BYTES
from atectl.commands.batch.resuming import DoneBefore, Earlier
from atectl.commands.batch.resuming import read_done as read_done_of
from atectl.lease.outcome import exited
from atectl.lease.report import NOT_LOADED
from atectl.records.as_json import document
from tests.conftest import CAPSULES
from tests.support.program import ATECTL

NOTHING_USED = Reading(0, 0, 0, 0, 0, 0.0)


HELLO = CAPSULES / "hello.wat"
SHA256 = hashlib.sha256(HELLO.read_bytes()).hexdigest()


def contents() -> Contents:
    return Contents(DEFAULT_MAX_CAPSULE_BYTES)


def read_done(path: Path) -> Earlier:
    return read_done_of(path, contents())


def submission(number: int = 1, **table: Any) -> Submission:
    return submit(number, {"capsule": str(HELLO), **table}, JobDefaults())


def line_of(job: Submission, status: int = 0, sha256: str | None = SHA256) -> str:
    loading = NOT_LOADED._replace(sha256=sha256)
    result = JobResult(job.number, exited(status), NOTHING_USED, 0.5, 0.75, 0, (), loading)
    return json.dumps(document(result_of_job(job, result, 0))) + "\n"


def test_a_job_that_succeeded_is_done(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission(1, label="a")) + line_of(submission(2, label="b"), 1))
    earlier = read_done(path)
    assert earlier.done.take(submission(1, label="a"))
    assert not earlier.done.take(submission(2, label="b"))
    assert (earlier.doubt, earlier.is_cut_off) == (None, False)


def test_a_job_is_known_again_at_another_place(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission(1, label="a")))
    assert read_done(path).done.take(submission(99, label="a"))


def test_each_success_stands_for_one_of_several_equal_jobs() -> None:
    done = DoneBefore([(submission().digest, SHA256)] * 2, contents())
    assert [done.take(submission(n)) for n in range(3)] == [True, True, False]


def test_a_job_whose_capsule_has_changed_since_is_another_one(tmp_path: Path) -> None:
    path, capsule = tmp_path / "results.jsonl", tmp_path / "capsule.wat"
    shutil.copy(HELLO, capsule)
    path.write_text(line_of(submission(capsule=str(capsule))))
    assert read_done(path).done.take(submission(capsule=str(capsule)))
    shutil.copy(CAPSULES / "exit-status.wat", capsule)
    assert not read_done(path).done.take(submission(capsule=str(capsule)))


@pytest.mark.parametrize("capsule", ["gone.wat", "."])
def test_a_job_whose_capsule_cannot_be_read_is_run_to_tell_why(
    tmp_path: Path, capsule: str
) -> None:
    path, job = tmp_path / "results.jsonl", submission(capsule=str(tmp_path / capsule))
    path.write_text(line_of(job))
    assert not read_done(path).done.take(job)


def test_a_result_that_does_not_say_which_content_ran_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission(), sha256=None))
    assert not read_done(path).done.take(submission())


def test_a_last_line_that_was_cut_off_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission(1, label="a")) + line_of(submission(2, label="b"))[:-20])
    earlier = read_done(path)
    assert earlier.done.take(submission(1, label="a"))
    assert not earlier.done.take(submission(2, label="b"))
    assert str(earlier.doubt) == f"1 line of {path} is not a result, and is ignored"
    assert earlier.is_cut_off


def test_a_last_line_that_lacks_its_end_alone_is_a_result(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line_of(submission())[:-1])
    earlier = read_done(path)
    assert earlier.done.take(submission())
    assert (earlier.doubt, earlier.is_cut_off) == (None, True)


OTHER_LINES = ["{", "7", "[]", "{}", '{"reason": "exited"}', "\0", "\ufeff", "[" * 100_000]


@pytest.mark.parametrize("line", OTHER_LINES, ids=range(len(OTHER_LINES)))
def test_lines_that_are_no_results_count_for_nothing(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(f"{line}\n{line_of(submission())}{line}\n")
    earlier = read_done(path)
    assert earlier.done.take(submission())
    assert str(earlier.doubt) == f"2 lines of {path} are not results, and are ignored"


@pytest.mark.parametrize("line", OTHER_LINES, ids=range(len(OTHER_LINES)))
def test_a_file_that_holds_no_result_at_all_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(f"{line}\n{line}")
    with pytest.raises(BadResults, match="none of its lines is a result of a batch"):
        read_done(path)


@pytest.mark.parametrize("text", ["", '{"schema_ver'])
def test_a_file_cut_off_before_its_first_result_has_nothing_done(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text)
    assert not read_done(path).done.take(submission())


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadResults, match="No such file"):
        read_done(tmp_path / "missing.jsonl")


# In processes of their own


def resumed(
    path: Path, jobs: list[dict[str, str]], into: Path
) -> "subprocess.CompletedProcess[str]":
    """A batch of `jobs` that resumes from `path`, with its results added to `into`."""
    with into.open("a") as results:
        return subprocess.run(
            [ATECTL, "batch", "-", "--resume-from", path, "--ledger", "none"],
            input="".join(json.dumps(job) + "\n" for job in jobs),
            stdout=results,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )


def three_jobs() -> list[dict[str, str]]:
    return [{"capsule": str(CAPSULES / "hello.wat"), "label": f"n{number}"} for number in (1, 2, 3)]


def cut_off(tmp_path: Path) -> Path:
    """Results of `three_jobs` whose last line ends too early."""
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    whole.touch()
    assert resumed(whole, three_jobs(), whole).returncode == 0
    cut.write_bytes(whole.read_bytes()[:-20])
    return cut


def test_results_that_were_cut_off_can_be_gone_on_in_and_resumed_from_again(
    tmp_path: Path,
) -> None:
    path = cut_off(tmp_path)
    first = resumed(path, three_jobs(), path)
    assert first.returncode == 0, first.stderr
    assert "warning[E331]: 1 line of" in first.stderr
    assert "1 done, 0 failed, 2 done before" in first.stderr
    lines = path.read_text().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[3])["reason"] == "exited"
    second = resumed(path, three_jobs(), path)
    assert second.returncode == 0, second.stderr
    assert "0 done, 0 failed, 3 done before" in second.stderr
    assert path.read_text().splitlines() == lines


def test_a_batch_runs_a_job_again_whose_capsule_has_changed(tmp_path: Path) -> None:
    path, capsule = tmp_path / "results.jsonl", tmp_path / "capsule.wat"
    path.touch()
    shutil.copy(HELLO, capsule)
    jobs = [{"capsule": str(capsule)}]
    assert resumed(path, jobs, path).returncode == 0
    shutil.copy(CAPSULES / "exit-status.wat", capsule)
    again = resumed(path, jobs, path)
    assert again.returncode == 1, again.stderr
    assert "0 done, 1 failed" in again.stderr
    assert len(path.read_text().splitlines()) == 2


def test_results_that_go_elsewhere_begin_with_no_empty_line(tmp_path: Path) -> None:
    path, other = cut_off(tmp_path), tmp_path / "other.jsonl"
    assert resumed(path, three_jobs(), other).returncode == 0
    [line] = other.read_text().splitlines()
    assert json.loads(line)["reason"] == "exited"


def test_a_cut_off_file_is_left_as_it_is_where_nothing_is_to_be_run(tmp_path: Path) -> None:
    path = cut_off(tmp_path)
    before = path.read_bytes()
    assert resumed(path, three_jobs()[:0], path).returncode == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", ["w", "r+"])
def test_results_that_would_replace_the_earlier_ones_are_refused(tmp_path: Path, mode: str) -> None:
    path = cut_off(tmp_path)
    with path.open(mode) as results:
        before = path.read_bytes()
        ended = subprocess.run(
            [ATECTL, "batch", "-", "--resume-from", path],
            stdin=subprocess.DEVNULL,
            stdout=results,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 2
    assert "is where the results go, in place of what it holds" in ended.stderr
    assert ">> in place of >" in ended.stderr
    assert path.read_bytes() == before
