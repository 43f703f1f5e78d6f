"""Files that jobs name for their streams: none of the batch's own, and none of another job's."""

import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

from atectl.budget.errors import BadJob
from atectl.errors import quoted
from atectl.system.identity import Identity, identities, identity_of

_MOST_REMEMBERED = 100_000


class JobFiles:
    """The files that jobs have open, and those that jobs have written.

    Args:
        reserved: the files of the batch itself, and what each is.
    """

    def __init__(self, reserved: Mapping[Identity, str]) -> None:
        self._reserved = reserved
        self._lock = threading.Lock()
        self._open: dict[Identity, tuple[int, str]] = {}
        self._written: set[int] = set()

    def check(
        self, job: int, capsule: Path, stream: str, path: str, status: os.stat_result
    ) -> None:
        """Note that a job is about to open a file, unless it must not.

        Raises:
            BadJob: it is a file of the batch itself, or one that another job writes or has written,
                or that this one writes by another stream (exit 2).
        """
        identity = identity_of(status)
        if identity is None:
            return
        what = self._reserved.get(identity)
        if what is not None:
            raise BadJob(f"{stream}: {quoted(path)} is {what}", remedy=_ANOTHER)
        if stream == "stdin" or not stat.S_ISREG(status.st_mode):  # a pipe may be shared
            return
        if identity in identities([("", capsule)]):
            raise BadJob(f"{stream}: {quoted(path)} is the job's capsule", remedy=_ANOTHER)
        with self._lock:
            other = self._open.setdefault(identity, (job, stream))
            if other == (job, stream):
                self._remember(path, stream)
                return
        whose = "its own" if other[0] == job else f"job {other[0]}'s"
        raise BadJob(f"{stream}: {quoted(path)} is {whose} {other[1]}, too", remedy=_OWN_FILES)

    def forget(self, job: int) -> None:
        """A job has ended: what it wrote is no longer open."""
        with self._lock:
            for identity in [each for each, (whose, _) in self._open.items() if whose == job]:
                del self._open[identity]

    def _remember(self, path: str, stream: str) -> None:
        """Note what is written; refuse what an earlier job wrote."""
        known = hash(os.path.normpath(path))
        if known in self._written:
            raise BadJob(
                f"{stream}: {quoted(path)} is what an earlier job of this batch wrote",
                remedy=_OWN_FILES,
            )
        if len(self._written) < _MOST_REMEMBERED:
            self._written.add(known)


_ANOTHER = "name another file"
_OWN_FILES = "give every job files of its own"
