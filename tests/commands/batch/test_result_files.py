"""Results as files of a folder."""

import json
from pathlib import Path

import pytest

from atectl.batch.lines import OutputFacts
from atectl.budget.errors import BadResults
from atectl.commands.batch.result_files import ResultFiles
from atectl.errors import ReportUnwritable
from tests.support.result_lines import result_line


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
    with pytest.raises(ReportUnwritable):
        files.write(result_line(2))
    assert victim.read_text() == "mine"
