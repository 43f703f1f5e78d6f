"""One run of `atectl batch`, from its command line to its exit status."""

import os
import stat
import sys
import time
from typing import TYPE_CHECKING

from atectl import config
from atectl.errors import CacheUnusable
from atectl.inert import inert_line
from atectl.units import format_duration, parse_duration, show_size

from .batch_loop import Tally, Work, run_jobs
from .batch_options import BatchRequest
from .batch_output import result_writer
from .batch_recording import recording
from .batch_results import DoneBefore, read_done
from .batch_signals import ending_by_signals
from .batch_source import JobSource, open_source, settle
from .main import report_warning
from .waiting import while_user_waits

if TYPE_CHECKING:
    from atectl.arbiter import Observer
    from atectl.artifact_cache import ArtifactCache
    from atectl.batch import Batch
    from atectl.budget import HostSettings

    from .guest_terminal import GuestTerminal


def run_batch(request: BatchRequest) -> int:
    """Run the jobs that are asked for; the exit status.

    Raises:
        AtectlError: nothing was run, or the host could not go on.
    """
    source = open_source(request.source)
    host = settle(source.host, request.options)
    grace_s = 0.0 if request.grace == "none" else parse_duration(request.grace)
    done = DoneBefore() if request.resume_from is None else read_done(request.resume_from)
    tally = Tally(source.total)
    work = Work(source.submissions, done, request.fails_fast, result_writer(request.output).write)
    began = time.monotonic()
    with recording(request, host) as observer:
        batch = _open(request, host, observer)
        signalled = _run(batch, request, source, work, tally, grace_s)
    print(inert_line(closing_line(tally, time.monotonic() - began)), file=sys.stderr)
    return signalled or int(tally.failed > 0)


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
        count = len(source.capsules)
        while_user_waits(f"loading {count} capsules", lambda: batch.prepare(source.capsules))
        screens = _screens(batch, tally, request)
        with ending_by_signals(batch, tally, screens, grace_s) as ending:
            for screen in screens:
                screen.start()
            try:
                run_jobs(batch, work, tally)
            finally:
                for screen in screens:
                    screen.stop()
        return ending.exit_status
    finally:
        for failure in (batch.close(), batch.spill_failure):
            if failure is not None:
                report_warning(failure)


def closing_line(tally: Tally, elapsed_s: float) -> str:
    """The batch in one line."""
    parts = [f"{tally.done} done", f"{tally.failed} failed"]
    if tally.skipped:
        parts.append(f"{tally.skipped} done before")
    if tally.left:
        parts.append(f"{tally.left} not started")
    if tally.spills:
        parts.append(f"{tally.spills} spills of {show_size(tally.spilled_bytes)} together")
    return f"{', '.join(parts)}, in {format_duration(elapsed_s)}"


def _open(request: BatchRequest, host: "HostSettings", observer: "Observer | None") -> "Batch":
    from atectl.arbitration import rules
    from atectl.batch import Batch, BatchSettings

    settings = BatchSettings(
        jobs=host.jobs_at_once,
        budget=host.budget(),
        rules=rules(host.backpressure, host.policy),
        spill_dir=host.spill_dir,
        spill_cap_bytes=host.spill_cap_bytes,
        pool=request.pool,
        observer=observer,
    )
    return Batch(settings, _cache(request), request.ledger)


def _cache(request: BatchRequest) -> "ArtifactCache | None":
    if not request.uses_cache:
        return None
    from atectl.artifact_cache import ArtifactCache

    try:
        return ArtifactCache.open(config.cache_dir(), max_bytes=config.cache_max_bytes())
    except CacheUnusable as error:
        report_warning(error)
        return None


def _screens(batch: "Batch", tally: Tally, request: BatchRequest) -> "list[GuestTerminal]":
    """The live table, on the terminal that stderr leads to; none where it leads to none."""
    wanted = request.live
    if wanted is None:
        # What reads a pipe may well write to the same terminal, and would write over the table.
        wanted = not stat.S_ISFIFO(os.fstat(1).st_mode)
    if not (wanted and os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"):
        return []
    from .batch_live import live_table
    from .guest_terminal import GuestTerminal, terminals

    draw = live_table(batch, tally)
    return [GuestTerminal(each, draw, raw=True) for each in terminals() if 2 in each]
