"""Files that are written completely or not at all, where a guest may meddle meanwhile."""

import os
import stat
from pathlib import Path

import pytest

from atectl.system.files import OutputPlace, replace_file
from atectl.system.opening import LinkInTheWay
from tests.support.limits import files_no_larger_than


def test_a_file_is_made_with_the_usual_mode_and_replaced_with_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "new", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    (tmp_path / "new").chmod(0o604)
    replace_file(tmp_path / "new", "other")
    assert (tmp_path / "new").read_text() == "other"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o604
    assert [each.name for each in tmp_path.iterdir()] == ["new"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_keeps_the_owner_of_the_one_that_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")
    path.chmod(0o640)
    os.chown(path, 65_534, 65_533)
    replace_file(path, "after")
    found = path.stat()
    assert path.read_text() == "after"
    assert (found.st_uid, found.st_gid) == (65_534, 65_533)
    assert stat.S_IMODE(found.st_mode) == 0o640


def test_a_link_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    (tmp_path / "host").write_text("host")
    (tmp_path / "report").symlink_to("host")
    with pytest.raises(LinkInTheWay):
        OutputPlace(tmp_path / "report")
    assert (tmp_path / "report").is_symlink()
    assert (tmp_path / "host").read_text() == "host"


@pytest.mark.parametrize("meddling", ["file", "folder"])
def test_what_is_put_there_meanwhile_is_not_followed(tmp_path: Path, meddling: str) -> None:
    work, host = tmp_path / "work", tmp_path / "host"
    work.mkdir()
    host.mkdir()
    (host / "report").write_text("host")
    place = OutputPlace(work / "report")
    if meddling == "file":
        (work / "report").symlink_to("../host/report")
    else:
        work.rename(tmp_path / "moved")
        work.symlink_to("host")
    place.write("text")
    place.close()
    assert (host / "report").read_text() == "host"
    written = work if meddling == "file" else tmp_path / "moved"
    assert (written / "report").read_text() == "text"
    assert not (written / "report").is_symlink()


def test_a_device_that_is_put_there_meanwhile_is_not_written(tmp_path: Path) -> None:
    place = OutputPlace(tmp_path / "report")
    os.mkfifo(tmp_path / "report")
    place.write("text")  # into a pipe that nobody reads it would wait for ever
    assert (tmp_path / "report").read_text() == "text"


def test_a_pipe_that_is_there_before_is_written_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    place = OutputPlace(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    place.write("text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("before")
    with files_no_larger_than(1000), pytest.raises(OSError, match="large"):
        replace_file(tmp_path / "report", "x" * 10_000)
    assert (tmp_path / "report").read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("place", [".", "missing/report"])
def test_a_place_that_cannot_be_written_is_refused_before(tmp_path: Path, place: str) -> None:
    with pytest.raises(OSError, match="directory"):
        OutputPlace(tmp_path / place)
