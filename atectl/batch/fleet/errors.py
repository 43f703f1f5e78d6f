"""What goes wrong between a submitter, a scheduler and hosts."""

from atectl.errors import AtectlError, LeaseError, UsageError


class SchedulerUnreachable(AtectlError):
    """The scheduler of a fleet cannot be reached."""

    code = "E801"
    example = "atectl batch - --on tcp://127.0.0.1:1 < jobs.jsonl"
    default_remedy = "check the address, and that `dask scheduler` runs there"


class SchedulerLost(AtectlError):
    """The scheduler of a fleet went away while a batch ran."""

    code = "E802"
    example = "the machine of the scheduler is shut down during a batch"
    default_remedy = "start it again, and finish the batch with --resume-from RESULTS"


class HostLost(LeaseError):
    """The hosts that a job was sent to were lost while they had it."""

    code = "E803"
    exit_status = 125
    example = "a job that has the system end each host that runs it"
    default_remedy = "lower the job's max_mem or the hosts' --limit, and look into the hosts' logs"


class NoHostFits(LeaseError):
    """No host of the fleet can ever run the job."""

    code = "E804"
    exit_status = 125
    example = "a job with max_mem 8GiB, where the largest host has --limit 2GiB"
    default_remedy = "lower the job's max_mem, or join a host that can hold it"


class InsecureFleet(UsageError):
    """The connection to a scheduler would be neither encrypted nor within this machine."""

    code = "E806"
    example = "atectl host join tcp://scheduler.example:8786"
    default_remedy = (
        "pass --tls-ca, --tls-cert and --tls-key with a tls:// address; or --insecure, where all "
        "who can reach the scheduler may run code on its hosts"
    )


class DaskMissing(AtectlError):
    """Dask is not installed, which carries a batch to other machines."""

    code = "E807"
    example = "atectl host ls --on tcp://127.0.0.1:8786, where Dask is not installed"
    default_remedy = "pip install 'atectl[dask]'"


class NoHosts(AtectlError):
    """No host has joined the scheduler yet."""

    code = "E808"
    example = "atectl batch - --on ADDRESS, before the first `atectl host join`"
    default_remedy = "the batch waits; run `atectl host join ADDRESS` where jobs are to run"


class HostGone(AtectlError):
    """A host went away, and its unfinished jobs run elsewhere."""

    code = "E809"
    example = "kill -9 of `atectl host join` during a batch"
    default_remedy = "look into the host's log; a host that joins again gets jobs again"


class BadShare(UsageError):
    """A folder for jobs of other machines cannot be shared."""

    code = "E810"
    example = "atectl host join ADDRESS --share data=/no/such/folder"
    default_remedy = "write --share NAME=DIR: NAME of letters, digits, _ and -, DIR a folder"
