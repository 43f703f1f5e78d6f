"""Where the jobs of a batch come from, and the host settings they run under."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atectl.budget.errors import BadBudgetFile, BadJob, JobsUnreadable
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


def open_source(place: str) -> JobSource:
    """The jobs of a budget file, or of lines on stdin for `-`.

    Raises:
        BadBudgetFile, BadJob: the file cannot be used (exit 2).
        JobsUnreadable: it has no job, or stdin is a terminal (exit 2).
    """
    if place == STDIN:
        if sys.stdin.isatty():
            raise JobsUnreadable("stdin is a terminal, and jobs are read from it")
        defaults = JobDefaults(environment=os.environ)
        submissions = submit_lines(lines_of(sys.stdin.fileno()), defaults)
        return JobSource(HostSettings(), submissions, None, {})
    return _from_file(Path(place))


def _from_file(path: Path) -> JobSource:
    try:
        file = load_budget(path)
    except BadBudgetFile as error:
        if not _begins_as_json(path):
            raise
        remedy = f"jobs as lines of JSON come on stdin: atectl batch - < {path}"
        raise BadBudgetFile(str(error), remedy=remedy) from None
    submissions = [
        submit(number, table, file.defaults) for number, table in enumerate(file.job_tables, 1)
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
        if not path.is_file():  # a pipe was read to its end already
            return False
        with path.open("rb") as file:
            return file.read(4096).lstrip().startswith(b"{")
    except OSError:
        return False
