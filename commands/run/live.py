"""What stands between a running guest and its terminals, with a live table of its lease."""

import sys
from typing import TYPE_CHECKING

from ..terminal.events import Resized
from ..terminal.frames import is_ascii_only
from ..terminal.guest import GuestTerminal, has_place_for_table, live_table, terminals
from ..terminal.live import Live
from .arguments import RunRequest

if TYPE_CHECKING:
    from rich.console import RenderableType

    from atectl.lease.lease import Lease

    from .live_view import LiveRun


def guest_terminals(lease: "Lease", request: RunRequest) -> list[GuestTerminal]:
    """One for each terminal that the guest's output goes to, as far as it is needed."""
    wanted = False if request.live is None and request.raw_output else request.live
    has_table = has_place_for_table(wanted)
    found = []
    for descriptors in terminals():
        live = _table(lease) if has_table and 2 in descriptors else None
        if live is not None or not request.raw_output:
            found.append(GuestTerminal(descriptors, live, raw=request.raw_output))
    return found


def _table(lease: "Lease") -> "Live[LiveRun | None, LiveRun]":
    return live_table(None, lambda: _sample(lease), _reduce, _view)


def _reduce(state: "LiveRun | None", event: "Resized | LiveRun") -> "LiveRun | None":
    """The state is the latest sample: the same is drawn on every terminal."""
    return state if isinstance(event, Resized) else event


def _view(state: "LiveRun | None") -> "RenderableType":
    from .live_view import live_run

    return "" if state is None else live_run(state)


def _sample(lease: "Lease") -> "LiveRun":
    from atectl.accounting import Budget, Pressure
    from atectl.system.memory import host_memory, resident_bytes

    from .live_view import LiveRun

    reading, resident = lease.read(), resident_bytes()
    return LiveRun(
        principal=lease.terms.principal,
        capsule=lease.capsule.name,
        state="ending" if lease.is_ending else "running",
        current_bytes=reading.current_bytes,
        quota_bytes=lease.terms.quota.memory_bytes,
        peak_bytes=reading.peak_bytes,
        refused_growths=reading.refused_growths,
        cpu_s=lease.cpu_s,
        elapsed_s=lease.wall_s,
        pressure=Pressure(resident, 0, reading.current_bytes),
        budget=Budget(host_memory().limit_bytes),
        ascii_only=is_ascii_only(sys.stderr),
    )
