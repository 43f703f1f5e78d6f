"""The command line of `atectl batch`: its table of options, and how a line is read by it.

Options may come before and after FILE|-, up to `--`. If an option is given twice, the last one
counts; the same holds for a flag and its opposite.
"""

from pathlib import Path
from typing import NamedTuple, get_args

from atectl.accounting import DEFAULT_JOB_OUTPUT_BYTES, StoreBounds
from atectl.batch.settings import Isolation
from atectl.capsule.limits import CompileLimits
from atectl.errors import UsageError
from atectl.system.walls.amounts import DEFAULT_MAX_FDS
from atectl.units import format_size, parse_size, size_or_none

from ..options.bounds import BoundOptions, store_bounds
from ..options.compiling import CompileOptions, compile_limits
from ..options.host import HostOptions
from ..options.output import OUTPUT
from ..options.places import HOST_NAME, LEDGER, read_host_name
from ..options.quiet import QUIET
from ..options.table import (
    HELP_NAMES,
    Given,
    HelpWanted,
    Option,
    OptionTable,
    looks_like_option,
    options_of,
)
from ..output.stdout import Output

MAX_CELLS, MAX_FDS = 4096, 1 << 20

DEFAULT_REQUEUE = 2
"""How often a job is run again that the arbiter ended."""


class BatchRequest(NamedTuple):
    """One command line of `atectl batch`. `live` None: where there is a terminal for it; `output`
    None: a table on a terminal, else lines of JSON."""

    source: str
    options: HostOptions
    pool: int
    fails_fast: bool
    resume_from: Path | None
    grace: str
    trace: Path | None
    chart: Path | None
    ledger: str | None
    host_name: str | None
    live: bool | None
    is_quiet: bool
    uses_cache: bool
    compiling: CompileLimits
    bounds: StoreBounds
    output: Output | None
    max_output_bytes: int | None
    isolation: Isolation
    cells: int | None
    max_fds: int
    requeue: int
    capture_bytes: int | None
    results: Path | None
    is_tagged: bool
    retries: int
    is_dry: bool


_HOST = options_of(HostOptions)

TABLE = OptionTable(
    "batch",
    (
        _HOST.pop("jobs"),
        *_HOST.values(),
        *options_of(CompileOptions).values(),
        *options_of(BoundOptions).values(),
        Option("--pool", "N", "Idle stores kept for a reactor and principal.", "0", lowest=0),
        Option(
            "--keep-going",
            "",
            "Start more jobs after a failure.",
            "--keep-going",
            opposite="--fail-fast",
        ),
        Option("--resume-from", "FILE", "Skip jobs that succeeded in these results."),
        Option(
            "--max-output",
            "SIZE",
            "Most that a job may write to its stdout and stderr; `none` lifts it.",
            format_size(DEFAULT_JOB_OUTPUT_BYTES),
        ),
        Option(
            "--isolate",
            "",
            "Which jobs never share a process: none of them, those of two principals, or any two.",
            "principal",
            choices=get_args(Isolation),
        ),
        Option(
            "--cells",
            "N",
            "Most processes for isolated jobs that are alive at once; as many as jobs, up to 32.",
            lowest=1,
            highest=MAX_CELLS,
        ),
        Option(
            "--max-fds",
            "N",
            "Most descriptors of a process for isolated jobs.",
            str(DEFAULT_MAX_FDS),
            lowest=16,
            highest=MAX_FDS,
        ),
        Option(
            "--requeue",
            "N",
            "How often a job is run again that was ended for want of memory, and would fit alone.",
            str(DEFAULT_REQUEUE),
            lowest=0,
        ),
        Option(
            "--capture",
            "SIZE",
            "Keep the last SIZE that each job writes to stdout and to stderr, in its result.",
        ),
        Option(
            "--retries",
            "N",
            "How often a job is run again that fails: that traps, say, or exits with another"
            " status than 0.",
            "0",
            lowest=0,
        ),
        Option("--results", "DIR", "Write each result to a file of this folder, too."),
        Option(
            "--tag",
            "",
            "Print what jobs write in place of results, each line behind its job's label.",
        ),
        Option("--dry-run", "", "Read and check the jobs, and list them; run none."),
        Option("--grace", "DURATION", "Time to finish when terminated; none or 0 for none.", "5s"),
        Option("--trace", "FILE", "Record events and decisions."),
        Option("--chart", "FILE", "Draw memory over time as SVG."),
        LEDGER,
        HOST_NAME,
        Option("--live", "", "Show the live table, on a terminal.", opposite="--no-live"),
        QUIET,
        Option("--cache", "", "Keep compiled capsules.", "--cache", opposite="--no-cache"),
        OUTPUT._replace(help="Lines of JSON, or a table; on a terminal a table."),
    ),
    remedy="`atectl batch --help` shows how it is used",
)


def parse(words: list[str]) -> BatchRequest:
    """Read the words behind `atectl batch`.

    Raises:
        UsageError: an unknown option, a missing or unreadable value, not one FILE|- (exit 2).
        HelpWanted: help was asked for.
    """
    given = Given(TABLE)
    arguments = _take_all(words, given)
    if not arguments:
        raise UsageError("no FILE|- was named", remedy=TABLE.remedy)
    if len(arguments) > 1:
        raise UsageError(
            f"only one FILE|- is allowed, and {arguments[1]!r} is a second", remedy=TABLE.remedy
        )
    return BatchRequest(
        source=arguments[0],
        options=given.group(HostOptions),
        pool=given.read("--pool", int),
        fails_fast=not given.is_on("--keep-going"),
        resume_from=given.read("--resume-from", Path),
        grace=given.read("--grace", str),
        trace=given.read("--trace", Path),
        chart=given.read("--chart", Path),
        ledger=given.last("--ledger"),
        host_name=given.read("--host-name", read_host_name),
        live=given.is_on("--live"),
        is_quiet=QUIET.name in given,
        uses_cache=bool(given.is_on("--cache")),
        compiling=compile_limits(given.group(CompileOptions)),
        bounds=store_bounds(given.group(BoundOptions)),
        output=given.read("--output", Output),
        max_output_bytes=given.read("--max-output", size_or_none),
        isolation=given.read("--isolate", str),
        cells=given.read("--cells", int),
        max_fds=given.read("--max-fds", int),
        requeue=given.read("--requeue", int),
        capture_bytes=given.read("--capture", _read_capture),
        results=given.read("--results", Path),
        is_tagged=bool(given.is_on("--tag")),
        retries=given.read("--retries", int),
        is_dry=bool(given.is_on("--dry-run")),
    )


def _read_capture(text: str) -> int:
    from atectl.batch.cells.outputs import MAX_CAPTURE_BYTES

    size_bytes = parse_size(text)
    if not 0 < size_bytes <= MAX_CAPTURE_BYTES:
        raise UsageError(
            f"--capture {text} is not from 1 byte to {format_size(MAX_CAPTURE_BYTES)}",
            remedy="name files for larger outputs: stdout and stderr of a job",
        )
    return size_bytes


def _take_all(words: list[str], given: Given) -> list[str]:
    """Read every option into `given`. Returns the other words: the arguments."""
    arguments: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            return arguments + words[place + 1 :]
        if word in HELP_NAMES:
            raise HelpWanted
        behind = TABLE.take(words, place, given)
        if behind == place:
            if looks_like_option(word):
                raise TABLE.unknown(words, place)
            arguments.append(word)
            behind += 1
        place = behind
    return arguments
