"""Every error atectl reports: its code, what it means, what to do, and the exit status.

A class is one way for something to go wrong. The first line of its docstring is its
meaning, and `atectl explain` prints it with the example and the remedy. Codes are grouped:
E1 usage, E2 capsules, E3 leases and budgets, E4 the ledger, E5 Redis and actor locks, E6
files of ours, E7 the engine, E9 atectl itself.
"""

from collections.abc import Iterator
from typing import ClassVar


class AtectlError(Exception):
    """Something atectl can name went wrong.

    Args:
        message: what happened, with the values that matter; one line, no final full stop.
        remedy: what to do next, where the class's own remedy is not specific enough.
    """

    code: ClassVar[str] = "E000"
    exit_status: ClassVar[int] = 125
    example: ClassVar[str] = ""
    default_remedy: ClassVar[str] = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = self.default_remedy if remedy is None else remedy

    @classmethod
    def meaning(cls) -> str:
        return (cls.__doc__ or "").strip().split("\n", 1)[0]


def error_classes() -> Iterator[type[AtectlError]]:
    """Every class that has a code of its own, in order of the codes."""
    found: dict[str, type[AtectlError]] = {}
    pending = list(AtectlError.__subclasses__())
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if "code" in vars(cls):
            found[cls.code] = cls
    return (found[code] for code in sorted(found))


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean …?` for the known word nearest to `word`, or nothing."""
    # Only a mistake needs it, and every command would pay for its import.
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


# E1: usage


class UsageError(AtectlError):
    """The command line is not one that atectl understands."""

    code = "E101"
    exit_status = 2
    example = "atectl run --max-men 64MiB capsule.wasm"
    default_remedy = "see the command's --help"


class BadSize(UsageError):
    """A size could not be read."""

    code = "E102"
    example = "atectl run --max-mem 0.3B capsule.wasm"
    default_remedy = "write a size as 64MiB, 64M (binary), 64MB (decimal) or plain bytes"


class BadDuration(UsageError):
    """A duration could not be read."""

    code = "E103"
    example = "atectl run --deadline soon capsule.wasm"
    default_remedy = "write a duration as 250ms, 90s, 5m, 1h30m or plain seconds"


class BadPrincipal(UsageError):
    """A principal's name breaks the rule: 1 to 64 of A-Z a-z 0-9 _ and -."""

    code = "E104"
    example = "atectl run --principal 'team blue' capsule.wasm"
    default_remedy = "use 1 to 64 letters, digits, underscores and hyphens"


class BadFolder(UsageError):
    """A folder that --dir should open to the guest cannot be opened."""

    code = "E105"
    example = "atectl run --dir ./no-such-folder capsule.wasm"
    default_remedy = "write --dir HOST, --dir HOST::GUEST or --dir HOST::GUEST:ro, HOST a folder"


class BadEnvironment(UsageError):
    """An environment variable for the guest cannot be set."""

    code = "E106"
    example = "atectl run --env UNSET_HERE capsule.wasm"
    default_remedy = "write --env NAME=VALUE, or --env NAME to pass on a variable that is set"


class UnknownExport(UsageError):
    """The capsule has no such export to invoke."""

    code = "E107"
    example = "atectl run --invoke fibonaci reactor.wasm 10"
    default_remedy = "name one of the exports listed"


class BadInvokeArgument(UsageError):
    """An argument for the invoked export is missing, superfluous, or of another type."""

    code = "E108"
    example = "atectl run --invoke add reactor.wasm 1 two"
    default_remedy = "give one word for each parameter, in the order of its type"


class BadCount(UsageError):
    """A number is not a whole number in the range that is taken."""

    code = "E109"
    example = "atectl run --fuel -5 capsule.wasm"
    default_remedy = "write a whole number of at least 1"


class UnknownCode(UsageError):
    """No error has this code."""

    code = "E110"
    example = "atectl explain E000"
    default_remedy = "`atectl explain` lists every code"


class ConfirmationNeeded(UsageError):
    """The command deletes something and nobody is there to be asked."""

    code = "E111"
    example = "atectl ledger reset --all < /dev/null"
    default_remedy = "pass --yes to go ahead without being asked"


class BadConfiguration(UsageError):
    """The configuration file cannot be read or holds something unknown."""

    code = "E112"
    example = "ATECTL_CONFIG=broken.toml atectl doctor"
    default_remedy = "mend the file named, or point ATECTL_CONFIG at another"


class NotInvokable(UsageError):
    """The export takes or returns something that no word can stand for."""

    code = "E113"
    example = "atectl run --invoke shuffle vectors.wasm"
    default_remedy = "invoke an export of numbers, text, lists, records and the like"


class BadActor(UsageError):
    """What should name an actor does not."""

    code = "E114"
    example = "atectl locks show 'My Actor'"
    default_remedy = "write ATESPACE/NAME, NAME or the key of its lock; names are a-z, 0-9 and -"


class AmbiguousActor(UsageError):
    """The name stands for more than one lock."""

    code = "E115"
    example = "atectl locks release web, where two atespaces have an actor of that name"
    default_remedy = "name one of the keys listed, in full"


class TokenNeeded(UsageError):
    """Going ahead without being asked takes the token of the lock that is meant."""

    code = "E116"
    example = "atectl locks release demo/web --yes"
    default_remedy = "pass --token TOKEN, as `atectl locks show` shows it"


class BadBudgetFile(UsageError):
    """The host budget file cannot be read or holds something unknown."""

    code = "E117"
    example = "atectl budget check broken.toml"
    default_remedy = "mend the file named; `atectl budget init -` shows every key"


# E2: capsules


class CapsuleError(AtectlError):
    """The file is no capsule that can be run."""

    exit_status = 126


class CapsuleNotFound(CapsuleError):
    """There is no such capsule file."""

    code = "E201"
    exit_status = 127
    example = "atectl run no-such-file.wasm"
    default_remedy = "check the path"


class CapsuleUnreadable(CapsuleError):
    """The capsule cannot be read: it is a folder, or permission is denied."""

    code = "E202"
    example = "atectl run /tmp"
    default_remedy = "name a file that you may read"


class NotWebAssembly(CapsuleError):
    """The file is neither a WebAssembly binary nor its text form."""

    code = "E203"
    example = "atectl run photo.png"
    default_remedy = "name a .wasm module, a component, or the text form of either"


class TruncatedCapsule(CapsuleError):
    """The file begins as WebAssembly and ends too early."""

    code = "E204"
    example = "head -c 100 capsule.wasm > cut.wasm; atectl run cut.wasm"
    default_remedy = "fetch or build the file again: part of it is missing"


class InvalidCapsule(CapsuleError):
    """The file is WebAssembly, but not valid: the engine refuses it."""

    code = "E205"
    example = "atectl run mutated.wasm"
    default_remedy = "rebuild it with a toolchain whose proposals this engine knows"


class PrecompiledCapsule(CapsuleError):
    """The file holds native code, which is never taken from a caller."""

    code = "E206"
    example = "atectl run capsule.cwasm"
    default_remedy = "give the .wasm it was compiled from; atectl keeps its own compiled copy"


class MissingImport(CapsuleError):
    """The capsule imports something that atectl does not provide."""

    code = "E207"
    example = "atectl run emscripten-for-the-web.wasm"
    default_remedy = "build the capsule for WASI (wasm32-wasip1 or wasm32-wasip2)"


class NoEntryPoint(CapsuleError):
    """The capsule is not a command: it has nothing to run by itself."""

    code = "E208"
    example = "atectl run library.wasm"
    default_remedy = "choose an export with --invoke NAME"


# E3: leases


class LeaseError(AtectlError):
    """The lease did not end by the guest's own will."""


class InitialMemoryOverQuota(LeaseError):
    """The capsule needs more memory to start than its quota allows."""

    code = "E301"
    exit_status = 137
    example = "atectl run --max-mem 64KiB capsule.wasm"
    default_remedy = "raise --max-mem"


class DeadlinePassed(LeaseError):
    """The guest was still running at its deadline and was ended."""

    code = "E302"
    exit_status = 124
    example = "atectl run --deadline 1s endless.wasm"
    default_remedy = "raise --deadline, or lift it with --deadline none"


class GuestTrapped(LeaseError):
    """The guest trapped: it did what WebAssembly does not allow."""

    code = "E303"
    exit_status = 134
    example = "atectl run divides-by-zero.wasm"
    default_remedy = "the frames above are the guest's, innermost first"


class OutOfFuel(LeaseError):
    """The guest used up the fuel it was given."""

    code = "E304"
    exit_status = 134
    example = "atectl run --fuel 1000 endless.wasm"
    default_remedy = "raise --fuel"


class GrowthRefused(LeaseError):
    """The guest asked for memory beyond its quota under --on-refused-growth trap."""

    code = "E305"
    exit_status = 134
    example = "atectl run --on-refused-growth trap --max-mem 1MiB grows.wasm"
    default_remedy = "raise --max-mem"


class InitialTableOverQuota(LeaseError):
    """The capsule's tables are larger than its quota allows."""

    code = "E306"
    exit_status = 137
    example = "atectl run --max-mem 64KiB big-table.wasm"
    default_remedy = "raise --max-mem: the cap is one table element for every 32 bytes of quota"


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


class AbortedByArbiter(LeaseError):
    """The host was past its limit with nothing left to park or spill, and chose this lease."""

    code = "E317"
    exit_status = 137
    example = "a batch under --limit 128MiB with a job that grows to 200MiB"
    default_remedy = "raise --limit, allow spilling with --backpressure both, or lower the quota"


class StreamUnusable(AtectlError):
    """A file that a job's stdin, stdout or stderr should be cannot be opened."""

    code = "E318"
    example = (
        """echo '{"capsule": "hello.wasm", "stdout": "/no/such/folder/out"}' | atectl batch -"""
    )
    default_remedy = "name a file that can be opened, in a folder that exists"


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


class UnsatisfiableBudget(AtectlError):
    """The host budget can never be met."""

    code = "E312"
    example = "atectl budget check --limit 16MiB budget.toml"
    default_remedy = "raise the limit; `atectl budget check` shows the sum"


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
    default_remedy = "name another file, or pass --force to replace the one that is there"


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


# E4: the ledger


class LedgerError(AtectlError):
    """The stored ledger cannot be used."""

    default_remedy = "name another place with --ledger or ATECTL_LEDGER, or --ledger none"


class LedgerUnavailable(LedgerError):
    """The stored ledger cannot be opened, read or written."""

    code = "E401"
    example = "atectl ledger ls --ledger /no/such/folder/ledger.db"


class LedgerCorrupt(LedgerError):
    """The file is no ledger, or is damaged; it was left as it is."""

    code = "E402"
    example = "atectl ledger ls --ledger photo.png"
    default_remedy = "move the file away to begin a new ledger, or name another with --ledger"


class LedgerBusy(LedgerError):
    """Another process kept the ledger locked for too long."""

    code = "E403"
    example = "a backup program holds the file while `atectl run` ends"
    default_remedy = "try again when the other process has finished"


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer atectl."""

    code = "E404"
    example = "an old atectl reads the ledger of its successor"
    default_remedy = "upgrade atectl, or name another ledger with --ledger"


class UnknownPrincipal(AtectlError):
    """The ledger has no account of this principal."""

    code = "E405"
    exit_status = 1
    example = "atectl ledger show nobody"
    default_remedy = "`atectl ledger ls` lists the accounts"


# E5: Redis and actor locks


class RedisFailure(AtectlError):
    """The Redis or Valkey server cannot be used."""


class RedisUnreachable(RedisFailure):
    """Nothing answers at the Redis server's address, or the connection broke."""

    code = "E501"
    example = "atectl locks ls --redis redis://127.0.0.1:1"
    default_remedy = "check the address, and that the server runs and takes connections from here"


class RedisTimeout(RedisFailure):
    """The Redis server did not answer in time."""

    code = "E502"
    example = "the server is suspended, overloaded, or behind a firewall that drops packets"
    default_remedy = "check the server, or give it longer with --redis-timeout"


class RedisLoginRefused(RedisFailure):
    """The Redis server refuses the user or password, or wants one and was given none."""

    code = "E503"
    example = "atectl locks ls --redis redis://operator@redis.example, with a wrong password"
    default_remedy = (
        "name the user in the URL and give the password with --redis-password-file, "
        "or in ATECTL_REDIS_URL"
    )


class RedisPermissionDenied(RedisFailure):
    """The Redis user may not run a command or touch a key that is needed."""

    code = "E504"
    example = "an ACL user without +scan lists the locks"
    default_remedy = "have the ACL user granted what the message names, or use another user"


class RedisWrongType(RedisFailure):
    """A key in Redis holds another type of value than it should."""

    code = "E505"
    example = "lock:actor:staging:web is a list"
    default_remedy = "find out which program writes the key, or choose another prefix"


class RedisLoading(RedisFailure):
    """The Redis server is still loading its data from disk."""

    code = "E506"
    example = "the server was restarted a moment ago"
    default_remedy = "try again when it has finished loading"


class RedisReadOnly(RedisFailure):
    """The Redis server is a replica, or takes no writes for now."""

    code = "E507"
    example = "the URL names a replica, or a failover is under way"
    default_remedy = "name the primary, or a Sentinel that knows it"


class RedisClusterDown(RedisFailure):
    """The Redis cluster does not serve the slot of a key, or is being rearranged."""

    code = "E508"
    example = "a primary is gone and no replica has taken its slots yet"
    default_remedy = "look at CLUSTER INFO on the nodes, and try again when its state is ok"


class RedisTlsFailed(RedisFailure):
    """No TLS connection to the Redis server could be agreed on."""

    code = "E509"
    example = "the server's certificate is for another name"
    default_remedy = "check --redis-ca, --redis-cert, --redis-key and --redis-server-name"


class BadRedisUrl(UsageError):
    """The Redis URL, or an option that goes with it, cannot be used."""

    code = "E510"
    example = "atectl locks ls --redis localhost:6379"
    default_remedy = (
        "write redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:///PATH; in a user or password "
        "percent-encode / as %2F, ? as %3F, # as %23, @ as %40 and % as %25"
    )


class NoRedisNamed(UsageError):
    """No Redis server was named."""

    code = "E511"
    example = "atectl locks ls"
    default_remedy = (
        "name it with --redis URL, ATECTL_REDIS_URL, or url under [redis] in atectl.toml"
    )


class BadRedisFile(UsageError):
    """A password, certificate or key file for the Redis connection cannot be used."""

    code = "E512"
    example = "atectl locks ls --redis rediss://redis.example --redis-ca no-such-file.pem"
    default_remedy = (
        "name a file that exists, that you may read, and that holds what the option says"
    )


class RedisOutOfMemory(RedisFailure):
    """The Redis server has no memory left for writes."""

    code = "E513"
    example = "maxmemory is reached and nothing may be evicted"
    default_remedy = "raise the server's maxmemory, or remove what is not needed there"


class RedisRefused(RedisFailure):
    """The Redis server answered with an error, or with something that is no answer."""

    code = "E514"
    example = "the address is that of another kind of server"
    default_remedy = (
        "check that the address is that of a Redis or Valkey server, version 6 or later"
    )


# E5: holding an actor lock


class LockBusy(AtectlError):
    """Somebody else holds the actor's lock; nothing was run."""

    code = "E540"
    exit_status = 75
    example = "atectl locks hold demo/web -- ./deploy.sh, while another deploys"
    default_remedy = "wait for it: `locks hold --wait 30s`, or `run --lock-wait 30s`"


class LockLost(AtectlError):
    """The actor's lock was lost, or could have been, and the work under it was ended."""

    code = "E541"
    example = "the server does not answer for 20 s while a lock of 30 s is held"
    default_remedy = (
        "look at what the work has done so far, and who holds the lock now: "
        "`atectl locks show ACTOR`"
    )


class LockDeadline(AtectlError):
    """The command under the lock was still running at its deadline and was ended."""

    code = "E542"
    exit_status = 124
    example = "atectl locks hold --deadline 1s demo/web -- sleep 60"
    default_remedy = "raise --deadline, or lift it with --deadline none"


class HeldCommandNotFound(AtectlError):
    """There is no such command to run under the lock."""

    code = "E543"
    exit_status = 127
    example = "atectl locks hold demo/web -- no-such-command"
    default_remedy = "check the command's name, and PATH"


class HeldCommandNotExecutable(AtectlError):
    """The command to run under the lock cannot be executed."""

    code = "E544"
    exit_status = 126
    example = "atectl locks hold demo/web -- /etc/hostname"
    default_remedy = "make the file executable, and give a script its #! line"


class BadLockTtl(UsageError):
    """A lock's TTL is too short to be renewed in time, or too long to be a lease."""

    code = "E545"
    example = "atectl locks hold --ttl 1ms demo/web -- true"
    default_remedy = "30s is what other holders of actor locks use"


class GuardGone(AtectlError):
    """The process that guards the command was killed, so the command was ended too."""

    code = "E546"
    example = "a process of the name `child_guard.py` is killed by hand"
    default_remedy = "leave the guard alone: it kills the command if atectl no longer can"


class UnknownLock(AtectlError):
    """There is neither a lock nor a record of this actor."""

    code = "E520"
    exit_status = 1
    example = "atectl locks show demo/nobody"
    default_remedy = "`atectl locks ls` lists the locks"


class LockRenewing(AtectlError):
    """The lock's holder is alive, or was not watched long enough to tell."""

    code = "E521"
    exit_status = 1
    example = "atectl locks release demo/web, while its holder works"
    default_remedy = (
        "let it finish; --force releases it all the same, and its work goes on unguarded"
    )


class LockChanged(AtectlError):
    """The lock is no longer the one that was seen; nothing was released."""

    code = "E522"
    exit_status = 1
    example = "another holder takes the lock while the question is on the screen"
    default_remedy = "look again: `atectl locks show ACTOR`"


class AuditUnwritable(AtectlError):
    """No audit record could be written, so nothing was released."""

    code = "E523"
    example = "the disk is full, and the user may not write to Redis"
    default_remedy = "make the state folder writable, or XDG_STATE_HOME another one"


class AuditUnreadable(AtectlError):
    """The file of audit records cannot be read."""

    code = "E524"
    example = "the file belongs to another user"
    default_remedy = "run it as the user whose file it is"


# E6: files of ours


class CacheUnusable(AtectlError):
    """The artifact cache cannot be used safely."""

    code = "E601"
    example = "the cache folder belongs to somebody else"
    default_remedy = "give the folder to this user with mode 0700, or set XDG_CACHE_HOME"


class ReportUnwritable(AtectlError):
    """The report file cannot be written."""

    code = "E602"
    example = "atectl run --report /no/such/folder/report.json capsule.wasm"
    default_remedy = "name a file in a folder that exists and that you may write"


class CompletionsDiffer(AtectlError):
    """The completion files are not those that this atectl would write."""

    code = "E603"
    exit_status = 1
    example = "atectl completions check completions"
    default_remedy = "write them again with `atectl completions show SHELL`"


class CompletionsUnwritable(AtectlError):
    """The completion file cannot be installed where the shell would look."""

    code = "E604"
    example = "HOME=/proc atectl completions install bash"
    default_remedy = "write it elsewhere yourself: `atectl completions show SHELL > FILE`"


class OutputUnwritable(AtectlError):
    """What the command had to say could not be written to standard output."""

    code = "E605"
    example = "atectl ledger ls > /dev/full"
    default_remedy = "make room where standard output goes, or send it elsewhere"


# E7: the engine


class EngineFailure(AtectlError):
    """The engine failed in a way that is not the guest's doing."""

    code = "E701"
    example = "the system has no address space left to reserve for a memory"
    default_remedy = "run `atectl doctor`"


class EngineUntrusted(AtectlError):
    """The engine does not meter as it should."""

    code = "E702"
    example = "an untested version of wasmtime is installed"
    default_remedy = "install the version of wasmtime that atectl asks for: `pip install atectl`"


# E9: atectl itself


class InternalError(AtectlError):
    """Atectl met something it has no name for: a bug in atectl."""

    code = "E901"
    example = "none is known"
    default_remedy = "run it again with ATECTL_DEBUG=1 and report the traceback"
