"""The state of `ledger top`, and how a key, a new size or a sample changes it."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from atectl.ledger_store.overview import Overview
from atectl.ledger_store.records import AccountRecord

from ..terminal.events import Key, Resized
from .sorting import ORDER_OF, ORDER_OF_KEY, SortBy, SortOrder, sort_accounts

_HEAD_LINES = 3
_FOOTER_LINES = 2
_LEASE_PANE_SHARE = 4  # a quarter of the lines
_LEAST_HEIGHT_FOR_FOOTER = 10
_LEAST_HEIGHT_FOR_LEASES = 24
_PRINCIPAL_CHARACTERS = 64


class Layout(NamedTuple):
    """How many lines of the screen are for the accounts, the leases and the footer."""

    rows: int
    leases: int
    footer: int


class Sampled(NamedTuple):
    """The ledger was read."""

    overview: Overview


class SampleFailed(NamedTuple):
    """The ledger could not be read, at this time in seconds since 1970."""

    message: str
    failed_at: float


Event = Key | Resized | Sampled | SampleFailed


@dataclass(frozen=True)
class TopState:
    """Everything that the screen depends on.

    `rows` are the accounts that match the filter, in order. `first` is the index of the row at the
    top. `selected` is a principal: it stays selected when its row moves.
    """

    width: int
    height: int
    order: SortOrder = ORDER_OF[SortBy.memory]
    limit: int | None = None
    is_reversed: bool = False
    filter: str = ""
    is_typing_filter: bool = False
    is_paused: bool = False
    is_done: bool = False
    overview: Overview | None = None
    failure: SampleFailed | None = None
    rows: tuple[AccountRecord, ...] = ()
    selected: str | None = None
    first: int = 0

    @property
    def layout(self) -> Layout:
        footer = _FOOTER_LINES if self.height >= _LEAST_HEIGHT_FOR_FOOTER else 0
        has_leases = self.height >= _LEAST_HEIGHT_FOR_LEASES
        leases = self.height // _LEASE_PANE_SHARE if has_leases else 0
        return Layout(max(self.height - _HEAD_LINES - footer - leases, 1), leases, footer)

    @property
    def visible_rows(self) -> tuple[AccountRecord, ...]:
        return self.rows[self.first : self.first + self.layout.rows]


def reduce(state: TopState, event: Event) -> TopState:
    """The state after `event`."""
    match event:
        case Key(name):
            return _type_filter(state, name) if state.is_typing_filter else _press(state, name)
        case Resized(width, height):
            return _in_view(replace(state, width=width, height=height))
        case Sampled(overview):
            if state.is_paused and state.overview is not None:
                return state
            return _listed(replace(state, overview=overview, failure=None))
        case SampleFailed():
            return state if state.is_paused else replace(state, failure=event)


def _press(state: TopState, key: str) -> TopState:
    if key in ORDER_OF_KEY:
        order = ORDER_OF_KEY[key]
        if order == state.order:
            return state
        return _listed(replace(state, order=order, is_reversed=False, first=0))
    match key:
        case "q":
            return replace(state, is_done=True)
        case "r":
            return _listed(replace(state, is_reversed=not state.is_reversed, first=0))
        case " ":
            return replace(state, is_paused=not state.is_paused)
        case "/":
            return replace(state, is_typing_filter=True)
        case "esc" if state.filter:
            return _filtered(state, "")
        case "esc":
            return replace(state, selected=None)
    return _move(state, key)


def _type_filter(state: TopState, key: str) -> TopState:
    match key:
        case "enter":
            return replace(state, is_typing_filter=False)
        case "esc":
            return _filtered(replace(state, is_typing_filter=False), "")
        case "backspace":
            return _filtered(state, state.filter[:-1])
        case "ctrl-u":
            return _filtered(state, "")
    is_typed = len(key) == 1 and key.isprintable() and len(state.filter) < _PRINCIPAL_CHARACTERS
    if is_typed:
        return _filtered(state, state.filter + key)
    return _move(state, key)


def _move(state: TopState, key: str) -> TopState:
    page = state.layout.rows
    place = _selected_place(state)
    start = state.first if place is None else place
    match key:
        case "up" | "down" if place is None:
            wanted = start
        case "up":
            wanted = start - 1
        case "down":
            wanted = start + 1
        case "page-up":
            wanted = start - page
        case "page-down":
            wanted = start + page
        case "home":
            wanted = 0
        case "end":
            wanted = len(state.rows) - 1
        case _:
            return state
    if not state.rows:
        return state
    chosen = state.rows[min(max(wanted, 0), len(state.rows) - 1)]
    return _in_view(replace(state, selected=chosen.principal))


def _filtered(state: TopState, wanted: str) -> TopState:
    return _listed(replace(state, filter=wanted, first=0))


def _listed(state: TopState) -> TopState:
    """The state with its rows filtered and sorted again."""
    if state.overview is None:
        return state
    wanted = state.filter.casefold()
    passing = [each for each in state.overview.accounts if wanted in each.principal.casefold()]
    rows = sort_accounts(passing, state.order, is_reversed=state.is_reversed)[: state.limit]
    return _in_view(replace(state, rows=tuple(rows)))


def _in_view(state: TopState) -> TopState:
    """The state, scrolled no further than needed to show the selected row and no empty lines."""
    page = state.layout.rows
    place = _selected_place(state)
    first = state.first
    if place is not None:
        first = min(max(first, place - page + 1), place)
    first = max(min(first, len(state.rows) - page), 0)
    selected = None if place is None else state.selected
    return replace(state, first=first, selected=selected)


def _selected_place(state: TopState) -> int | None:
    for place, account in enumerate(state.rows):
        if account.principal == state.selected:
            return place
    return None
