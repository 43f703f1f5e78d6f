"""The screen of `ledger top`, and the snapshot that it prints to a pipe."""

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.inert import inert_line
from atectl.ledger_store.overview import Overview
from atectl.ledger_store.records import AccountRecord, LeaseRecord

from ..drawing.columns import Column, Fitted, LineTable, fit
from ..drawing.screen import filled, key_line, whole_screen
from .numbers import show_age
from .sorting import SORT_ORDERS
from .top_state import TopState
from .view import account_columns, host_line, running_columns

NO_ACCOUNTS = "no accounts yet: `atectl run --principal NAME CAPSULE` opens one"

_KEYS = (
    ("q", "quit"),
    ("/", "filter"),
    ("r", "reverse"),
    ("space", "pause"),
    ("↑↓ PgUp PgDn Home End", "select"),
    ("Esc", "deselect"),
)


def top_screen(state: TopState, *, ascii_only: bool = False) -> RenderableType:
    """What `ledger top` shows: as many lines as the screen has, each as wide."""
    overview, layout, width = state.overview, state.layout, state.width
    if overview is None:
        return whole_screen([Text("reading the ledger…"), _status(state)], width, state.height)
    fitted = fit(_marked_columns(state, overview.taken_at), overview.accounts, width)
    table = [_account_line(fitted, account, state, width) for account in state.visible_rows]
    if not table:
        table = [Text(_nothing(overview), style="dim", no_wrap=True, overflow="ellipsis")]
    lines = [host_line(overview, width), _status(state), fitted.header()]
    lines += filled(table, layout.rows)
    if layout.leases:
        lines += filled(_lease_pane(state, overview, width, ascii_only=ascii_only), layout.leases)
    if layout.footer:
        lines += [_sort_keys(fitted, width), key_line(_KEYS, width)]
    return whole_screen(lines, width, state.height)


def top_snapshot(state: TopState, width: int) -> RenderableType:
    """All rows for a pipe or a file, without what needs keys."""
    overview = state.overview
    if overview is None:
        return Text("")
    if not state.rows:
        return Group(host_line(overview, width), Text(NO_ACCOUNTS))
    columns = account_columns(overview.taken_at)
    return Group(host_line(overview, width), LineTable(columns, state.rows))


def _marked_columns(state: TopState, now: float) -> list[Column[AccountRecord]]:
    mark = "▼" if state.order.is_descending != state.is_reversed else "▲"
    return [
        column._replace(
            title=f"{column.title}{mark}" if column.name == state.order.by else column.title
        )
        for column in account_columns(now)
    ]


def _account_line(
    fitted: Fitted[AccountRecord], account: AccountRecord, state: TopState, width: int
) -> Text:
    line = fitted.line(account)
    if account.principal == state.selected:
        line.truncate(width, pad=True)
        line.stylize("reverse")
    elif not account.running_leases:
        line.stylize_before("dim")
    return line


def _status(state: TopState) -> Text:
    """The filter that is being typed, or a failure, or which accounts are listed."""
    line = Text(no_wrap=True, overflow="ellipsis")
    if state.is_typing_filter:
        line.append("filter: ", style="bold").append(inert_line(state.filter))
        return line.append("_", style="blink").append("  Enter keeps, Esc clears", style="dim")
    if state.is_paused:
        line.append("paused  ", style="bold yellow")
    if state.failure is not None:
        return line.append(_failure(state), style="bold red")
    last = state.first + len(state.visible_rows)
    shown = f"{state.first + 1}-{last} of " if last - state.first < len(state.rows) else ""
    line.append(f"accounts {shown}{len(state.rows)}", style="dim")
    if state.filter:
        line.append("  filter ", style="dim").append(inert_line(state.filter), style="bold")
    return line


def _failure(state: TopState) -> str:
    failure, overview = state.failure, state.overview
    if failure is None:
        return ""
    message = inert_line(failure.message)
    if overview is None:
        return f"trying again: {message}"
    age = show_age(overview.taken_at, failure.failed_at)
    return f"as of {age} ago; trying again: {message}"


def _nothing(overview: Overview) -> str:
    return "no account matches the filter" if overview.accounts else NO_ACCOUNTS


def _lease_pane(state: TopState, overview: Overview, width: int, *, ascii_only: bool) -> list[Text]:
    """The running leases of the selected account, or of all."""
    leases = [x for x in overview.leases if state.selected in (None, x.principal)]
    leases.sort(key=lambda lease: -lease.current_bytes)
    shown = leases[: state.layout.leases - 3]
    whose = "" if state.selected is None else f" of {inert_line(state.selected)}"
    count = f"{len(shown)} of {len(leases)}" if len(shown) < len(leases) else f"{len(leases)}"
    title = Text(f"running leases{whose}: {count}", style="bold", no_wrap=True)
    if not shown:
        return [Text(), title]
    columns = running_columns(overview.taken_at, ascii_only=ascii_only)
    fitted: Fitted[LeaseRecord] = fit(columns, leases, width)
    return [Text(), title, fitted.header(), *(fitted.line(lease) for lease in shown)]


def _sort_keys(fitted: Fitted[AccountRecord], width: int) -> Text:
    """The sort keys of the columns that are shown."""
    titles = {column.name: column.title.rstrip("▼▲").lower() for column, _ in fitted.columns}
    keys = [(order.key, titles[order.by]) for order in SORT_ORDERS if order.by in titles]
    return key_line(keys, width, title="sort ")
