"""Results of the jobs of a batch, to make up."""

from atectl.arbitration.view import Action
from atectl.batch.lines import DecisionFacts, ResultLine
from atectl.lease.report import NO_USE, NOT_LOADED, Ending
from atectl.records.errors import ErrorFacts


def result_line(
    job: int = 1,
    reason: str = "exited",
    exit_status: int = 0,
    *,
    label: str = "",
    principal: str = "p",
    capsule: str = "folder/a.wat",
    error: ErrorFacts | None = None,
    decisions: tuple[DecisionFacts, ...] = (),
    **used: float,
) -> ResultLine:
    """A result; `used` are fields of its `Use`."""
    use = NO_USE._replace(**used)  # type: ignore[arg-type]
    ending = Ending(reason, exit_status, principal, capsule, 1 << 20)
    return ResultLine(job, "", label, ending, use, NOT_LOADED, None, (), error, decisions)


def decision(action: Action, reason: str = "", freed_bytes: int | None = None) -> DecisionFacts:
    """A decision about a job."""
    return DecisionFacts(0.0, action, 0, freed_bytes, 0, reason)
