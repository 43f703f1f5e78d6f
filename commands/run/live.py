"""The terminals of a running guest, with a live table of its lease."""

import sys
from typing import TYPE_CHECKING

from ..terminal.events import Resized
from ..terminal.frames import is_ascii_only
from ..terminal.guest import Controls, GuestTerminal, has_place_for_table, live_table, terminals
from ..terminal.live import Live
from .arguments import RunRequest

if TYPE_CHECKING:
    from rich.console import RenderableType

    from atectl.lease.lease import Lease
    from atectl.ledger_store.process_ledger import ProcessLedger

    from .live_view import LiveRun


_CONTROLS: "dict[bool | None, Controls]" = {None: "colours", False: "none", True: "all"}


def guest_terminals(
    ledger: "ProcessLedger", lease: "Lease", request: RunRequest
) -> list[GuestTerminal]:
    """The terminals that the guest's output goes to, except those that get it unchanged."""
    is_unwanted = request.is_quiet or (request.live is None and request.raw_output)
    wanted = False if is_unwanted else request.live
    has_table = has_place_for_table(wanted)
    found = []
    for descriptors in terminals():
        live = _table(ledger, lease) if has_table and 2 in descriptors else None
        if live is not None or not request.raw_output:
            found.append(GuestTerminal(descriptors, live, _CONTROLS[request.raw_output]))
    return found


def _table(ledger: "ProcessLedger", lease: "Lease") -> "Live[LiveRun | None, LiveRun]":
    return live_table(None, lambda: _sample(ledger, lease), _reduce, _view)


def _reduce(state: "LiveRun | None", event: "Resized | LiveRun") -> "LiveRun | None":
    """The state is the latest sample; the size of the terminal does not matter."""
    return state if isinstance(event, Resized) else event


def _view(state: "LiveRun | None") -> "RenderableType":
    from .live_view import live_run

    return "" if state is None else live_run(state)


def _sample(ledger: "ProcessLedger", lease: "Lease") -> "LiveRun":
    from atectl.accounting import Budget, Pressure
    from atectl.system.memory import host_memory, resident_bytes

    from .live_view import LiveRun

    # The ledger lists it only from its start to its end; it is drawn a moment longer.
    record = next(iter(ledger.running()), None) or lease.record()
    return LiveRun(
        principal=record.principal,
        capsule=record.capsule,
        state="ending" if lease.is_ending else "running",
        current_bytes=record.current_bytes,
        quota_bytes=record.quota_bytes,
        peak_bytes=record.high_water_bytes,
        refused_growths=record.refused_growths,
        cpu_s=record.cpu_s,
        elapsed_s=lease.wall_s,
        pressure=Pressure(resident_bytes(), 0, record.current_bytes),
        budget=Budget(host_memory().limit_bytes),
        ascii_only=is_ascii_only(sys.stderr),
    )
