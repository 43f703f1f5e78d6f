"""Results as files of a folder."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from atectl.batch.lines import OutputFacts
from atectl.budget.errors import BadResults
from atectl.commands.batch.result_files import ResultFiles
from atectl.errors import ReportUnwritable
from tests.conftest import CAPSULES
from tests.support.program import atectl
from tests.support.result_lines import result_line
from tests.support.small_disks import SmallDisk

MakeDisk = Callable[..., SmallDisk]
HELLO = str(CAPSULES / "hello.wat")
JOB = json.dumps({"capsule": HELLO}) + "\n"


def test_a_result_has_a_file_and_so_has_each_output_that_was_kept(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    outputs = {
        "stdout": OutputFacts("grüße\n", None, 8),
        "stderr": OutputFacts(None, "/wA=", 2),
    }
    ResultFiles(folder).write(result_line(7)._replace(**outputs))  # type: ignore[arg-type]
    ResultFiles(folder).write(result_line(8))
    assert sorted(each.name for each in folder.iterdir()) == [
        "000007.json", "000007.stderr", "000007.stdout", "000008.json",
    ]  # fmt: skip
    assert json.loads((folder / "000007.json").read_text())["job"] == 7
    assert (folder / "000007.stdout").read_text() == "grüße\n"
    assert (folder / "000007.stderr").read_bytes() == b"\xff\0"


def test_a_result_of_an_earlier_batch_is_replaced(tmp_path: Path) -> None:
    ResultFiles(tmp_path).write(result_line(1))
    ResultFiles(tmp_path).write(result_line(1, exit_status=3))
    assert json.loads((tmp_path / "000001.json").read_text())["exit_status"] == 3


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(BadResults, match="has other files in it, such as 'notes'"):
        ResultFiles(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadResults, match="cannot be used"):
        ResultFiles(tmp_path / "no" / "such")


def test_a_link_that_a_guest_made_in_place_of_a_result_is_not_followed(tmp_path: Path) -> None:
    folder, victim = tmp_path / "results", tmp_path / "victim"
    victim.write_text("mine")
    files = ResultFiles(folder)
    (folder / "000001.json").symlink_to(victim)
    files.write(result_line(1))
    assert victim.read_text() == "mine"
    (folder / ".000002.json.part").symlink_to(victim)
    files.write(result_line(2))
    assert victim.read_text() == "mine"
    assert not (folder / "000002.json").is_symlink()


def test_what_a_killed_batch_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".000001.json.part").write_text("half of")
    ResultFiles(tmp_path).write(result_line(1))
    assert [each.name for each in tmp_path.iterdir()] == ["000001.json"]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk("size=64k")
    files = ResultFiles(disk.folder)
    disk.fill()
    with pytest.raises(ReportUnwritable, match="No space left on device"):
        files.write(result_line(1))
    assert list(disk.folder.glob(".*")) == []


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("what", ["jobs", "earlier", "trace", "chart", "stdout"])
def test_nothing_of_a_batch_is_in_the_folder_of_its_results(
    tmp_path: Path, what: str, linked: bool
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    within = outside = folder / "000001.json"
    if what in ("jobs", "earlier", "stdout"):
        within.write_text(JOB)
    if linked:
        outside = tmp_path / "outside"
        if what in ("trace", "chart"):
            (tmp_path / "door").symlink_to(folder)
            outside = tmp_path / "door" / "000001.json"
        else:
            os.link(within, outside)
    words = {
        "jobs": [outside],
        "earlier": ["-", "--resume-from", outside],
        "trace": ["-", "--trace", outside],
        "chart": ["-", "--chart", outside],
        "stdout": ["-"],
    }[what]
    with (outside if what == "stdout" else tmp_path / "out").open("ab") as out:
        options = ["--results", folder, "--ledger", "none"]
        ended = atectl("batch", *words, *options, stdin=JOB.encode(), stdout_to=out)
    assert (ended.status, "E330" in ended.stderr) == (2, True), ended.stderr
    assert not within.exists() or within.read_text() == JOB


def test_a_job_writes_no_file_into_the_folder_of_the_results(tmp_path: Path) -> None:
    job = {"capsule": HELLO, "stdout": f"{tmp_path}/results/000002.json"}
    stdin = f"{json.dumps(job)}\n{JOB}".encode()
    ended = atectl("batch", "-", "--results", tmp_path / "results", stdin=stdin)
    told = sorted(map(json.loads, ended.stdout.splitlines()), key=lambda each: each["job"])
    assert [each["reason"] for each in told] == ["refused", "exited"]
    assert "is in the folder of --results" in told[0]["error"]["message"]


def test_a_full_disk_under_the_folder_takes_no_result_from_stdout(make_disk: MakeDisk) -> None:
    disk = make_disk("size=64k")
    options = ["--results", disk.folder / "results", "--ledger", "none"]
    ended = atectl("batch", "-", *options, stdin=JOB.encode() * 40)
    assert ended.status == 125
    assert len(ended.stdout.splitlines()) == 40
    assert "40 done, 0 failed" in ended.stderr
    assert ended.stderr.count("E602") == 1
