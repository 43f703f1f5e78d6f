"""What a guest ends with that meets a wall, or the bounds of the engine."""

from atectl.errors import LeaseError
from atectl.system.walls.amounts import SLACK_BYTES
from atectl.units import show_size


class HostGrowth(LeaseError):
    """What the host keeps for a guest, beside its memory, grew past what is allowed."""

    code = "E309"
    exit_status = 137
    example = "a guest that opens streams without end and closes none"
    default_remedy = "have the guest close what it opens, and read in smaller parts"


class OverBounds(LeaseError):
    """It makes more instances, memories or tables than a lease may, or keeps all descriptors."""

    code = "E310"
    exit_status = 137
    example = "atectl run --max-memories 1 capsule-of-two-memories.wasm"
    default_remedy = "raise --max-instances, --max-memories or --max-reserved"


class ResultOverLimit(LeaseError):
    """What the invoked export returned is larger than a result may be."""

    code = "E334"
    exit_status = 137
    example = "atectl run --invoke dump CAPSULE, where that returns a list of millions of flags"
    default_remedy = "have the guest return less at once, or write it to stdout or to a file"


BESIDE_MEMORY = "host buffers, handles of streams and folders, or results"
OF_INSTANCES = "the state of its instances"


def host_growth(size: str, what: str = BESIDE_MEMORY) -> HostGrowth:
    """The error of a guest for which the host holds too much.

    Args:
        size: how much, in words.
        what: what it may be.
    """
    return HostGrowth(
        f"what the host holds for the guest beside its memory grew to {size}, and may grow by "
        f"{show_size(SLACK_BYTES)}: {what}"
    )
