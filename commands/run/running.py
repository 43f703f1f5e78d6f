"""`atectl run`: one capsule under one quota, from the command line to the exit status."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atectl import config
from atectl.errors import AtectlError, CacheUnusable

from ..terminal.signals import ended_by_signals
from ..terminal.waiting import while_user_waits
from .arguments import RunRequest, parse
from .finished import FinishedRun

if TYPE_CHECKING:
    from atectl.capsule.cache import ArtifactCache
    from atectl.lease.lease import Lease
    from atectl.ledger_store.flusher import LeaseFlusher

    from ..terminal.guest import GuestTerminal
    from .lock import RunLock


def run(words: list[str]) -> int:
    """Run the words behind `atectl run`; the exit status of design.md's table.

    Raises:
        AtectlError: nothing was run.
    """
    request = parse(words, os.environ)
    if request.report is not None:
        from ..output.files import check_report_place

        check_report_place(request.report)
    try:
        finished = _run_capsule(request)
    except AtectlError as error:
        if request.report is not None:
            from .report import report_of_refusal, write_report

            write_report(request.report, report_of_refusal(request, error))
        raise
    _conclude(finished)
    return finished.outcome.exit_status


def _run_capsule(request: RunRequest) -> FinishedRun:
    ledger_path = config.ledger_path(request.ledger)
    warnings: list[AtectlError] = []
    lease = _prepare(request, warnings)
    flusher = None
    screens = _screens(lease, request)
    ended = ended_by_signals(lambda ending: lease.end(ending.reason), screens)
    with ended, _locked(request, lease) as lock:
        for screen in screens:
            screen.start()
        try:
            lease.start()
            if ledger_path is not None:
                flusher = _start_flusher(request.ledger, lease)
            outcome = lease.join()
        finally:
            for screen in screens:
                screen.stop()
        if lock is not None:
            outcome = lock.settle(outcome, warnings)
        if flusher is not None:
            record = lease.record()._replace(reason=outcome.reason, exit_status=outcome.exit_status)
            failure = flusher.close([record])
            if failure is not None:
                warnings.append(failure)
    return FinishedRun(request, lease, outcome, warnings, lock)


def _locked(request: RunRequest, lease: "Lease") -> "AbstractContextManager[RunLock | None]":
    """The lock of the actor that the run is for, None if it is for none."""
    if request.lock is None:
        return nullcontext()
    from .lock import taken

    return taken(request.lock, lease)


def _prepare(request: RunRequest, warnings: list[AtectlError]) -> "Lease":
    # Every thread of ours yields to the guest's own when it asks to grow.
    sys.setswitchinterval(0.0005)
    from atectl.accounting import Ledger
    from atectl.capsule.loading import load
    from atectl.engine.metered import Engine
    from atectl.lease.lease import Lease, Terms

    engine = Engine(
        fuel=request.quota.fuel is not None,
        max_stack_bytes=request.max_stack_bytes,
    )
    cache, path = _cache(request, warnings), Path(request.capsule)
    capsule = while_user_waits(f"compiling {path.name}", lambda: load(engine, path, cache))
    if capsule.cache_error is not None:
        warnings.append(capsule.cache_error)
    terms = Terms(
        principal=request.principal,
        quota=request.quota,
        wasi=request.wasi,
        invoke=request.invoke,
        label=request.label,
        traps_on_refusal=request.traps_on_refusal,
    )
    return Lease(engine, capsule, terms, Ledger())


def _cache(request: RunRequest, warnings: list[AtectlError]) -> "ArtifactCache | None":
    if not request.uses_cache:
        return None
    from atectl.capsule.cache import ArtifactCache

    try:
        return ArtifactCache.open(config.cache_dir(), max_bytes=config.cache_max_bytes())
    except CacheUnusable as error:
        warnings.append(error)
        return None


def _start_flusher(place: str | None, lease: "Lease") -> "LeaseFlusher":
    from atectl.ledger_store.flusher import LeaseFlusher

    def open_store() -> Any:
        from atectl.ledger_store.opening import open_for_writing

        return open_for_writing(place)

    flusher = LeaseFlusher(open_store, lambda: [lease.record()])
    flusher.start()
    return flusher


def _screens(lease: "Lease", request: RunRequest) -> "list[GuestTerminal]":
    """What stands between the guest and each terminal that its output goes to."""
    if not (os.isatty(1) or os.isatty(2)):
        return []
    from .live import guest_terminals

    return guest_terminals(lease, request)


def _conclude(finished: FinishedRun) -> None:
    """Print the results of an invoked export, write the report, and say what is to be said."""
    if finished.outcome.results:
        from atectl.inert import inert_text

        is_inert = sys.stdout.isatty() and not finished.request.raw_output
        for result in finished.outcome.results:
            print(inert_text(result) if is_inert else result)
        sys.stdout.flush()
    if finished.request.report is not None:
        from .report import report_of_run, write_report

        write_report(finished.request.report, report_of_run(finished))
    reading = finished.lease.read()
    if (
        finished.outcome.error
        or finished.warnings
        or finished.lease.failures
        or reading.refused_growths
        or sys.stderr.isatty()
    ):
        from .summary import print_summary

        print_summary(finished)
