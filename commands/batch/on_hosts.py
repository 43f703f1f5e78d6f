"""`atectl batch --on`: one run of it, on the hosts of a fleet."""

import os
import time
from typing import TYPE_CHECKING

from atectl.batch.fleet.submitting import FleetBatch
from atectl.capsule.content import Contents

from ..options.fleet import address_of
from ..output.stderr import is_quiet, report_warning
from ..output.streams import forget_stdout
from ..terminal.waiting import while_user_waits
from .arguments import BatchRequest, Fleet
from .loop import Work
from .running import (
    capture_of,
    grace_in_s,
    list_only,
    refuse_replaced,
    results_of,
    run_below,
    say_how_it_went,
    status_of,
)
from .source import open_source
from .tally import Tally

if TYPE_CHECKING:
    from ..terminal.guest import GuestTerminal


def run_on_hosts(request: BatchRequest, fleet: Fleet) -> int:
    """Run the jobs that are asked for; the exit status.

    Raises:
        AtectlError: nothing was run, or the fleet could not go on.
    """
    address = address_of(fleet.address, fleet.tls, insecure=fleet.insecure)
    source = open_source(request.source, elsewhere=True)
    if request.is_dry:
        return list_only(request, source)
    grace_s = grace_in_s(request.grace)
    refuse_replaced(request, source)
    tally = Tally(source.total)
    was_done, tell = results_of(request, tally)
    began = time.monotonic()
    batch = FleetBatch(
        address,
        Contents(request.compiling.max_capsule_bytes),
        ttl_s=fleet.ttl_s,
        capture_bytes=capture_of(request),
        retries=request.retries,
        fails_fast=request.fails_fast,
        warn=report_warning,
    )
    work = Work(source.submissions, was_done, request.fails_fast, _nothing, lambda _job: None, tell)
    try:
        status = _run(batch, request, work, tally, grace_s)
    finally:
        if tally.has_begun:
            say_how_it_went(request, tally, time.monotonic() - began)
    return status or status_of(tally)


def _run(
    batch: FleetBatch, request: BatchRequest, work: Work, tally: Tally, grace_s: float
) -> int | None:
    """Run the jobs; the exit status of the signal that ended them, if one did."""
    try:
        while_user_waits("connecting to the scheduler", batch.connect)
        return run_below(_screens(batch, tally, request), batch, work, tally, grace_s)
    finally:
        if not tally.has_reader:
            forget_stdout()
        batch.close()


def _screens(batch: FleetBatch, tally: Tally, request: BatchRequest) -> "list[GuestTerminal]":
    """The terminal that stderr leads to, with the live table; none where it leads to none."""
    if not os.isatty(2):
        return []
    from .hosts_live import guest_terminals

    return guest_terminals(batch, tally, False if is_quiet() else request.live)


def _nothing() -> None:
    """There is no host here to warn about."""
