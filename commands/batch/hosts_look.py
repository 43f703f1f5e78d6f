"""What the live table of a batch on hosts shows."""

from typing import NamedTuple

from atectl.batch.fleet.submitting import FleetOverview


class HostsLook(NamedTuple):
    """A batch on hosts at one moment. `left` is None while the number of jobs is not known."""

    overview: FleetOverview
    done: int
    failed: int
    left: int | None
    elapsed_s: float
    is_stopping: bool
