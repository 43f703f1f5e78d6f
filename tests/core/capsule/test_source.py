"""A capsule's file: opened if it is a regular file, and refused for what it is if not."""

import os
import socket
from pathlib import Path

import pytest

from atectl.capsule.source import open_capsule
from atectl.errors import CapsuleNotFound, CapsuleUnreadable
from tests.support.descriptors import open_descriptors, opened_since


def test_a_regular_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "capsule"
    path.write_bytes(b"content")
    with open_capsule(path) as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("name", ["missing", "file/below"])
def test_what_is_not_there_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CapsuleNotFound, match="no such file"):
        open_capsule(tmp_path / name)


def test_a_folder_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(CapsuleUnreadable, match="is a folder, not a regular file"):
        open_capsule(tmp_path)


def test_a_pipe_is_unreadable_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CapsuleUnreadable, match="is a pipe"):
        open_capsule(tmp_path / "pipe")


def test_a_device_is_unreadable() -> None:
    with pytest.raises(CapsuleUnreadable, match="is a device"):
        open_capsule(Path("/dev/null"))


def test_a_socket_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is to be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(CapsuleUnreadable, match="No such device"):
            open_capsule(Path("socket"))


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_name_that_no_file_can_have_is_unreadable(name: str) -> None:
    with pytest.raises(CapsuleUnreadable):
        open_capsule(Path(name))


def test_nothing_stays_open_of_what_is_refused(tmp_path: Path) -> None:
    before = open_descriptors()
    with pytest.raises(CapsuleUnreadable):
        open_capsule(tmp_path)
    assert opened_since(before) == []
