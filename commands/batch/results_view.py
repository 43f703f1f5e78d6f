"""The results of a batch as rows of a table."""

from collections import Counter

from rich.text import Text

from atectl.arbitration.view import Action
from atectl.batch.lines import ResultLine
from atectl.inert import inert_line
from atectl.units import format_duration, show_size

from ..drawing.columns import GAP, Column, Fitted, fit
from ..drawing.tones import ALARM
from .failures import why
from .tally import CUT_SHORT

_AGAINST = (Action.PARK, Action.SPILL, Action.ABORT)
_JOB_COLUMNS = 6
_ERROR_INDENT = _JOB_COLUMNS + GAP


def fitted_columns(width: int) -> Fitted[ResultLine]:
    """The columns for `width`. Rows come one by one, so no column adapts to its longest cell.

    The last column gets the room that is left. If it holds figures, aligned at the right, the
    labels get it instead.
    """
    columns = fit(_COLUMNS, (), width).columns
    left = width + GAP - sum(each + GAP for _, each in columns)
    widened = "label" if columns[-1][0].is_right else columns[-1][0].name
    return Fitted(tuple((each, size + left * (each.name == widened)) for each, size in columns))


def row_lines(fitted: Fitted[ResultLine], result: ResultLine) -> list[Text]:
    """A result as its row. If there is no column for errors, its error is on a second line."""
    lines = [fitted.line(result)]
    error = why(result)
    if error and "error" not in (column.name for column, _ in fitted.columns):
        width = sum(size + GAP for _, size in fitted.columns) - GAP
        below = Text(f"{' ' * _ERROR_INDENT}{error}", no_wrap=True)
        below.truncate(width, overflow="ellipsis")
        lines.append(below)
    return lines


def _outcome(result: ResultLine) -> Text:
    reason, status = result.ending[:2]
    is_alarm = not result.is_success and reason not in CUT_SHORT
    return Text(f"{reason} {status}", style=ALARM if is_alarm else "")


def _decisions(result: ResultLine) -> str:
    """How often the arbiter acted against this job, failures apart: `park 3, spill 1`."""
    counts = Counter(
        each.action for each in result.decisions if not each.reason.startswith("failed")
    )
    told = [f"{action.value} {counts[action]}" for action in _AGAINST if counts[action]]
    return ", ".join(told) or "-"


def _capsule(result: ResultLine) -> str:
    return inert_line(result.ending.capsule.rpartition("/")[2])


_COLUMNS: tuple[Column[ResultLine], ...] = (
    Column("job", "JOB", lambda x: str(x.job), _JOB_COLUMNS, 0, is_right=True),
    Column("label", "LABEL", lambda x: x.label, 16, 3, is_name=True),
    Column("principal", "PRINCIPAL", lambda x: x.ending.principal, 12, 7, is_name=True),
    Column("capsule", "CAPSULE", _capsule, 18, 4, is_name=True),
    Column("outcome", "OUTCOME", _outcome, 15, 1),
    Column("peak", "PEAK", lambda x: show_size(x.use.peak_bytes), 8, 2, is_right=True),
    Column("wall", "WALL", lambda x: format_duration(x.use.wall_s), 7, 5, is_right=True),
    Column("cpu", "CPU", lambda x: format_duration(x.use.cpu_s), 7, 8, is_right=True),
    Column("decisions", "DECISIONS", _decisions, 24, 6),
    Column("error", "ERROR", why, 50, 9),
)
