"""`atectl batch`: one run of it, from its command line to its exit status."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from atectl.budget.errors import BadJob
from atectl.budget.jobs import Submission
from atectl.errors import BROKEN_PIPE_STATUS, AtectlError, ReportUnwritable
from atectl.inert import inert_line
from atectl.system.identity import Place, identities
from atectl.units import counted, parse_duration

from ..options.host import STDIN, settle
from ..output.files import (
    ledger_files,
    refuse_clashes,
    refuse_in_folder,
    refuse_replacing_others,
)
from ..output.stderr import is_quiet, report_error, report_warning, say
from ..output.stdout import Output
from ..output.streams import forget_stdout
from ..terminal.waiting import while_user_waits
from .arguments import BatchRequest
from .closing import closing_lines
from .loop import Runner, Work, run_jobs
from .output import Tell, result_writer
from .recording import recording
from .signals import ending_by_signals
from .source import JobSource, open_source
from .tally import Tally
from .warnings import warn_of_budget, warn_of_job

if TYPE_CHECKING:
    from pathlib import Path

    from atectl.arbitration.chronicle import Observer
    from atectl.batch.batch import Batch
    from atectl.batch.lines import ResultLine
    from atectl.batch.reserved import Reserved
    from atectl.budget.file import HostSettings
    from atectl.budget.jobs import Job

    from ..terminal.guest import GuestTerminal
    from .resuming import Earlier


_TAGGED_BYTES = 1 << 20
"""How much of each output is kept with `--tag`, if nothing else is said."""


def run_batch(request: BatchRequest) -> int:
    """Run the jobs that are asked for; the exit status.

    Raises:
        AtectlError: nothing was run, or the host could not go on.
    """
    source = open_source(request.source)
    if request.is_dry:
        return list_only(request, source)
    host = settle(source.host, request.options)
    grace_s = grace_in_s(request.grace)
    refuse_replaced(request, source)
    tally = Tally(source.total)
    was_done, tell = results_of(request, tally)
    began = time.monotonic()
    try:
        with recording(request, host) as recorded:
            batch = _open(request, host, recorded.observer)

            def warn() -> None:
                warn_of_budget(host, source, batch.baseline_bytes)

            def look_at(job: "Job") -> None:
                warn_of_job(job, has_pool=request.pool > 0)

            work = Work(source.submissions, was_done, request.fails_fast, warn, look_at, tell)
            signalled = _run(batch, request, source, work, tally, grace_s)
    finally:
        if tally.has_begun:
            say_how_it_went(request, tally, time.monotonic() - began)
    tally.lacks_files |= recorded.has_failed
    return signalled or status_of(tally)


def say_how_it_went(request: BatchRequest, tally: Tally, elapsed_s: float) -> None:
    """Close with what became of the jobs."""
    # One failure alone stands in the table, and with --tag each was told as it came.
    is_told = request.is_tagged or (tally.failed == 1 and output_of(request) is not Output.json)
    for line in closing_lines(request.source, tally, elapsed_s, tells_why=not is_told):
        say(inert_line(line))


def refuse_replaced(request: BatchRequest, source: JobSource) -> None:
    """See that results, trace and chart replace nothing else, and that no result becomes a job."""
    capsules = [("a capsule", path) for path in source.capsules]
    results, *inputs = _own_files(request)
    for identity in identities([results], regular=True):
        # Results may be appended to those of an earlier batch: `_results` sees to that.
        known = [each for each in inputs if each != _earlier_results(request)]
        what = identities([*known, *capsules], regular=True).get(identity)
        if what is not None:
            raise BadJob(f"stdout is {what}", remedy="send the results to another file")
    others = [results, *inputs, *capsules]
    recorded = [("--trace", request.trace), ("--chart", request.chart)]
    refuse_clashes(recorded, others)
    refuse_in_folder("--results", request.results, [*others, *recorded])
    if not source.capsules:  # which capsules its jobs name is not known yet
        for option, path, kind, beginning in (
            ("--trace", request.trace, "trace", b'{"event":"trace"'),
            ("--chart", request.chart, "chart", b"<svg"),
        ):
            if path is not None:
                refuse_replacing_others(option, path, kind, beginning)


def _own_files(request: BatchRequest) -> "list[tuple[str, Place]]":
    """The files that the batch itself reads and writes, and what each is."""
    reads_stdin = request.source == STDIN
    return [
        ("where the results go", 1),
        ("where the jobs come from", 0 if reads_stdin else request.source),
        _earlier_results(request),
        *ledger_files(request.ledger),
    ]


def _earlier_results(request: BatchRequest) -> "tuple[str, Place]":
    return "the file of earlier results", request.resume_from


def _reserved(request: BatchRequest) -> "Reserved":
    """What no job may have as a stream."""
    from atectl.batch.reserved import reserve

    recorded = [("the trace", request.trace), ("the chart", request.chart)]
    found = reserve(
        [*_own_files(request), *recorded], folders=[("the folder of --results", request.results)]
    )
    # Other programs may write to the terminal or the pipe where messages go, but not begin it anew.
    messages = identities([("where messages go", 2)], regular=True)
    return found._replace(files={**messages, **found.files})


def grace_in_s(text: str) -> float:
    """Seconds of grace: a duration, or `none` or 0 for none."""
    return 0.0 if text in ("none", "0", "0s") else parse_duration(text)


def results_of(request: BatchRequest, tally: Tally) -> tuple[Callable[[Submission], bool], Tell]:
    """Two functions: whether an earlier batch did a job, and what writes a result of this one."""
    tell = _tell(request, tally)
    if request.resume_from is None:
        return lambda _: False, tell
    # Few batches go on with another; the others should not pay for this import.
    from .resuming import going_on_in, refuse_replacing

    refuse_replacing(request.resume_from)
    earlier = _earlier(request, request.resume_from)
    if earlier.is_cut_off:
        tell = going_on_in(request.resume_from, tell)
    return earlier.done.take, tell


def _earlier(request: BatchRequest, results: "Path") -> "Earlier":
    from atectl.capsule.content import Contents

    from .resuming import read_done

    earlier = read_done(results, Contents(request.compiling.max_capsule_bytes))
    if earlier.doubt is not None:
        report_warning(earlier.doubt)
    return earlier


def list_only(request: BatchRequest, source: JobSource) -> int:
    """List the jobs and run none; the exit status."""
    from .dry_run import list_jobs

    results = request.resume_from
    was_done = (lambda _: False) if results is None else _earlier(request, results).done.take
    return list_jobs(source.submissions, was_done, output_of(request))


def _tell(request: BatchRequest, tally: Tally) -> Tell:
    """What writes a result; that a file cannot be written keeps none of them from stdout."""
    write = result_writer(output_of(request), is_tagged=request.is_tagged).write
    if request.results is None:
        return write
    from .result_files import ResultFiles

    files = ResultFiles(request.results)

    def write_both(result: "ResultLine") -> None:
        try:
            files.write(result)
        except ReportUnwritable as error:
            if not tally.lacks_files:
                report_error(error)
            tally.lacks_files = True
        write(result)

    return write_both


def output_of(request: BatchRequest) -> Output:
    """The form of the results: a table for people, lines for programs."""
    return request.output or (Output.table if sys.stdout.isatty() else Output.json)


def status_of(tally: Tally) -> int:
    """The exit status of a batch that no signal ended."""
    if not tally.has_reader:
        return BROKEN_PIPE_STATUS
    return int(tally.failed > 0) or (AtectlError.exit_status if tally.lacks_files else 0)


def _run(
    batch: "Batch",
    request: BatchRequest,
    source: JobSource,
    work: Work,
    tally: Tally,
    grace_s: float,
) -> int | None:
    """Run the jobs; the exit status of the signal that ended them, if one did."""
    try:
        what = counted(len(source.capsules), "capsule")
        while_user_waits(f"loading {what}", lambda: batch.prepare(source.capsules))
        return run_below(_screens(batch, tally, request), batch, work, tally, grace_s)
    finally:
        if not tally.has_reader:
            forget_stdout()
        for failure in (batch.close(), batch.spill_failure):
            if failure is not None:
                report_warning(failure)


def capture_of(request: BatchRequest) -> int | None:
    """How much to keep of each output of a job; None keeps the end of stderr of one that fails."""
    if request.is_tagged and request.capture_bytes is None:
        return _TAGGED_BYTES
    return request.capture_bytes


def _open(request: BatchRequest, host: "HostSettings", observer: "Observer | None") -> "Batch":
    from atectl.arbitration.policies import rules
    from atectl.batch.batch import Batch
    from atectl.batch.settings import BatchSettings
    from atectl.engine.settings import EngineSettings
    from atectl.lease.runtime import Runtime

    settings = BatchSettings(
        jobs=host.jobs_at_once,
        budget=host.budget(),
        rules=rules(host.backpressure, host.policy),
        spill_dir=host.spill_dir,
        spill_cap_bytes=host.spill_cap_bytes,
        pool=request.pool,
        observer=observer,
        fails_fast=request.fails_fast,
        reserved=_reserved(request),
        max_output_bytes=request.max_output_bytes,
        isolation=request.isolation,
        cells=request.cells,
        max_fds=request.max_fds,
        requeue=request.requeue,
        capture_bytes=capture_of(request),
        retries=request.retries,
    )
    runtime = Runtime(
        request.ledger,
        uses_cache=request.uses_cache,
        target=EngineSettings(bounds=request.bounds),
        compiling=request.compiling,
        host_name=request.host_name,
    )
    for warning in runtime.warnings:
        report_warning(warning)
    return Batch(settings, runtime)


def run_below(
    screens: "Sequence[GuestTerminal]", batch: Runner, work: Work, tally: Tally, grace_s: float
) -> int | None:
    """Run the jobs below their screens; the exit status of the signal that ended them, if any."""
    with ending_by_signals(batch, tally, screens, grace_s) as received:
        for screen in screens:
            screen.start()
        try:
            run_jobs(batch, work, tally)
        finally:
            for screen in screens:
                screen.stop()
    return None if received.ending is None else received.ending.status


def _screens(batch: "Batch", tally: Tally, request: BatchRequest) -> "list[GuestTerminal]":
    """The terminal that stderr leads to, with the live table; none where it leads to none."""
    if not os.isatty(2):
        return []
    from .live import guest_terminals

    return guest_terminals(batch, tally, False if is_quiet() else request.live)
