"""Errors of spilling: the disk, its cap, its folder."""

from atectl.errors import AtectlError


class SpillCapReached(AtectlError):
    """The memory on disk has reached the cap given for it."""

    code = "E313"
    example = "a batch whose parked leases hold more than --spill-cap"
    default_remedy = "raise --spill-cap, or run fewer jobs at once"


class SpillDiskFull(AtectlError):
    """The disk, or this user's share of it, has no room left for spilled memory."""

    code = "E314"
    example = "--spill-dir names a small disk"
    default_remedy = "make room there, or name a larger disk with --spill-dir"


class SpillFailed(AtectlError):
    """The disk failed while memory was spilled to it."""

    code = "E315"
    example = "the disk under --spill-dir reports an error"
    default_remedy = "check that disk, or name another with --spill-dir"


class OutOfMemory(AtectlError):
    """The system gave no memory to go on with."""

    code = "E316"
    example = "the system refuses a mapping while memory is spilled"
    default_remedy = "raise the limits on memory (ulimit -v), or lower --limit"


class SpillOntoMemory(AtectlError):
    """The folder for spilled memory lies in memory itself, where spilling frees nothing."""

    code = "E320"
    example = "atectl budget check --spill-dir /dev/shm budget.toml"
    default_remedy = "name a folder on a real disk with --spill-dir"


class SpillFolderUnusable(AtectlError):
    """The folder for spilled memory is missing, or nothing can be written there."""

    code = "E321"
    example = "atectl budget check --spill-dir /no/such/folder budget.toml"
    default_remedy = "name a folder that exists and that you may write to, with --spill-dir"
