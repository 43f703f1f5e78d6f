"""A run that has ended, for its report and its summary."""

from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import AtectlError

from .arguments import RunRequest

if TYPE_CHECKING:
    from atectl.lease.lease import Lease
    from atectl.lease.locked import LeaseLock
    from atectl.lease.outcome import Outcome
    from atectl.system.walls.wall import Wall


class FinishedRun(NamedTuple):
    """A lease that has ended, with its outcome and warnings, and the walls around it."""

    request: RunRequest
    lease: "Lease"
    outcome: "Outcome"
    warnings: list[AtectlError]
    lock: "LeaseLock | None" = None
    walls: "tuple[Wall, ...]" = ()
