"""The live table of one run: what is known of the lease, drawn as lines of text."""

import os
import sys
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

from ..terminal.guest import Draw

if TYPE_CHECKING:
    from atectl.lease.lease import Lease

    from .live_view import LiveRun


def live_table(lease: "Lease") -> Draw:
    """How to draw the table of `lease`; what that needs is imported at the first frame."""

    def draw(columns: int, _rows: int) -> Sequence[str]:
        from rich.console import Console

        from .live_view import live_run

        console = Console(
            file=StringIO(),
            width=columns - 1,  # the last column is left: some terminals wrap behind it
            force_terminal=True,
            no_color=bool(os.environ.get("NO_COLOR")),
            highlight=False,
        )
        with console.capture() as capture:
            console.print(live_run(_sample(lease)))
        return capture.get().rstrip("\n").split("\n")

    return draw


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
        ascii_only=not sys.stderr.encoding.lower().startswith("utf"),
    )
