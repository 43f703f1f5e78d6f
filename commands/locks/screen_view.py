"""The screen of `locks ls --watch`."""

from rich.console import Group
from rich.text import Text

from atectl.inert import inert_line

from ..drawing.columns import fit
from .screen_state import LocksScreen
from .sorting import SORT_ORDERS
from .view import counted, lock_columns

_KEYS = (("q", "quit"), ("r", "reverse"), ("space", "pause"), ("↑↓ PgUp PgDn", "scroll"))


def locks_screen(state: LocksScreen, *, ascii_only: bool = False) -> Group:
    """The whole screen: as many lines as it is high, each as wide."""
    columns = lock_columns(state.lock_ttl_s, ascii_only=ascii_only)
    fitted = fit(columns, state.rows, state.width)
    lines = [_head(state), fitted.header()]
    lines += [fitted.line(row) for row in state.visible_rows]
    lines += [Text()] * (state.height - 1 - len(lines))
    lines = [*lines[: max(state.height - 1, 0)], _footer(state)]
    screen = [line.copy() for line in lines[: state.height]]
    for line in screen:
        line.truncate(state.width, overflow="ellipsis", pad=True)
    return Group(*screen)


def _head(state: LocksScreen) -> Text:
    if state.failure is not None:
        return Text(f"trying again: {inert_line(state.failure)}", style="bold red", no_wrap=True)
    if not state.has_listed:
        return Text("looking …", style="dim")
    line = Text("paused   " if state.is_paused else "", style="bold yellow")
    return line.append_text(counted(state.listed))


def _footer(state: LocksScreen) -> Text:
    sorting = [(order.key, order.by.value) for order in SORT_ORDERS]
    line = Text(style="dim", no_wrap=True, overflow="crop")
    for key, meaning in (*_KEYS, *sorting):
        gap = "  " if line else ""
        if line.cell_len + len(gap) + len(key) + 1 + len(meaning) > state.width:
            break
        line.append_text(Text.assemble(gap, (key, "not dim bold"), f" {meaning}"))
    return line
