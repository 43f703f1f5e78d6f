"""A result that is shown live: drawn anew about once a second, until it is left."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from atectl.errors import AtectlError, UsageError

from .events import Key, Resized
from .frames import can_draw
from .live import Live
from .screen import LiveScreen

if TYPE_CHECKING:
    from rich.console import RenderableType

INTERVAL_S = 1.0


class Watched(NamedTuple):
    """What there is to see now, and the size of the screen."""

    view: "RenderableType"
    width: int = 0
    height: int = 0
    failure: str = ""
    """Why it is not up to date; empty if it is."""
    is_done: bool = False
    is_paused: bool = False


class Found(NamedTuple):
    """There is something new to see."""

    view: "RenderableType"


class Failed(NamedTuple):
    """It could not be found out."""

    message: str


Event = Key | Resized | Found | Failed


def require_screen(*, is_table: bool) -> None:
    """See that what is watched can be drawn, and keys are typed at it.

    Args:
        is_table: whether it is asked for as a table.

    Raises:
        UsageError: stdin or stdout is no terminal, one that cannot be drawn on, or what is asked
            for is no table (exit 2).
    """
    if not (is_table and sys.stdin.isatty() and sys.stdout.isatty() and can_draw()):
        raise UsageError(
            "--watch needs a terminal, and draws a table",
            remedy="leave --watch out: each call shows what is there then",
        )


def watch_view(look: "Callable[[], RenderableType]") -> int:
    """Show what `look` finds, about once a second, until q is pressed; the exit status.

    An `AtectlError` that it raises later is shown beside what was found before.
    """

    def look_again() -> Found | Failed:
        try:
            return Found(look())
        except AtectlError as error:
            return Failed(str(error))

    live: Live[Watched, Event] = Live(
        Watched(look()), look_again, reduce, _view, interval_s=INTERVAL_S, first_look_s=INTERVAL_S
    )
    return LiveScreen[Watched, Event](live).run()


def reduce(state: Watched, event: Event) -> Watched:
    """The state after an event."""
    match event:
        case Resized(width, height):
            return state._replace(width=width, height=height)
        case Found(view):
            return state._replace(view=view, failure="")
        case Failed(message):
            return state._replace(failure=message)
        case Key("q"):
            return state._replace(is_done=True)
        case Key("space"):
            return state._replace(is_paused=not state.is_paused)
    return state


def _view(state: Watched) -> "RenderableType":
    from ..drawing.watched import watched_screen

    return watched_screen(
        state.view, state.width, state.height, failure=state.failure, is_paused=state.is_paused
    )
