"""Files that jobs name for their streams: none of the batch's own, and none of another job's."""

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from atectl.batch.reserved import Reserved
from atectl.budget.errors import BadJob
from atectl.errors import OutputOverLimit
from atectl.system.identity import Identity, identities, identity_of
from atectl.units import format_size

_MOST_REMEMBERED = 100_000


class _Output(NamedTuple):
    """A file that a job writes to; where the size of that is limited, with a descriptor of it."""

    identity: Identity
    descriptor: int | None
    remembered: frozenset[int]
    """By what it is known that it was written."""

    @property
    def size_bytes(self) -> int:
        return 0 if self.descriptor is None else os.fstat(self.descriptor).st_size


class JobFiles:
    """The files that jobs have open, and those that jobs have written.

    Args:
        reserved: what no job may write, nor have open if it is there already.
        max_bytes: what one job may write to all its files together; None is no limit.
        remembers: whether what one job wrote is refused to all later ones, since all jobs are of
            one batch.
    """

    def __init__(
        self,
        reserved: Reserved,
        max_bytes: int | None = None,
        *,
        remembers: bool = True,
    ) -> None:
        self._remembers = remembers
        self._reserved = reserved
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._open: dict[Identity, tuple[int, str]] = {}
        self._inputs: dict[int, Identity] = {}
        self._outputs: dict[int, list[_Output]] = {}
        self._written: set[int] = set()

    def check(self, job: int, capsule: Path, stream: str, path: str, descriptor: int) -> None:
        """Note that a job is about to open a file, unless it must not.

        Raises:
            BadJob: it is reserved, or is to be written and is one that a job has open already or
                has written before (exit 2).
        """
        status = os.fstat(descriptor)
        identity = identity_of(status)
        if identity is None:
            return
        what = self._reserved.files.get(identity)
        if what is not None:
            raise BadJob(f"{stream}: {path!r} is {what}", remedy=_ANOTHER)
        if not stat.S_ISREG(status.st_mode):  # a pipe may be shared
            return
        if stream == "stdin":
            self._inputs[job] = identity
            return
        why = self._reserved.found_at(path)
        if why is not None:
            raise BadJob(f"{stream}: {path!r} {why}", remedy=_ANOTHER)
        if identity in identities([("", capsule)]):
            raise BadJob(f"{stream}: {path!r} is the job's capsule", remedy=_ANOTHER)
        with self._lock:
            other = self._open.get(identity) or self._reader_of(identity)
            if other is None:
                remembered = self._remember(path, stream, status)
                self._open[identity] = (job, stream)
                kept = None if self._max_bytes is None else os.dup(descriptor)
                self._outputs.setdefault(job, []).append(_Output(identity, kept, remembered))
                return
        whose = "its own" if other[0] == job else self._whose(other[0])
        raise BadJob(f"{stream}: {path!r} is {whose} {other[1]}, too", remedy=_OWN_FILES)

    def over_limit(self, job: int) -> OutputOverLimit | None:
        """The error of a job that has written more than it may; None of any other."""
        if self._max_bytes is None or job not in self._outputs:
            return None
        with self._lock:
            written = sum(each.size_bytes for each in self._outputs.get(job, ()))
        if written <= self._max_bytes:
            return None
        most = format_size(self._max_bytes)
        return OutputOverLimit(f"the guest wrote more than {most} to its stdout and stderr")

    def close(self, job: int) -> OutputOverLimit | None:
        """A job has ended: what it wrote is no longer open, and is cut where it may write no more.

        Returns:
            As `over_limit`.
        """
        self._inputs.pop(job, None)
        if job not in self._outputs:
            return None
        over = self.over_limit(job)
        with self._lock:
            left = self._max_bytes or 0
            for identity, descriptor, _ in self._outputs.pop(job, ()):
                del self._open[identity]
                if descriptor is not None:
                    if over is not None:
                        left -= _cut(descriptor, left)
                    os.close(descriptor)
        return over

    def forget(self, job: int) -> None:
        """A job is run again: it may write the same files once more."""
        self._inputs.pop(job, None)
        with self._lock:
            for identity, descriptor, remembered in self._outputs.pop(job, ()):
                del self._open[identity]
                self._written -= remembered
                if descriptor is not None:
                    os.close(descriptor)

    def _whose(self, job: int) -> str:
        # The numbers of a host that takes jobs of many batches are not those of any batch.
        return f"job {job}'s" if self._remembers else "another job's"

    def _reader_of(self, identity: Identity) -> tuple[int, str] | None:
        """The job that reads a file now, and its stream."""
        found = (job for job, read in self._inputs.copy().items() if read == identity)
        return next(((job, "stdin") for job in found), None)

    def _remember(self, path: str, stream: str, status: os.stat_result) -> frozenset[int]:
        """Note what is written; refuse what an earlier job wrote, by whatever name."""
        if not self._remembers:
            return frozenset()
        name, identity = hash(os.path.normpath(path)), hash(identity_of(status))
        # The number of a file that is gone may be that of another now, which is empty at first.
        if name in self._written or (identity in self._written and status.st_size):
            raise BadJob(
                f"{stream}: {path!r} is what an earlier job of this batch wrote",
                remedy=_OWN_FILES,
            )
        if len(self._written) >= 2 * _MOST_REMEMBERED:
            return frozenset()
        added = frozenset({name, identity}) - self._written
        self._written |= added
        return added


_ANOTHER = "name another file"
_OWN_FILES = "give every job files of its own"


def _cut(descriptor: int, most_bytes: int) -> int:
    """Cut a file to at most so many bytes. Returns its size then."""
    size = os.fstat(descriptor).st_size
    if size > most_bytes:
        with suppress(OSError):
            os.truncate(f"/proc/self/fd/{descriptor}", most_bytes)
    return min(size, most_bytes)
