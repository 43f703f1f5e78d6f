"""What a lease ends with whose cell has ended under it."""

from atectl.errors import LeaseError


class CellLost(LeaseError):
    """The process that ran the guest broke down, and its guests with it."""

    code = "E311"
    exit_status = 134
    example = "a fault of the engine while a guest of the same principal ran"
    default_remedy = "run the job again; if it ends so each time, report the capsule"


class CellOutOfMemory(LeaseError):
    """The process that ran the guest was ended for the memory that it took."""

    code = "E327"
    exit_status = 137
    example = "the system was out of memory while a guest ran in a cell"
    default_remedy = "lower --limit, or run fewer jobs at once"


class CellMisbehaved(LeaseError):
    """The process that ran the guest sent what no cell sends, and was ended."""

    code = "E328"
    exit_status = 134
    example = "a guest that took over its cell through a fault of the engine"
    default_remedy = "keep the capsule and the ledger for an inquiry, and upgrade"
