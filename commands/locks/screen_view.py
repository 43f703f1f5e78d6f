"""The screen of `locks ls --watch`."""

from rich.console import Group
from rich.text import Text

from atectl.inert import inert_line

from ..drawing.columns import fit
from ..drawing.screen import filled, key_line, whole_screen
from ..drawing.tones import ALARM, WARNING
from .screen_state import SORT_KEYS, LocksScreen
from .view import counted, lock_columns

_KEYS = (("q", "quit"), ("r", "reverse"), ("space", "pause"), ("↑↓ PgUp PgDn", "scroll"))


def locks_screen(state: LocksScreen, *, ascii_only: bool = False) -> Group:
    """As many lines as the screen has, each as wide."""
    columns = lock_columns(state.lock_ttl_s, ascii_only=ascii_only)
    fitted = fit(columns, state.rows, state.width)
    lines = [_head(state), fitted.header()]
    lines += [fitted.line(row) for row in state.visible_rows]
    body = filled(lines, max(state.height - 1, 0))
    return whole_screen([*body, _footer(state)], state.width, state.height)


def _head(state: LocksScreen) -> Text:
    old = "" if state.age_s is None else f"as of {state.age_s:.0f}s ago"
    if state.failure is not None:
        told = f"{old}{'; ' if old else ''}trying again: {inert_line(state.failure)}"
        return Text(told, style=ALARM, no_wrap=True)
    if not state.has_listed:
        return Text("listing the locks …")
    line = Text(no_wrap=True)
    stands_still = old or ("paused" if state.is_paused else "")
    if stands_still:
        line.append(stands_still, WARNING).append("   ")
    if state.missing:
        line.append(f"incomplete: {inert_line(state.missing)}", ALARM).append("   ")
    return line.append_text(counted(state.listed))


def _footer(state: LocksScreen) -> Text:
    return key_line((*_KEYS, *SORT_KEYS.items()), state.width)
