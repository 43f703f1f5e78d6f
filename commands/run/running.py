"""`atectl run`: one capsule under one quota, from the command line to the exit status."""

import os
import sys
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING

from atectl.accounting import DEFAULT_MEMORY_BYTES
from atectl.errors import AtectlError

from ..output.streams import lead_past, patient_stderr
from ..terminal.signals import ended_by_signals
from .arguments import RunRequest, parse
from .finished import FinishedRun

if TYPE_CHECKING:
    from atectl.capsule.compilation import Compilation
    from atectl.engine.wasi import Folder
    from atectl.lease.lease import Lease
    from atectl.lease.locked import LeaseLock
    from atectl.lease.runtime import Runtime
    from atectl.lease.walled import RunWalls
    from atectl.ledger_store.process_ledger import ProcessLedger

    from ..terminal.guest import GuestTerminal


def run(words: list[str]) -> int:
    """Run the words after `atectl run`; its exit status: see commands/output/README.md.

    Raises:
        AtectlError: nothing was run.
    """
    request = parse(words, os.environ)
    if not request.is_quiet:
        return _run(request)
    # Few runs are quiet; the others should not pay for this import.
    from ..output.stderr import quietly

    with quietly():
        return _run(request)


def _run(request: RunRequest) -> int:
    request = request._replace(wasi=request.wasi._replace(write_stderr=patient_stderr()))
    if request.quota.memory_bytes > DEFAULT_MEMORY_BYTES:
        _warn_of_quota(request.quota.memory_bytes)
    if request.wasi.folders:
        _warn_of_devices(request.wasi.folders)
    if request.report is None:
        finished = _run_capsule(request)
        _print_results(finished)
    else:
        # Few runs have a report, and the others should not pay for its imports.
        from .report import CutShort, Reporting

        reporting = Reporting(request.report, request)
        try:
            with reporting.of_run():
                finished = _run_capsule(request)
        except CutShort as cut:
            return cut.ending.status
        _print_results(finished)
        reporting.finish(finished)
    _conclude(finished)
    return finished.outcome.exit_status


def _warn_of_quota(memory_bytes: int) -> None:
    """Warn of a quota that the machine has no memory for: it may end the process without a word."""
    from atectl.budget.bounds import quota_over_ceiling
    from atectl.system.ceilings import ceilings, tightest

    from ..output.stderr import report_warning

    warning = quota_over_ceiling(memory_bytes, tightest(ceilings()))
    if warning is not None:
        report_warning(warning)


def _warn_of_devices(folders: "tuple[Folder, ...]") -> None:
    from atectl.engine.wasi import devices_in

    for folder in folders:
        warning = devices_in(folder)
        if warning is not None:
            from ..output.stderr import report_warning

            report_warning(warning)


def _run_capsule(request: RunRequest) -> FinishedRun:
    began_s = time.monotonic()
    runtime = _runtime(request)
    lease = _lease(request, runtime, began_s)
    screens = _screens(runtime.ledger, lease, request)
    ended = ended_by_signals(lambda ending: lease.end(ending.reason), screens)
    waits_s = time.monotonic()
    with ended, _locked(request, lease) as lock:
        waited_s = time.monotonic() - waits_s
        for screen in screens:
            screen.start()
        walls = _walls(request, runtime, lease, has_screen=bool(screens))
        try:
            lease.start(waited_s, walls)
            runtime.store_ledger()
            lease.join()
        finally:
            walls.after_guest()
            for screen in screens:
                screen.stop(lead_past if lease.was_given_up else os.dup2)
        # The lock first: if it was lost, that is the outcome that the ledger has to store.
        failures = [None if lock is None else lock.settle(), runtime.close()]
    warnings = [*runtime.warnings, *(each for each in failures if each is not None)]
    return FinishedRun(request, lease, lease.outcome, warnings, lock, walls.walls)


def _walls(
    request: RunRequest, runtime: "Runtime", lease: "Lease", *, has_screen: bool
) -> "RunWalls":
    """The walls around the guest; those of this process stand then."""
    from atectl.lease.walled import RunWalls

    has_network = request.lock is not None or runtime.uses_network
    walls = RunWalls(lease, request.max_fds, has_network=has_network, has_screen=has_screen)
    walls.around_process()
    return walls


def _runtime(request: RunRequest) -> "Runtime":
    # When a guest asks to grow, its thread gets the interpreter from the others sooner.
    sys.setswitchinterval(0.0005)
    from atectl.engine.settings import EngineSettings
    from atectl.lease.runtime import Runtime

    return Runtime(
        request.ledger,
        uses_cache=request.uses_cache,
        target=EngineSettings(
            request.quota.fuel is not None, request.max_stack_bytes, request.bounds
        ),
        compiling=request.compiling,
        host_name=request.host_name,
    )


def _lease(request: RunRequest, runtime: "Runtime", began_s: float) -> "Lease":
    from atectl.capsule.source import path_of
    from atectl.lease.terms import Terms

    terms = Terms(
        principal=request.principal,
        quota=request.quota,
        wasi=request.wasi,
        invoke=request.invoke,
        label=request.label,
        traps_on_refusal=request.traps_on_refusal,
    )
    path, deadline_s = path_of(request.capsule), request.quota.deadline_s
    until = None if deadline_s is None else began_s + deadline_s
    with ExitStack() as told:

        def tell_if_long(compilation: "Compilation") -> None:
            # Few runs compile; the others should not pay for this import.
            from ..terminal.waiting import QUIET_S, telling

            if not compilation.wait(QUIET_S) and not request.is_quiet:
                why = "once: it is kept for the next run" if request.uses_cache else ""
                told.enter_context(telling(f"compiling {path.name}", why=why))

        try:
            is_command = request.invoke is None
            capsule = runtime.load(path, request.quota, until, tell_if_long, as_command=is_command)
        except AtectlError as error:
            if runtime.charge_for_refusal(path.name, terms, error):
                runtime.store_ledger()
                runtime.close()
            raise
    return runtime.lease(capsule, terms, began_s=began_s)


def _locked(request: RunRequest, lease: "Lease") -> "AbstractContextManager[LeaseLock | None]":
    """The lock of the actor of the run; None if it has no actor."""
    lock = request.lock
    if lock is None:
        return nullcontext()
    from atectl.lease.locked import locked

    from ..options.places import connected
    from ..output.stderr import report_warning, tell_of_wait

    return locked(lambda: connected(lock.redis), lock.wanted, lease, tell_of_wait, report_warning)


def _screens(ledger: "ProcessLedger", lease: "Lease", request: RunRequest) -> "list[GuestTerminal]":
    """Filters between the guest and each terminal that its output goes to."""
    if not (os.isatty(1) or os.isatty(2)):
        return []
    from .live import guest_terminals

    return guest_terminals(ledger, lease, request)


def _print_results(finished: FinishedRun) -> None:
    """Print what an invoked export returned."""
    if finished.outcome.results:
        from atectl.inert import inert_text

        is_inert = sys.stdout.isatty() and not finished.request.raw_output
        for result in finished.outcome.results:
            print(inert_text(result) if is_inert else result)
        sys.stdout.flush()


def _conclude(finished: FinishedRun) -> None:
    """Print the summary, if it has anything to say or a terminal shows it."""
    reading = finished.lease.read()
    if (
        finished.outcome.error
        or finished.warnings
        or finished.lease.failures
        or reading.refused_growths
        or (sys.stderr.isatty() and not finished.request.is_quiet)
    ):
        from .summary import print_summary

        print_summary(finished)
