"""A memory control group of the test's own, in either version, where one can be made."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

_TOP = Path("/sys/fs/cgroup")


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[Path]:
    """The folder of a group with this limit, to be removed when its processes have ended.

    The test is skipped where this user may make none.
    """
    folder = _make(limit_bytes)
    if folder is None:
        pytest.skip("no memory control group can be made here")
    try:
        yield folder
    finally:
        # Of a killed host, a process that it started may take a moment longer to end.
        wait_until(lambda: _is_removed(folder))


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def _make(limit_bytes: int) -> Path | None:
    for parent, limit_file in _parents():
        folder = parent / f"atectl-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit_file).write_text(str(limit_bytes))
            return folder
        except OSError:
            folder.rmdir()
    return None


def _parents() -> Iterator[tuple[Path, str]]:
    """Where a group may be made, and what its limit is called there."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "memory":
            yield _TOP / "memory" / group.lstrip("/"), "memory.limit_in_bytes"
        elif not controllers:
            yield _TOP / group.lstrip("/"), "memory.max"


def slowed_from(size_bytes: int) -> list[str]:
    """The words before a command that have it see control groups with this memory.high.

    Few machines let a test make such a group: so a file system of the command's own covers them.
    The test is skipped where that cannot be had, or where there are no groups of version 2.
    """
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    place = next((line.split()[4] for line in lines if " - cgroup2 " in line), None)
    if place is None:
        pytest.skip("there are no control groups of version 2 here")
    covered = f"mount -t tmpfs tmpfs {place} && echo {size_bytes} > {place}/memory.high"
    words = ["unshare", "--mount", "sh", "-c", f'{covered} && exec "$@"', "sh"]
    if subprocess.run([*words, "true"], capture_output=True, timeout=60).returncode:
        pytest.skip("no file system can be mounted here")
    return words
