"""The table of the jobs of a batch that is not run."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from atectl.batch.planned import DONE, REFUSED, RUNS, PlannedJob
from atectl.units import format_duration, show_size

from ..drawing.columns import Column, LineTable
from ..drawing.tones import ALARM

_STYLES = {RUNS: "", DONE: "", REFUSED: ALARM}


def planned_table(jobs: Sequence[PlannedJob]) -> RenderableType:
    """One line for each job."""
    return LineTable(_COLUMNS, jobs, tells_hidden=True)


def _quota(job: PlannedJob) -> str:
    return "-" if job.quota_bytes is None else show_size(job.quota_bytes)


def _deadline(job: PlannedJob) -> str:
    if job.quota_bytes is None:
        return "-"
    return "none" if job.deadline_s is None else format_duration(job.deadline_s)


def _error(job: PlannedJob) -> str:
    return "" if job.error is None else f"{job.error.code}: {job.error.message}"


_COLUMNS: tuple[Column[PlannedJob], ...] = (
    Column("job", "JOB", lambda x: str(x.job), 5, 0, is_right=True),
    Column("label", "LABEL", lambda x: x.label, 8, 2, grows=True, is_name=True),
    Column("principal", "PRINCIPAL", lambda x: x.principal, 9, 5, grows=True, is_name=True),
    Column("capsule", "CAPSULE", lambda x: x.capsule, 16, 3, grows=True, is_name=True),
    Column("plan", "PLAN", lambda x: Text(x.plan, style=_STYLES[x.plan]), 7, 1),
    Column("quota", "QUOTA", _quota, 8, 6, is_right=True),
    Column("deadline", "DEADLINE", _deadline, 8, 7, is_right=True),
    Column("error", "ERROR", _error, 20, 4, grows=True),
)
