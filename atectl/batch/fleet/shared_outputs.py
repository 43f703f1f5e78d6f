"""Files in shares that the jobs of a batch write: each has its own."""

from pathlib import PurePosixPath

from atectl.batch.job import JobTerms
from atectl.budget.errors import BadJob
from atectl.errors import quoted

_MOST_REMEMBERED = 200_000


class SharedOutputs:
    """The files that jobs of one batch have named for what they write.

    A host cannot tell, since another may have had the other job: so they are told apart by name,
    and of the first 200,000 only.
    """

    def __init__(self) -> None:
        self._named: set[int] = set()

    def require_own(self, job: JobTerms) -> None:
        """Note what a job writes.

        Raises:
            BadJob: an earlier one named the same file (exit 2).
        """
        streams = job.terms.wasi.streams
        if streams is None:
            return
        named = {"stdout": streams.stdout, "stderr": streams.stderr}
        files = {name: path for name, path in named.items() if path is not None}
        for name, path in files.items():
            if _known_as(path) in self._named:
                raise BadJob(
                    f"{name}: {quoted(path)} is what an earlier job of this batch writes",
                    remedy="give every job files of its own",
                )
        if len(self._named) < _MOST_REMEMBERED:
            self._named.update(map(_known_as, files.values()))


def _known_as(path: str) -> int:
    return hash(PurePosixPath(path))
