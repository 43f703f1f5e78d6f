"""A try-out of every wall in this process, which is of little use afterwards."""

from atectl.system.walls import folders, process, system_calls
from atectl.system.walls.wall import Wall

_PLENTY_BYTES = 1 << 40
_PLENTY = 1 << 20


def all_walls() -> tuple[Wall, ...]:
    """Put up every wall that a run or a cell puts up around its guests."""
    return (
        process.limit_data(_PLENTY_BYTES),
        process.limit_descriptors(_PLENTY),
        process.leave_no_core(),
        process.gain_no_privileges(),
        process.own_descriptors(),
        folders.stay_apart(),
        folders.keep_to(()),
        system_calls.deny_in_process(network=False),
    )
