"""The state of `locks ls --watch`, and how a key, a new size or a listing changes it."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from atectl.locks.charged import ChargedLock
from atectl.locks.sorting import ORDER_OF, SortBy, SortOrder, sort_locks

from ..terminal.events import Key, Resized

SORT_KEYS = {
    "n": SortBy.actor,
    "s": SortBy.atespace,
    "t": SortBy.ttl,
    "a": SortBy.age,
    "u": SortBy.status,
    "v": SortBy.verdict,
    "m": SortBy.memory,
    "p": SortBy.peak,
}
"""The keys that choose an order."""

LATE_S = 3.0
"""A listing that is older is said to be: the next one is under way for too long."""

_HEAD_LINES = 2
_FOOTER_LINES = 1


class Listed(NamedTuple):
    """The locks were listed, at an instant of the clock of `Tick`."""

    rows: tuple[ChargedLock, ...]
    at: float = 0.0
    missing: str = ""
    """What could not be read."""


class ListingFailed(NamedTuple):
    """The server could not be asked."""

    message: str


class Tick(NamedTuple):
    """Time has passed: the instant now, in seconds."""

    at: float


Event = Key | Resized | Listed | ListingFailed | Tick


@dataclass(frozen=True)
class LocksScreen:
    """Everything that the screen depends on.

    `listed` is every lock. `rows` are those that are shown, in order. `first` is the index of the
    row at the top.
    """

    lock_ttl_s: float
    order: SortOrder = ORDER_OF[SortBy.actor]
    limit: int | None = None
    is_reversed: bool = False
    width: int = 0
    height: int = 0
    is_paused: bool = False
    is_done: bool = False
    has_listed: bool = False
    failure: str | None = None
    missing: str = ""
    listed_at: float = 0.0
    now: float = 0.0
    listed: tuple[ChargedLock, ...] = ()
    rows: tuple[ChargedLock, ...] = ()
    first: int = 0

    @property
    def age_s(self) -> float | None:
        """How old the listing is, in seconds; None if it is as new as it should be."""
        age_s = self.now - self.listed_at
        is_late = self.failure is not None or age_s >= LATE_S
        return age_s if self.has_listed and is_late and not self.is_paused else None

    @property
    def page(self) -> int:
        return max(self.height - _HEAD_LINES - _FOOTER_LINES, 1)

    @property
    def visible_rows(self) -> tuple[ChargedLock, ...]:
        return self.rows[self.first : self.first + self.page]


def reduce(state: LocksScreen, event: Event) -> LocksScreen:
    """The state after `event`."""
    match event:
        case Key(name):
            return _press(state, name)
        case Resized(width, height):
            return _scrolled(replace(state, width=width, height=height), state.first)
        case ListingFailed(message):
            return replace(state, failure=message)
        case Tick(at):
            return replace(state, now=at)
        case Listed(rows, at, missing):
            listed = replace(state, listed=rows, listed_at=at, missing=missing, failure=None)
            return _sorted(replace(listed, has_listed=True, now=max(state.now, at)))


def _press(state: LocksScreen, key: str) -> LocksScreen:
    if key in SORT_KEYS:
        order = ORDER_OF[SORT_KEYS[key]]
        return _sorted(replace(state, order=order, is_reversed=False, first=0))
    match key:
        case "q":
            return replace(state, is_done=True)
        case "r":
            return _sorted(replace(state, is_reversed=not state.is_reversed, first=0))
        case " ":
            return replace(state, is_paused=not state.is_paused)
    steps = {
        "up": -1,
        "down": 1,
        "page-up": -state.page,
        "page-down": state.page,
        "home": -len(state.rows),
        "end": len(state.rows),
    }
    return _scrolled(state, state.first + steps.get(key, 0))


def _sorted(state: LocksScreen) -> LocksScreen:
    rows = sort_locks(state.listed, state.order, is_reversed=state.is_reversed)[: state.limit]
    return _scrolled(replace(state, rows=tuple(rows)), state.first)


def _scrolled(state: LocksScreen, first: int) -> LocksScreen:
    return replace(state, first=max(min(first, len(state.rows) - state.page), 0))
