"""Where spilled memory may go: a folder on a real disk, and how much room there is."""

import os
from pathlib import Path

from atectl.spill.errors import SpillFolderUnusable, SpillOntoMemory

_IN_MEMORY = frozenset({"devtmpfs", "hugetlbfs", "ramfs", "tmpfs"})


def refuse_memory_backed(folder: Path, *, root: str = "/") -> None:
    """Refuse a folder whose files take the very memory that spilling is to free.

    Args:
        root: the folder that stands for `/` where mounts are looked up.

    Raises:
        SpillOntoMemory: the folder is on tmpfs or the like (exit 125).
        SpillFolderUnusable: there is no such folder, or it cannot be written (exit 125).
    """
    filesystem = filesystem_of(folder, root=root)
    if filesystem in _IN_MEMORY:
        raise SpillOntoMemory(f"{folder} is on {filesystem}, which is memory: spilling frees none")


def filesystem_of(folder: Path, *, root: str = "/") -> str | None:
    """What kind of file system a folder is on (`ext4`, `tmpfs`); None if the system does not tell.

    Raises:
        SpillFolderUnusable: there is no such folder, or it cannot be written (exit 125).
    """
    device = _checked(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path(root, "proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return None
    for line in mounts.splitlines():
        place, _, source = line.partition(" - ")
        if place.split(" ")[2] == number:
            return source.split(" ")[0]
    return None


def disk_room_bytes(folder: Path) -> int:
    """What the disk below a folder still takes from this user, in bytes.

    Raises:
        SpillFolderUnusable: there is no such folder, or it cannot be written (exit 125).
    """
    _checked(folder)
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        raise SpillFolderUnusable(f"{folder}: {error.strerror}") from None
    return disk.f_bavail * disk.f_frsize


def _checked(folder: Path) -> os.stat_result:
    try:
        status = folder.stat()
        with os.scandir(folder):
            pass
    except OSError as error:
        raise SpillFolderUnusable(f"{folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SpillFolderUnusable(f"{folder}: nothing can be written there")
    return status
