"""Where the jobs of a batch come from, and the host settings they run under."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.budget.errors import BadJob, JobsUnreadable
from atectl.budget.file import HostSettings, load_budget
from atectl.budget.jobs import JobDefaults, Submission, submit, submit_lines
from atectl.system.lines import lines_of

from ..options.host import STDIN
from .loop import capsules_of

if TYPE_CHECKING:
    from atectl.batch.job import Wanted


class JobSource(NamedTuple):
    """Where jobs come from. `total` is None if it is not known before the last was read.

    `capsules` are those known beforehand, to be loaded before anything runs.
    """

    host: HostSettings
    submissions: Iterable[Submission]
    total: int | None
    capsules: "dict[Path, Wanted]"


def open_source(place: str, *, elsewhere: bool = False) -> JobSource:
    """The jobs of a budget file, of a file of lines of JSON, or of such lines on stdin for `-`.

    Args:
        elsewhere: whether they run on other machines.

    Raises:
        BadBudgetFile, BadJob: the file cannot be used (exit 2).
        JobsUnreadable: it has no job, or stdin is a terminal (exit 2).
    """
    if place == STDIN:
        if sys.stdin.isatty():
            raise JobsUnreadable("stdin is a terminal, and jobs are read from it")
        return _from_lines(sys.stdin.fileno(), None, elsewhere=elsewhere)
    path = Path(place)
    read = _from_lines_of if _begins_as_json(path) else _from_file
    return read(path, elsewhere=elsewhere)


def _from_lines(descriptor: int, total: int | None, *, elsewhere: bool) -> JobSource:
    defaults = JobDefaults(environment=os.environ, elsewhere=elsewhere)
    return JobSource(HostSettings(), submit_lines(lines_of(descriptor), defaults), total, {})


def _from_lines_of(path: Path, *, elsewhere: bool) -> JobSource:
    """The jobs of a file of lines. It means what it would mean on stdin."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with path.open("rb") as file:
            total = sum(1 for line in file if line.strip())
    except OSError as error:
        raise JobsUnreadable(f"{path}: {error.strerror}") from None
    return _from_lines(descriptor, total, elsewhere=elsewhere)


def _from_file(path: Path, *, elsewhere: bool) -> JobSource:
    file = load_budget(path)
    defaults = file.defaults._replace(elsewhere=elsewhere)
    submissions = [
        submit(number, table, defaults) for number, table in enumerate(file.job_tables, 1)
    ]
    for each in submissions:
        if isinstance(each.job, BadJob):
            raise BadJob(f"{path}: job {each.number}: {each.job}", remedy=each.job.remedy)
    if not submissions:
        raise JobsUnreadable(f"{path} has no [[job]] table")
    return JobSource(file.host, submissions, len(submissions), capsules_of(submissions))


def _begins_as_json(path: Path) -> bool:
    """Whether the file begins with a brace, as lines of JSON do and TOML never does."""
    try:
        if not path.is_file():  # what is read of a pipe is gone
            return False
        with path.open("rb") as file:
            return file.read(4096).lstrip().startswith(b"{")
    except OSError:
        return False
