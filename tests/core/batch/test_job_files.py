"""Which files jobs may write, whatever their names: none that a job reads or has written."""

import os
from pathlib import Path

import pytest

from atectl.batch.job_files import JobFiles
from atectl.batch.reserved import Reserved
from atectl.budget.errors import BadJob


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobFiles:
    """Those of a batch; `one` and `linked` are one file in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("one").write_text("content")
    os.link("one", "linked")
    return JobFiles(Reserved())


def check(files: JobFiles, job: int, stream: str, path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        files.check(job, Path("capsule.wasm"), stream, path, descriptor)
    finally:
        os.close(descriptor)


def test_what_a_job_reads_is_written_by_none_until_that_job_has_ended(files: JobFiles) -> None:
    check(files, 1, "stdin", "one")
    with pytest.raises(BadJob, match="'linked' is its own stdin, too"):
        check(files, 1, "stdout", "linked")
    with pytest.raises(BadJob, match="'linked' is job 1's stdin, too"):
        check(files, 2, "stdout", "linked")
    files.close(1)
    check(files, 3, "stdout", "linked")


def test_a_job_that_is_run_again_may_write_its_files_again(files: JobFiles) -> None:
    check(files, 1, "stdin", "one")
    check(files, 1, "stdout", "out")
    Path("out").write_text("half of it")
    files.forget(1)
    check(files, 1, "stdin", "one")
    check(files, 1, "stdout", "out")
    files.close(1)
    with pytest.raises(BadJob, match="what an earlier job of this batch wrote"):
        check(files, 2, "stdout", "out")


def test_what_several_jobs_read_they_may_read_at_once(files: JobFiles) -> None:
    for job in (1, 2):
        check(files, job, "stdin", "one")


def test_what_a_job_writes_is_written_by_no_other(files: JobFiles) -> None:
    check(files, 1, "stdout", "one")
    with pytest.raises(BadJob, match="'linked' is job 1's stdout, too"):
        check(files, 2, "stderr", "linked")


def test_among_jobs_of_many_batches_none_is_told_the_number_of_another(tmp_path: Path) -> None:
    files = JobFiles(Reserved(), remembers=False)
    check(files, 1, "stdout", f"{tmp_path}/out")
    with pytest.raises(BadJob, match="is another job's stdout, too"):
        check(files, 2, "stdout", f"{tmp_path}/out")


def test_what_a_job_has_written_is_written_by_no_later_one(files: JobFiles) -> None:
    check(files, 1, "stdout", "one")
    files.close(1)
    with pytest.raises(BadJob, match="'linked' is what an earlier job of this batch wrote"):
        check(files, 2, "stdout", "linked")


def test_a_new_file_that_got_the_number_of_a_removed_one_may_be_written(files: JobFiles) -> None:
    check(files, 1, "stdout", "one")
    files.close(1)
    Path("one").rename("new")  # stands for one that the system gave the same number
    os.truncate("new", 0)
    check(files, 2, "stdout", "new")
