"""What goes wrong with many leases under one budget: E117, E312 to E316, and E320 to E341.

E317 and E318 end one lease, and stand with the other ends of a lease in `atectl.errors`.
"""

from atectl.errors import AtectlError, UsageError

# The budget


class BadBudgetFile(UsageError):
    """The host budget file cannot be read or holds something unknown."""

    code = "E117"
    example = "atectl budget check broken.toml"
    default_remedy = "mend the file named; `atectl budget init -` shows every key"


class UnsatisfiableBudget(AtectlError):
    """The host budget can never be met."""

    code = "E312"
    example = "atectl budget check --limit 16MiB budget.toml"
    default_remedy = "raise the limit; `atectl budget check` shows the sum"


class OvercommittedBudget(AtectlError):
    """The quotas granted together are more than the host has."""

    code = "E322"
    example = "four leases of 512MiB each under a limit of 1GiB"
    default_remedy = "raise the limit, or lower quotas or the number of leases at once"


class TightBudget(AtectlError):
    """The limit leaves so little above the baseline that leases are parked at once."""

    code = "E323"
    example = "a limit of 64MiB where the process itself takes 60MiB"
    default_remedy = "raise the limit"


class BaselineUnmeasured(AtectlError):
    """What the host process itself takes could not be measured."""

    code = "E324"
    example = "atectl budget check --pid 999999 budget.toml"
    default_remedy = "state it with --baseline SIZE"


class BudgetUnwritable(AtectlError):
    """A budget file cannot be written, or is already there."""

    code = "E325"
    example = "atectl budget init /no/such/folder/budget.toml"
    default_remedy = "name another file; --force replaces one that is already there"


# Spilled memory


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
    default_remedy = "name a folder that exists and that you may write, with --spill-dir"


# Jobs and results


class BadJob(UsageError):
    """A job of a batch cannot be used: its line or table has something it should not have."""

    code = "E330"
    example = """echo '{"capsul": "hello.wasm"}' | atectl batch -"""
    default_remedy = "`atectl batch --help` lists the keys of a job"


class BadResults(UsageError):
    """The file of results to resume from holds something that is no result."""

    code = "E331"
    example = "atectl batch jobs.toml --resume-from photo.png"
    default_remedy = "name a file that holds what an earlier `atectl batch` wrote to stdout"


class JobsUnreadable(UsageError):
    """The file of jobs cannot be read, or has none."""

    code = "E332"
    example = "atectl batch no-such-file.toml"
    default_remedy = "name a TOML file with [[job]] tables, or - for lines of JSON on stdin"


# Traces


class BadTrace(UsageError):
    """A trace of arbitration could not be read."""

    code = "E340"
    example = "atectl budget simulate notes.txt"
    default_remedy = "record one with: atectl batch --trace FILE"


class TraceUnwritable(AtectlError):
    """The trace of a batch could not be written."""

    code = "E341"
    example = "atectl batch --trace /no/such/folder/trace.jsonl jobs.toml"
    default_remedy = "check that the folder exists, is yours and has space"
