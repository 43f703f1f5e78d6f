"""The results of a batch as rows of a table, one by one as they come."""

from typing import Any

from rich.text import Text  # noqa: TID253

from atectl.inert import inert_line
from atectl.units import format_duration, show_size

from .columns import GAP, Column, Fitted, fit

Result = dict[str, Any]


def fitted_columns(width: int) -> Fitted[Result]:
    """The columns for `width`; as rows come one by one, no column waits for its longest cell.

    The last one has what is left.
    """
    fitted = fit(_COLUMNS, (), width)
    *others, (last, last_width) = fitted.columns
    used = last_width + sum(each + GAP for _, each in others)
    return Fitted((*others, (last, last_width + width - used)))


def _outcome(result: Result) -> Text:
    reason, status = result["reason"], result["exit_status"]
    style = "green" if (reason, status) == ("exited", 0) else "bold red"
    return Text(f"{reason} {status}", style=style)


def _decisions(result: Result) -> str:
    """How often each was decided of this job: `park 3, spill 1`."""
    counts: dict[str, int] = {}
    for decision in result["decisions"]:
        counts[decision["action"]] = counts.get(decision["action"], 0) + 1
    return ", ".join(f"{action} {count}" for action, count in counts.items()) or "-"


def _error(result: Result) -> str:
    error = result["error"]
    return f"{error['code']}: {error['message']}" if error else ""


def _capsule(result: Result) -> str:
    return inert_line(str(result["capsule"]).rpartition("/")[2])


_COLUMNS: tuple[Column[Result], ...] = (
    Column("job", "JOB", lambda x: str(x["job"]), 6, 0, is_right=True),
    Column("label", "LABEL", lambda x: x["label"], 16, 5),
    Column("principal", "PRINCIPAL", lambda x: x["principal"], 12, 4),
    Column("capsule", "CAPSULE", _capsule, 18, 3),
    Column("outcome", "OUTCOME", _outcome, 15, 1),
    Column("peak", "PEAK", lambda x: show_size(x["peak_bytes"]), 8, 2, is_right=True),
    Column("wall", "WALL", lambda x: format_duration(x["wall_s"]), 7, 6, is_right=True),
    Column("cpu", "CPU", lambda x: format_duration(x["cpu_s"]), 7, 7, is_right=True),
    Column("decisions", "DECISIONS", _decisions, 24, 8),
    Column("error", "ERROR", _error, 50, 9),
)
