"""Spilled memory goes to a real disk with room, never into memory itself."""

import errno
import os
from pathlib import Path

import pytest

from atectl.spill.errors import SpillFolderUnusable, SpillOntoMemory
from atectl.spill.room import disk_room_bytes, filesystem_of, refuse_memory_backed

SHM = Path("/dev/shm")


def mounted_as(root: Path, folder: Path, filesystem: str) -> str:
    """A made-up `/` whose mounts say that `folder` is on `filesystem`."""
    device = folder.stat().st_dev
    mounts = root / "proc/self/mountinfo"
    mounts.parent.mkdir(parents=True)
    mounts.write_text(
        "22 27 0:0 / /proc rw,relatime - proc proc rw\n"
        f"27 1 {os.major(device)}:{os.minor(device)} / / rw shared:1 - {filesystem} /dev/x rw\n"
    )
    return str(root)


@pytest.mark.parametrize("filesystem", ["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"])
def test_a_file_system_in_memory_is_refused(tmp_path: Path, filesystem: str) -> None:
    root = mounted_as(tmp_path / "root", tmp_path, filesystem)
    with pytest.raises(SpillOntoMemory, match=f"is on {filesystem}, which is memory"):
        refuse_memory_backed(tmp_path, root=root)


@pytest.mark.parametrize("filesystem", ["ext4", "xfs", "btrfs", "overlay"])
def test_a_disk_is_taken(tmp_path: Path, filesystem: str) -> None:
    root = mounted_as(tmp_path / "root", tmp_path, filesystem)
    refuse_memory_backed(tmp_path, root=root)
    assert filesystem_of(tmp_path, root=root) == filesystem


@pytest.mark.skipif(not SHM.is_dir(), reason="there is no /dev/shm here")
def test_the_shared_memory_of_this_machine_is_refused() -> None:
    with pytest.raises(SpillOntoMemory):
        refuse_memory_backed(SHM)


@pytest.mark.skipif(not SHM.is_dir(), reason="there is no /dev/shm here")
def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(SHM)
    with pytest.raises(SpillOntoMemory):
        refuse_memory_backed(tmp_path / "link")


def test_where_the_system_does_not_tell_nothing_is_refused(tmp_path: Path) -> None:
    refuse_memory_backed(tmp_path, root=str(tmp_path))
    assert filesystem_of(tmp_path, root=str(tmp_path)) is None


def test_a_missing_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    for look in (refuse_memory_backed, disk_room_bytes):
        with pytest.raises(SpillFolderUnusable, match="gone: No such file or directory"):
            look(tmp_path / "gone")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpillFolderUnusable, match="Not a directory"):
        disk_room_bytes(tmp_path / "file")


def test_a_folder_that_may_not_be_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(SpillFolderUnusable, match="nothing can be written"):
        disk_room_bytes(Path("/"))


def test_room_is_what_the_disk_gives_to_this_user(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bfree * disk.f_frsize
    assert 0 < disk_room_bytes(tmp_path) <= free + (1 << 30)


def test_a_disk_that_tells_no_room_is_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_path: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(os, "statvfs", stale)
    with pytest.raises(SpillFolderUnusable, match="Stale file handle"):
        disk_room_bytes(tmp_path)
