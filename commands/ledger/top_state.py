"""The state of `ledger top`, and how a key, a new size or a sample changes it."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from atectl.ledger_store.overview import AccountDetails, GroupBy, Overview
from atectl.ledger_store.records import AccountRecord, LeaseRecord

from ..terminal.events import Key, Resized
from .sorting import ORDER_OF, ORDER_OF_KEY, SortBy, SortOrder, sort_accounts
from .top_rates import NO_RATES, Rates

_HEAD_LINES = 3
_FOOTER_LINES = 2
_LEASE_PANE_HEAD = 2  # a title, and the names of the columns
_LEAST_HEIGHT_FOR_FOOTER = 10
_LEAST_ROWS = 2
_PRINCIPAL_CHARACTERS = 64


class Layout(NamedTuple):
    """How many lines of the screen are for the accounts, the leases and the footer."""

    rows: int
    leases: int
    footer: int

    @property
    def shown_leases(self) -> int:
        """How many leases are shown."""
        return max(self.leases - _LEASE_PANE_HEAD, 0)


class Sampled(NamedTuple):
    """The ledger was read; `details` are those of the account that was asked for."""

    overview: Overview
    details: AccountDetails | None = None


class Told(NamedTuple):
    """What came of an order, such as to end a lease."""

    message: str


class SampleFailed(NamedTuple):
    """The ledger could not be read, at this time in seconds since 1970."""

    message: str
    failed_at: float


Event = Key | Resized | Sampled | SampleFailed | Told


@dataclass(frozen=True)
class TopState:
    """Everything that the screen depends on.

    `rows` are the accounts that match the filter, in order, `idle` how many more are folded away
    because nothing of theirs runs. `leases` are what runs, the largest first. `first` and
    `first_lease` are the indices of the rows at the top. `selected` is a principal and `lease` the
    id of a lease: they stay selected when their rows move. Keys move among the leases if
    `is_in_leases`.
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
    by: GroupBy = GroupBy.principal
    shows_idle: bool = False
    idle: int = 0
    leases: tuple[LeaseRecord, ...] = ()
    lease: str | None = None
    first_lease: int = 0
    is_in_leases: bool = True
    rates: Rates = NO_RATES
    has_details: bool = False
    details: AccountDetails | None = None
    has_help: bool = False
    to_end: LeaseRecord | None = None
    """The lease of which is asked whether it is to end."""
    ordered: LeaseRecord | None = None
    """The lease that was just ordered to end."""
    message: str = ""

    @property
    def layout(self) -> Layout:
        footer = _FOOTER_LINES if self.height >= _LEAST_HEIGHT_FOR_FOOTER else 0
        left = self.height - _HEAD_LINES - footer
        # What runs is always to be seen, and at least some accounts.
        wanted = len(self.leases) + _LEASE_PANE_HEAD if self.leases else 1
        most = max(left - max(_LEAST_ROWS, min(len(self.rows), left // 3)), 1)
        leases = min(wanted, most)
        return Layout(max(left - leases, 1), leases, footer)

    @property
    def visible_leases(self) -> tuple[LeaseRecord, ...]:
        return self.leases[self.first_lease : self.first_lease + self.layout.shown_leases]

    @property
    def chosen_lease(self) -> LeaseRecord | None:
        """The lease that is selected."""
        return next((each for each in self.leases if each.id == self.lease), None)

    @property
    def wanted_details(self) -> str | None:
        """The principal whose details are to be read; None for none."""
        if not self.has_details:
            return None
        lease = self.chosen_lease
        return self.selected if lease is None else lease.principal

    @property
    def visible_rows(self) -> tuple[AccountRecord, ...]:
        return self.rows[self.first : self.first + self.layout.rows]


def reduce(state: TopState, event: Event) -> TopState:
    """The state after `event`."""
    match event:
        case Key(name):
            return _key(replace(state, message="", ordered=None), name)
        case Told(message):
            return replace(state, message=message, ordered=None)
        case Resized(width, height):
            return _in_view(replace(state, width=width, height=height))
        case Sampled(overview, details):
            if state.is_paused and state.overview is not None:
                return replace(state, details=details or state.details)
            rates = state.rates.after(overview.leases)
            found = replace(state, overview=overview, failure=None, rates=rates, details=details)
            return _listed(found)
        case SampleFailed():
            return state if state.is_paused else replace(state, failure=event)


def _key(state: TopState, key: str) -> TopState:
    if state.to_end is not None:
        ordered = state.to_end if key == "y" else None
        return replace(state, to_end=None, ordered=ordered)
    if state.has_help:
        return replace(state, has_help=False, is_done=key == "q")
    if state.is_typing_filter:
        return _type_filter(state, key)
    return _press(state, key)


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
        case "?":
            return replace(state, has_help=True)
        case "i":
            return _listed(replace(state, shows_idle=not state.shows_idle))
        case "tab":
            return _other_pane(state)
        case "enter" if state.selected is not None or state.lease is not None:
            return replace(state, has_details=not state.has_details, details=None)
        case "k":
            return _ask_to_end(state)
        case "esc" if state.has_details:
            return replace(state, has_details=False, details=None)
        case "esc" if state.filter:
            return _filtered(state, "")
        case "esc":
            return _listed(replace(state, selected=None, lease=None))
    return _move(state, key)


def _other_pane(state: TopState) -> TopState:
    """Keys move in the other list from now on."""
    return _listed(replace(state, is_in_leases=not state.is_in_leases, selected=None, lease=None))


def _ask_to_end(state: TopState) -> TopState:
    lease = state.chosen_lease
    if lease is None:
        return replace(state, message="select a running lease first, then k ends it")
    return replace(state, to_end=lease)


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
    if state.is_in_leases and state.leases:
        page = max(state.layout.shown_leases, 1)
        ids = [lease.id for lease in state.leases]
        place = ids.index(state.lease) if state.lease in ids else None
        moved = _moved(key, place, state.first_lease, page, len(ids))
        return state if moved is None else _in_view(replace(state, lease=ids[moved]))
    place = _selected_place(state)
    moved = _moved(key, place, state.first, state.layout.rows, len(state.rows))
    if moved is None or state.by is not GroupBy.principal:
        return state
    return _listed(replace(state, selected=state.rows[moved].principal))


def _moved(key: str, place: int | None, first: int, page: int, count: int) -> int | None:
    """The place that a key moves to, in a list of `count`; None if it moves to none."""
    start = first if place is None else place
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
            wanted = count - 1
        case _:
            return None
    return min(max(wanted, 0), count - 1) if count else None


def _filtered(state: TopState, wanted: str) -> TopState:
    return _listed(replace(state, filter=wanted, first=0))


def _listed(state: TopState) -> TopState:
    """The state with its rows filtered and sorted again."""
    if state.overview is None:
        return state
    wanted = state.filter.casefold()
    passing = [each for each in state.overview.accounts if wanted in each.principal.casefold()]
    busy = [each for each in passing if each.running_leases]
    # Where nothing runs, or something is looked for, there is nothing to fold.
    is_folded = bool(busy) and not (state.shows_idle or state.filter)
    kept = busy if is_folded else passing
    rows = sort_accounts(kept, state.order, is_reversed=state.is_reversed)[: state.limit]
    names = {each.principal for each in passing}
    leases = [
        lease
        for lease in state.overview.leases
        if lease.principal in names and state.selected in (None, lease.principal)
    ]
    leases.sort(key=lambda lease: -lease.current_bytes)
    listed = replace(state, rows=tuple(rows), idle=len(passing) - len(kept), leases=tuple(leases))
    return _in_view(listed)


def _in_view(state: TopState) -> TopState:
    """The state, scrolled no further than needed to show the selected row and no empty lines."""
    page = state.layout.rows
    place = _selected_place(state)
    first = state.first
    if place is not None:
        first = min(max(first, place - page + 1), place)
    first = max(min(first, len(state.rows) - page), 0)
    selected = None if place is None else state.selected
    ids = [lease.id for lease in state.leases]
    shown, first_lease = state.layout.shown_leases, state.first_lease
    lease = state.lease if state.lease in ids else None
    if lease is not None:
        first_lease = min(max(first_lease, ids.index(lease) - shown + 1), ids.index(lease))
    first_lease = max(min(first_lease, len(ids) - shown), 0)
    return replace(state, first=first, selected=selected, lease=lease, first_lease=first_lease)


def _selected_place(state: TopState) -> int | None:
    for place, account in enumerate(state.rows):
        if account.principal == state.selected:
            return place
    return None
