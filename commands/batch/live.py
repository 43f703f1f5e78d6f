"""The live table of a batch: samples of it, drawn as lines of text."""

import os
import sys
import time
from collections.abc import Container, Sequence
from io import StringIO
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..terminal.guest import Draw
from .last_minute import LastMinute
from .results import is_success
from .tally import Tally

if TYPE_CHECKING:
    from atectl.batch.batch import Batch
    from atectl.batch.overview import BatchOverview

    from .leases_view import LiveLease
    from .live_view import LiveBatch

_RESERVED_LINES = 2
"""What the terminal keeps free below its cursor's line, and above."""


def live_table(batch: "Batch", tally: Tally) -> Draw:
    """How to draw the table of `batch`; what that needs is imported at the first frame."""
    sampler = _Sampler(batch, tally)

    def draw(columns: int, rows: int) -> Sequence[str]:
        from rich.console import Console

        from .live_view import BatchScreen

        console = Console(
            file=StringIO(),
            width=columns - 1,  # the last column is left: some terminals wrap behind it
            force_terminal=True,
            no_color=bool(os.environ.get("NO_COLOR")),
            highlight=False,
        )
        with console.capture() as capture:
            console.print(BatchScreen(sampler.sample(), max(rows - _RESERVED_LINES, 0)))
        return capture.get().rstrip("\n").split("\n")

    return draw


class _Sampler:
    def __init__(self, batch: "Batch", tally: Tally) -> None:
        self._batch = batch
        self._tally = tally
        self._history = LastMinute()
        self._began = time.monotonic()

    def sample(self) -> "LiveBatch":
        from .decisions_view import live_decisions
        from .live_view import LiveBatch

        view, tally = self._batch.overview(), self._tally
        elapsed_s = time.monotonic() - self._began
        self._history.add(elapsed_s, view.pressure.total_bytes)
        recent = list(tally.recent)
        labels = {each["job"]: each["label"] for each in recent}
        labels |= {row.job: row.label for row in view.rows}
        return LiveBatch(
            leases=(*map(_ended, recent), *_running(view, {each["job"] for each in recent})),
            pressure=view.pressure,
            budget=view.budget,
            history=self._history.until(elapsed_s),
            on_disk_bytes=view.on_disk_bytes,
            decisions=live_decisions(view.rulings, labels, view.now_s),
            done=tally.done,
            failed=tally.failed,
            left=tally.left,
            elapsed_s=elapsed_s,
            interrupted=tally.interrupted,
            is_stopping=tally.is_stopping,
            ascii_only=not sys.stderr.encoding.lower().startswith("utf"),
        )


def _running(view: "BatchOverview", ended: Container[int]) -> list["LiveLease"]:
    """Those that had not ended; the view is older than what is known of the `ended`."""
    from .leases_view import LiveLease

    return [
        LiveLease(
            number=row.job,
            label=row.label,
            principal=row.principal,
            capsule=row.capsule,
            state=row.state,
            linear_bytes=row.current_bytes,
            resident_bytes=row.resident_bytes,
            quota_bytes=row.quota_bytes,
            elapsed_s=row.wall_s,
        )
        for row in view.rows
        if row.job not in ended
    ]


def _ended(result: dict[str, Any]) -> "LiveLease":
    from .leases_view import LiveLease

    return LiveLease(
        number=result["job"],
        label=result["label"],
        principal=result["principal"],
        capsule=PurePath(result["capsule"]).name,
        state=_final_state(result),
        linear_bytes=result["peak_bytes"],
        resident_bytes=0,
        quota_bytes=result["quota_bytes"],
        elapsed_s=result["wall_s"],
        has_ended=True,
    )


def _final_state(result: dict[str, Any]) -> str:
    if is_success(result):
        return "done"
    if result["reason"] == "exited":
        return f"exit {result['exit_status']}"
    return "aborted" if result["reason"] == "arbiter" else str(result["reason"])
