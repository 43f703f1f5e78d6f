"""The live table of a batch: what its state is, and how a look at the batch changes it."""

import sys
import time
from collections.abc import Container
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from atectl.batch.lines import ResultLine
from atectl.lease.outcome import ARBITER, EXITED

from ..terminal.events import Resized
from ..terminal.frames import is_ascii_only
from ..terminal.guest import GuestTerminal, has_place_for_table, live_table, terminals
from ..terminal.live import Live
from .last_minute import LastMinute
from .tally import Tally

if TYPE_CHECKING:
    from rich.console import RenderableType

    from atectl.batch.batch import Batch
    from atectl.batch.overview import BatchOverview

    from .leases_view import LiveLease
    from .live_view import LiveBatch


class TableState(NamedTuple):
    """Everything that the table depends on.

    `height` is how many lines it may have, `batch` what the latest look found, and `pressure` the
    pressure of the host in the last minute, in bytes.
    """

    height: int = 0
    batch: "LiveBatch | None" = None
    pressure: LastMinute = LastMinute()


def reduce(state: TableState, event: "Resized | LiveBatch") -> TableState:
    """The state after `event`."""
    if isinstance(event, Resized):
        return state._replace(height=event.height)
    pressure = state.pressure.with_value(event.elapsed_s, event.pressure.total_bytes)
    return state._replace(batch=event, pressure=pressure)


def guest_terminals(batch: "Batch", tally: Tally, wanted: bool | None) -> list[GuestTerminal]:
    """The terminal that stderr leads to, with the table on it; empty if there is to be no table.

    Args:
        wanted: whether the user wants the table; None if the user did not say.
    """
    if not has_place_for_table(wanted):
        return []
    places = [each for each in terminals() if 2 in each]
    return [GuestTerminal(each, table(batch, tally), "all") for each in places]


def table(batch: "Batch", tally: Tally) -> "Live[TableState, LiveBatch]":
    """The table of `batch`. Rich is imported when it is first drawn."""
    began = time.monotonic()

    def look() -> "LiveBatch":
        return _look(batch, tally, time.monotonic() - began)

    return live_table(TableState(), look, reduce, _view)


def _view(state: TableState) -> "RenderableType":
    from .live_view import BatchScreen

    if state.batch is None:
        return ""
    return BatchScreen(state.batch, state.pressure.until(state.batch.elapsed_s), state.height)


def _look(batch: "Batch", tally: Tally, elapsed_s: float) -> "LiveBatch":
    from .decisions_view import live_decisions
    from .live_view import LiveBatch

    view = batch.overview()
    recent = list(tally.recent)
    labels = {each.job: each.label for each in recent}
    labels |= {row.job: row.label for row in view.rows}
    return LiveBatch(
        leases=(*map(_ended, recent), *_running(view, {each.job for each in recent})),
        pressure=view.pressure,
        budget=view.budget,
        on_disk_bytes=view.on_disk_bytes,
        decisions=live_decisions(view.rulings, labels, view.now_s),
        done=tally.done,
        failed=tally.failed,
        left=tally.left,
        elapsed_s=elapsed_s,
        accounts=view.accounts,
        interrupted=tally.interrupted,
        is_stopping=tally.is_stopping,
        ascii_only=is_ascii_only(sys.stderr),
    )


def _running(view: "BatchOverview", ended: Container[int]) -> list["LiveLease"]:
    """The leases of the view that are not among the `ended`: the view may be a little older."""
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


def _ended(result: ResultLine) -> "LiveLease":
    from .leases_view import LiveLease

    return LiveLease(
        number=result.job,
        label=result.label,
        principal=result.ending.principal,
        capsule=PurePath(result.ending.capsule).name,
        state=_final_state(result),
        linear_bytes=result.use.peak_bytes,
        resident_bytes=0,
        quota_bytes=result.ending.quota_bytes,
        elapsed_s=result.use.wall_s,
        has_ended=True,
    )


def _final_state(result: ResultLine) -> str:
    if result.is_success:
        return "done"
    reason, exit_status = result.ending[:2]
    if reason == EXITED:
        return f"exited {exit_status}"
    return "aborted" if reason == ARBITER else reason
