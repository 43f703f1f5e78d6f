"""The command line of `atectl batch`: its table of options, and how a line is read by it.

Options may come before and after FILE|-, up to `--`. If an option is given twice, the last one
counts; the same holds for a flag and its opposite.
"""

import os
from pathlib import Path
from typing import NamedTuple

from atectl.accounting import StoreBounds
from atectl.batch.settings import Isolation
from atectl.capsule.limits import CompileLimits
from atectl.config import may_have_presets
from atectl.errors import UsageError
from atectl.units import parse_duration, size_or_none

from ..options.bounds import BoundOptions, store_bounds
from ..options.compiling import CompileOptions, compile_limits
from ..options.fleet import DEFAULT_TTL, HOST_TTL, INSECURE, ON, TlsOptions
from ..options.guests import (
    CAPTURE,
    CELLS,
    GRACE,
    ISOLATE,
    MAX_FDS,
    MAX_OUTPUT,
    POOL,
    REQUEUE,
    read_capture,
)
from ..options.host import HostOptions
from ..options.output import OUTPUT
from ..options.places import HOST_NAME, LEDGER, LIVE, PROFILE, QUIET, read_host_name
from ..options.table import (
    HELP_NAMES,
    Given,
    HelpWanted,
    Option,
    OptionTable,
    empty_word,
    looks_like_option,
    options_of,
)
from ..output.stdout import Output


class Fleet(NamedTuple):
    """The hosts that a batch is to run on: their scheduler, as given."""

    address: str
    tls: TlsOptions
    insecure: bool
    ttl_s: float


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
    fleet: Fleet | None


_HOST = options_of(HostOptions)

TABLE = OptionTable(
    "batch",
    (
        _HOST.pop("jobs"),
        *_HOST.values(),
        *options_of(CompileOptions).values(),
        *options_of(BoundOptions).values(),
        POOL,
        Option(
            "--keep-going",
            "",
            "Start more jobs after a failure.",
            "--keep-going",
            opposite="--fail-fast",
        ),
        Option("--resume-from", "FILE", "Skip jobs that succeeded in these results."),
        MAX_OUTPUT,
        ISOLATE,
        CELLS,
        MAX_FDS,
        REQUEUE,
        CAPTURE._replace(usually="the end of stderr, of a job that fails"),
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
        GRACE,
        Option("--trace", "FILE", "Record events and decisions."),
        Option("--chart", "FILE", "Draw memory over time as SVG."),
        PROFILE,
        LEDGER,
        HOST_NAME,
        LIVE,
        QUIET,
        Option("--cache", "", "Keep compiled capsules.", "--cache", opposite="--no-cache"),
        OUTPUT._replace(
            help="Lines of JSON, or a table.", usually="on a terminal a table, else json"
        ),
        ON,
        HOST_TTL,
        *options_of(TlsOptions).values(),
        INSECURE,
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
    if not arguments[0]:
        raise empty_word("FILE|-")
    if len(arguments) > 1:
        raise UsageError(
            f"only one FILE|- is allowed, and {arguments[1]!r} is a second", remedy=TABLE.remedy
        )
    if PROFILE.name in given or may_have_presets(TABLE.command, os.environ):
        # Most users have no settings; the others should not pay for this import.
        from ..options.presets import take_presets

        take_presets(given, TABLE, os.environ)
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
        capture_bytes=given.read(CAPTURE.name, read_capture),
        results=given.read("--results", Path),
        is_tagged=bool(given.is_on("--tag")),
        retries=given.read("--retries", int),
        is_dry=bool(given.is_on("--dry-run")),
        fleet=_fleet(given),
    )


_OF_A_FLEET = (ON, HOST_TTL, *options_of(TlsOptions).values(), INSECURE)

_OF_EVERY_BATCH = {
    *("--keep-going", "--resume-from", "--grace", "--live", "--output", "--max-capsule"),
    *("--retries", "--results", "--tag", "--dry-run", QUIET.name, CAPTURE.name),
    *(option.name for option in _OF_A_FLEET),
}
"""The options that a batch takes wherever its jobs run. The others are about its own host."""


def _fleet(given: Given) -> Fleet | None:
    """The fleet that the options name; None if the batch runs on this machine.

    Raises:
        UsageError: an option goes only with a batch here, or with one on hosts (exit 2).
    """
    address = given.last(ON.name)
    if address is None:
        for option in _OF_A_FLEET:
            if given.is_typed(option.name):
                raise UsageError(f"{option.name} goes with --on ADDRESS", remedy=TABLE.remedy)
        return None
    for option in TABLE.options:
        if given.is_typed(option.name) and option.name not in _OF_EVERY_BATCH:
            used = option.name if option.takes_value else given.last(option.name)
            raise UsageError(
                f"{used} is about a host of one's own, and --on names others",
                remedy="leave it out; `atectl host join` has the options of a host",
            )
    return Fleet(
        address,
        given.group(TlsOptions),
        INSECURE.name in given,
        given.read(HOST_TTL.name, parse_duration) or parse_duration(DEFAULT_TTL),
    )


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
