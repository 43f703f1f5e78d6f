"""What an error is, and every error of using atectl and of running a capsule.

A class is one way for something to go wrong: its code, what it means, what to do, and the exit
status. The first line of its docstring is its meaning, and `atectl explain` prints it with the
example and the remedy. Codes are grouped: E1 usage, E2 capsules, E3 leases and budgets, E4 the
ledger, E5 Redis and actor locks, E6 files of ours, E7 the engine, E8 fleets of hosts, E9 atectl
itself. Errors that a plain run cannot meet stand in modules of their own, so that it does not
import them.
"""

from collections.abc import Iterator
from typing import ClassVar

OTHER_MODULES = (
    "batch.cells.errors",
    "batch.fleet.errors",
    "budget.errors",
    "capsule.errors",
    "guard.errors",
    "ledger_store.errors",
    "locks.errors",
    "redis.errors",
    "spill.errors",
    "system.errors",
    "trace.errors",
    "system.walls.errors",
)
"""The modules beside this one that define errors."""

_REPEATED_CHARACTERS = 40
_MOST_COMPARED = 100
MAX_QUOTED_CHARACTERS = 200
"""The most that a message repeats of one name: of a file, a function or an export."""
MAX_MESSAGE_CHARACTERS = 4000
"""Where a message is cut, whatever it repeats."""


INTERRUPTED_STATUS, BROKEN_PIPE_STATUS, TERMINATED_STATUS = 130, 141, 143
"""Exit statuses that come with no error: Ctrl-C, a reader of stdout that left, SIGTERM. They are
those that a shell reports of a program ended by the signals SIGINT, SIGPIPE and SIGTERM."""


class AtectlError(Exception):
    """Something atectl can name went wrong.

    Args:
        message: what happened, with the values that matter; one line, no final full stop.
        remedy: what to do next, where the class's own remedy is not specific enough.

    Attributes:
        compile_s, compile_cpu_s: wall-clock and CPU seconds that judging and compiling a capsule
            took before this; 0 if nothing was compiled.
        compile_peak_bytes: the most resident bytes that this took.
    """

    compile_s: float = 0.0
    compile_cpu_s: float = 0.0
    compile_peak_bytes: int = 0

    code: ClassVar[str] = "E000"
    exit_status: ClassVar[int] = 125
    example: ClassVar[str] = ""
    default_remedy: ClassVar[str] = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(_bounded(message))
        self.remedy = self.default_remedy if remedy is None else _bounded(remedy)

    @classmethod
    def meaning(cls) -> str:
        return (cls.__doc__ or "").strip().split("\n", 1)[0]


def _bounded(text: str) -> str:
    """A message with what it repeats cut: names of files, exports and options can be megabytes.

    What has no space in it is one name. Only where that is not enough are texts in quotes cut, and
    then the whole.
    """
    if "\\udc" in text:
        text = _with_bytes(text)
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    import re

    least = MAX_QUOTED_CHARACTERS - 1
    # A name that was cut before, when another process told of it, stays as it is.
    text = re.sub(rf"(\S{{{least}}})(?!…)\S{{2,}}?([:;,'\")]{{0,3}})(?=\s|$)", r"\1…\2", text)
    if len(text) > MAX_MESSAGE_CHARACTERS:
        text = re.sub(rf"('[^']{{{least}}})[^']+'", r"\1…'", text)
    if len(text) > MAX_MESSAGE_CHARACTERS:
        text = f"{text[: MAX_MESSAGE_CHARACTERS - 1]}…"
    return text


def _with_bytes(text: str) -> str:
    """A message that quotes bytes as they are: `\\xff`, where Python writes `\\udcff`."""
    import re

    byte = re.compile(r"(?<!\\)\\udc([89a-f][0-9a-f])")
    return re.sub("'[^']*'", lambda quotes: byte.sub(r"\\x\1", quotes[0]), text)


def error_classes() -> Iterator[type[AtectlError]]:
    """Every class that has a code of its own, in order of the codes."""
    # A plain run lists no errors, and may not have this yet.
    from importlib import import_module

    for module in OTHER_MODULES:
        import_module(f"atectl.{module}")
    found: dict[str, type[AtectlError]] = {}
    pending = list(AtectlError.__subclasses__())
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if "code" in vars(cls):
            found[cls.code] = cls
    return (found[code] for code in sorted(found))


def nearest(word: str, known: list[str], likeness: float = 0.6) -> str:
    """`; did you mean …?` for the known word nearest to `word`, or nothing.

    Args:
        likeness: how near it has to be, from 0 to 1: the same.
    """
    # Only a mistake needs it, and every command would pay for its import.
    from difflib import get_close_matches

    if len(word) > _MOST_COMPARED:
        return ""
    close = get_close_matches(word, known, n=1, cutoff=likeness)
    return f"; did you mean {close[0]}?" if close else ""


def quoted(word: str) -> str:
    """A word that somebody wrote, in quotes for a message, and cut short."""
    return cut(repr(word))


def cut(text: str) -> str:
    """What a message repeats of a text: 40 characters at most."""
    return text if len(text) <= _REPEATED_CHARACTERS else f"{text[: _REPEATED_CHARACTERS - 1]}…"


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
    """A principal's name breaks the rule: 1 to 64 of A-Z a-z 0-9 _ - and, not first, . @ / +."""

    code = "E104"
    example = "atectl run --principal 'team blue' capsule.wasm"
    default_remedy = "use 1 to 64 letters and digits with _ - . @ / +, such as team/service"


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
    default_remedy = "correct the file, or point ATECTL_CONFIG at another"


class NotInvokable(UsageError):
    """The export takes or returns something that no word can stand for."""

    code = "E113"
    example = "atectl run --invoke shuffle vectors.wasm"
    default_remedy = "invoke an export of numbers, text, lists, records and the like"


# E2: capsules


class CapsuleError(AtectlError):
    """The file is no capsule that can be run.

    Attributes:
        sha256: the hash of the file, if it was judged just now; None otherwise.
    """

    exit_status = 126
    sha256: str | None = None


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
    default_remedy = "the guest's frames, innermost first, say where"


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


class OutputOverLimit(LeaseError):
    """The guest wrote more to its output than it may."""

    code = "E308"
    exit_status = 137
    example = "a job of a batch under --max-output 1MiB that prints 2MiB"
    default_remedy = "raise --max-output, or lift it with --max-output none"


class AbortedByArbiter(LeaseError):
    """The host was past its limit with nothing left to park or spill, and chose this lease."""

    code = "E317"
    exit_status = 137
    example = "a batch under --limit 128MiB with a job that grows to 200MiB"
    default_remedy = "raise --limit, allow spilling with --backpressure both, or lower the quota"


class NotStarted(AtectlError):
    """A signal came before the guest was started."""

    code = "E307"
    example = "Ctrl-C while atectl run --report report.json compiles a large capsule"
    default_remedy = "run it again"


class StreamUnusable(AtectlError):
    """A file that a job's stdin, stdout or stderr should be cannot be opened."""

    code = "E318"
    example = (
        """echo '{"capsule": "hello.wasm", "stdout": "/no/such/folder/out"}' | atectl batch -"""
    )
    default_remedy = "name a file that can be opened, in a folder that exists"


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
    default_remedy = "name a file that you may write to, in a folder that exists and has room"


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


class ManualDiffers(AtectlError):
    """The manual pages are not those that this atectl would write."""

    code = "E606"
    exit_status = 1
    example = "atectl man check completions/man"
    default_remedy = "write them again with `atectl man write DIR`"


class ManualUnwritable(AtectlError):
    """The manual pages cannot be written into this folder."""

    code = "E607"
    example = "atectl man write /proc"
    default_remedy = "name a folder that you may write to and that has room"


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


class CompilerGone(AtectlError):
    """The process that compiled a capsule ended before it was done."""

    code = "E703"
    example = "the system ends the compiler of a huge capsule for want of memory"
    default_remedy = "run it once with `atectl run`, which keeps it compiled, where memory is free"


# E9: atectl itself


class InternalError(AtectlError):
    """Atectl met something it has no name for: a bug in atectl."""

    code = "E901"
    example = "none is known"
    default_remedy = "run it again with ATECTL_DEBUG=1 and report the traceback"
