"""How commands of locks tell what they could not read."""

from collections.abc import Sequence

from atectl.locks.errors import Incomplete
from atectl.redis.reading import Gap

from ..output.stderr import report_error, warn


def end_status(gaps: Sequence[Gap], what: str) -> int:
    """Warn of each gap, and say that the result is incomplete. Returns the exit status.

    Args:
        gaps: what could not be read.
        what: what is incomplete, such as `the list`.
    """
    if not gaps:
        return 0
    for gap in gaps:
        missing = ""
        if gap.slots:
            of = "" if gap.node is None else f" of {gap.node}"
            missing = f"; missing are the slots {', '.join(gap.slots)}{of}"
        warn(gap.code, f"{gap.message}{missing}")
    error = Incomplete(f"{what} is incomplete: {_counted(gaps)} could not be read")
    report_error(error)
    return error.exit_status


def _counted(gaps: Sequence[Gap]) -> str:
    nodes = [gap for gap in gaps if not gap.keys and (gap.node or gap.slots)]
    patterns = [gap.keys for gap in gaps if gap.keys]
    told = []
    if nodes:
        told.append(f"{len(nodes)} part{'s' if len(nodes) > 1 else ''} of the servers")
    if patterns:
        told.append(f"the keys {', '.join(patterns)}")
    if len(nodes) + len(patterns) < len(gaps):
        told.append("the ledger")  # all else is on servers
    return " and ".join(told)
