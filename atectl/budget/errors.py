"""What can go wrong with a host budget, and with the jobs and results of a batch.

Errors that end one lease are in `atectl.errors`, those of spilling and of traces in their folders.
"""

from atectl.errors import AtectlError, UsageError

# The budget


class BadBudgetFile(UsageError):
    """The host budget file cannot be read or holds something unknown."""

    code = "E117"
    example = "atectl budget check broken.toml"
    default_remedy = "correct the file; `atectl budget init -` shows every key"


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


class ThrottledBudget(AtectlError):
    """The kernel slows the host down before it reaches its limit."""

    code = "E326"
    example = "a limit of 4GiB in a control group whose memory.high is 2GiB"
    default_remedy = "lower the limit to memory.high, or raise that"


class TightBudget(AtectlError):
    """The limit leaves so little above the baseline that leases are parked at once."""

    code = "E323"
    example = "a limit of 64MiB where the process itself takes 60MiB"
    default_remedy = "raise the limit"


class SharedStores(AtectlError):
    """Jobs that name no principal share the instances that a pool keeps."""

    code = "E329"
    example = "atectl batch jobs.toml --pool 2, where jobs have no `principal`"
    default_remedy = "give each job the principal that it runs for"


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


# Jobs and results


class BadJob(UsageError):
    """A job of a batch cannot be used, or a file that is to be written is in use otherwise."""

    code = "E330"
    example = """echo '{"capsul": "hello.wasm"}' | atectl batch -"""
    default_remedy = "`atectl batch --help` lists the keys of a job"


class NotOnHosts(BadJob):
    """A job for other machines names a file or folder of this one."""

    code = "E805"
    example = """echo '{"capsule": "a.wasm", "stdout": "out"}' | atectl batch - --on ADDRESS"""
    default_remedy = "share a folder: `atectl host join --share NAME=DIR`, and share:NAME/PATH here"


class BadResults(UsageError):
    """The file of results to resume from cannot be read, or has lines that are not results."""

    code = "E331"
    example = "atectl batch jobs.toml --resume-from photo.png"
    default_remedy = "name a file that holds what an earlier `atectl batch` wrote to stdout"


class JobsUnreadable(UsageError):
    """The file of jobs cannot be read, or has none."""

    code = "E332"
    example = "atectl batch no-such-file.toml"
    default_remedy = "name a TOML file with [[job]] tables, or - for lines of JSON on stdin"
