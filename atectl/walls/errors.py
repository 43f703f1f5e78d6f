"""What can go wrong because of a wall around a guest."""

from atectl.errors import LeaseError


class HostGrowth(LeaseError):
    """What the host keeps for a guest, beside its memory, grew past what is allowed."""

    code = "E309"
    exit_status = 137
    example = "a guest that opens streams without end and closes none"
    default_remedy = "have the guest close what it opens, and read in smaller parts"
