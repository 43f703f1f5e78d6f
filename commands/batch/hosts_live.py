"""The live table of a batch on hosts: a row for each."""

import time
from typing import TYPE_CHECKING, NamedTuple

from atectl.batch.fleet.submitting import FleetBatch

from ..terminal.events import Resized
from ..terminal.guest import GuestTerminal, has_place_for_table, live_table, terminals
from ..terminal.live import Live
from .hosts_look import HostsLook
from .tally import Tally

if TYPE_CHECKING:
    from rich.console import RenderableType


class HostsState(NamedTuple):
    """Everything that the table depends on: its height, and the latest look."""

    height: int = 0
    look: HostsLook | None = None


def reduce(state: HostsState, event: "Resized | HostsLook") -> HostsState:
    """The state after `event`."""
    if isinstance(event, Resized):
        return state._replace(height=event.height)
    return state._replace(look=event)


def guest_terminals(batch: FleetBatch, tally: Tally, wanted: bool | None) -> list[GuestTerminal]:
    """The terminal that stderr leads to, with the table on it; empty if there is to be no table.

    Args:
        wanted: whether the user wants the table; None if the user did not say.
    """
    if not has_place_for_table(wanted):
        return []
    places = [each for each in terminals() if 2 in each]
    return [GuestTerminal(each, _table(batch, tally), "all") for each in places]


def _table(batch: FleetBatch, tally: Tally) -> "Live[HostsState, HostsLook]":
    began = time.monotonic()

    def look() -> HostsLook:
        return HostsLook(
            batch.overview(),
            tally.done,
            tally.failed,
            tally.left,
            time.monotonic() - began,
            tally.is_stopping,
        )

    return live_table(HostsState(), look, reduce, _view)


def _view(state: HostsState) -> "RenderableType":
    from .hosts_view import HostsScreen

    return "" if state.look is None else HostsScreen(state.look, state.height)
