"""Small file systems that a test can fill, or make read-only."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A file system in memory with a fixed size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, *, but_for_bytes: int = 0) -> None:
        """Write until nothing is free, or so much is."""
        with self._filler.open("ab") as filler:
            system = os.statvfs(self.folder)
            left = system.f_bavail * system.f_frsize - but_for_bytes
            filler.write(bytes(max(left, 0)))

    def take_every_inode(self) -> None:
        """Make empty files until no more can be made."""
        number = 0
        while os.statvfs(self.folder).f_favail:
            (self.folder / f"empty-{number}").touch()
            number += 1

    def make_room(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink()

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True, timeout=60)


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[SmallDisk]:
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    mounted = subprocess.run(words, capture_output=True, text=True, timeout=60)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=60)


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[Callable[[str], SmallDisk]]:
    """Mounts file systems of the test's own, with these options of tmpfs. Needs to be root."""
    with ExitStack() as mounts:
        names = iter(range(1000))

        def make(options: str = "size=400k") -> SmallDisk:
            return mounts.enter_context(_mounted(tmp_path / f"disk-{next(names)}", options))

        yield make
