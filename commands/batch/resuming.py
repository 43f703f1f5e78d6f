"""Going on where an earlier batch was cut off: which jobs are done, and where its results end."""

import fcntl
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from atectl.batch.lines import ResultLine
from atectl.budget.errors import BadJob, BadResults
from atectl.budget.jobs import Job, Submission
from atectl.capsule.content import Contents
from atectl.errors import AtectlError
from atectl.lease.outcome import SUCCESS
from atectl.records.lines import json_of
from atectl.records.readers import optional, text, whole
from atectl.records.reading import Fault, Field, Table

from .output import Tell


class ToldResult(NamedTuple):
    """The part that matters here of a result that an earlier batch wrote."""

    reason: str
    exit_status: int
    digest: str
    sha256: str | None = None
    """Of the capsule that ran; None if the result does not say, so that its job is run again."""


RESULT = Table(
    ToldResult,
    fields=(
        Field("reason", text, is_required=True),
        Field("exit_status", whole(0, 255), is_required=True),
        Field("digest", text, is_required=True),
        Field("sha256", optional(text)),
    ),
    takes_others=True,
)


class DoneBefore:
    """The jobs that succeeded in an earlier batch, and how often each did.

    A job is recognised by its digest and by the content of its capsule: neither its place nor the
    order of its keys matters, and a job whose capsule has changed is another one.

    Args:
        done: the digest of each job, and the SHA-256 of the capsule that it ran.
        contents: of the capsules as they are now.
    """

    def __init__(self, done: Iterable[tuple[str, str]], contents: Contents) -> None:
        self._left = Counter(done)
        self._contents = contents

    def take(self, submission: Submission) -> bool:
        """Whether this job was done; each success counts for one job."""
        if not isinstance(submission.job, Job):
            return False
        try:
            sha256 = self._contents.at(submission.job.capsule).sha256
        except AtectlError:  # running it tells what is wrong with its capsule
            return False
        job = (submission.digest, sha256)
        if self._left[job] <= 0:
            return False
        self._left[job] -= 1
        return True


class Earlier(NamedTuple):
    """What a file of results holds.

    `doubt` says how many of its lines are not results; None if all are. It `is_cut_off` if its last
    line has no end, because the batch that wrote it was cut off there.
    """

    done: DoneBefore
    doubt: BadResults | None = None
    is_cut_off: bool = False


def read_done(path: Path, contents: Contents) -> Earlier:
    """The successes among the result lines of a file.

    Args:
        contents: of the capsules as they are now, to see which have changed.

    Raises:
        BadResults: it cannot be read, or has whole lines and none of them is a result (exit 2).
    """
    try:
        with path.open("rb") as file:
            return _read(path, file, contents)
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from None


def _read(path: Path, lines: Iterable[bytes], contents: Contents) -> Earlier:
    successes: list[tuple[str, str]] = []
    results = others = 0
    line = b"\n"
    for line in lines:
        try:
            told = ToldResult(**RESULT.values(json_of(line)))
        except Fault:
            others += 1
            continue
        results += 1
        if told[:2] == SUCCESS and told.digest and told.sha256:
            successes.append((told.digest, told.sha256))
    is_cut_off = not line.endswith(b"\n")
    if not results and others > is_cut_off:
        raise BadResults(f"{path}: none of its lines is a result of a batch")
    doubt = None
    if others:
        what = (
            f"1 line of {path} is not a result, and is"
            if others == 1
            else f"{others} lines of {path} are not results, and are"
        )
        doubt = BadResults(f"{what} ignored", remedy="")
    return Earlier(DoneBefore(successes, contents), doubt, is_cut_off)


def refuse_replacing(path: Path) -> None:
    """See that results are added to those that an earlier batch wrote, and do not replace them.

    Raises:
        BadJob: stdout is that file, and would be written from its beginning (exit 2).
    """
    if not _is_stdout(path):
        return
    here = sys.stdout.fileno()
    is_at_end = 0 < os.fstat(here).st_size <= os.lseek(here, 0, os.SEEK_CUR)
    if not (is_at_end or fcntl.fcntl(here, fcntl.F_GETFL) & os.O_APPEND):
        raise BadJob(
            f"--resume-from: {str(path)!r} is where the results go, in place of what it holds",
            remedy="append the results to it: >> in place of >",
        )


def going_on_in(path: Path, tell: Tell) -> Tell:
    """`tell`, which writes results to stdout, after a file of results whose last line has no end.

    If stdout is that very file, the line is ended before the first result is written. Otherwise
    the two would become one broken line, and both would be lost.
    """
    if not _is_stdout(path):
        return tell
    is_ended = False

    def tell_on_a_new_line(result: ResultLine) -> None:
        nonlocal is_ended
        if not is_ended:
            sys.stdout.write("\n")
            is_ended = True
        tell(result)

    return tell_on_a_new_line


def _is_stdout(path: Path) -> bool:
    """Whether stdout is this regular file."""
    try:
        there, here = path.stat(), os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(here.st_mode) and os.path.samestat(there, here)
