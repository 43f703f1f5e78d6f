"""The screen of `ledger top`, and the snapshot that it prints to a pipe."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from atectl.inert import inert_line
from atectl.ledger_store.overview import GroupBy, Overview, groups_of
from atectl.ledger_store.records import AccountRecord

from ..drawing.columns import Column, Fitted, LineTable, fit
from ..drawing.lines import text_lines
from ..drawing.screen import filled, key_line, whole_screen
from ..drawing.tones import ALARM, HEADING, WARNING
from .groups_view import group_columns
from .numbers import show_age
from .sorting import SORT_ORDERS
from .top_leases_view import details_view, lease_pane
from .top_state import TopState
from .view import account_columns, host_line

NO_ACCOUNTS = "no accounts yet: `atectl run --principal NAME CAPSULE` opens one"

_KEYS = (
    ("q", "quit"),
    ("?", "help"),
    ("↑↓", "select"),
    ("Tab", "other list"),
    ("Enter", "details"),
    ("k", "end lease"),
    ("/", "filter"),
    ("space", "pause"),
    ("r", "reverse"),
)
_KEYS_OF_DETAILS = (("Esc", "back"), ("k", "end lease"), ("q", "quit"))
_HELP = (
    ("↑↓ PgUp PgDn", "select a running lease, or an account; also Home and End"),
    ("Tab", "select in the other list"),
    ("Enter", "all about what is selected"),
    ("k", "end the selected lease, after asking"),
    ("i", "show or fold accounts of which nothing runs"),
    ("/", "show only principals with these letters"),
    ("r", "reverse the order of the accounts"),
    ("space", "hold the screen still, or let it go on"),
    ("Esc", "back; deselect"),
    ("q", "quit"),
)


def top_screen(state: TopState, *, ascii_only: bool = False) -> RenderableType:
    """What `ledger top` shows: as many lines as the screen has, each as wide."""
    overview, layout, width = state.overview, state.layout, state.width
    if overview is None:
        reading = Text(_failure(state) or "reading the ledger…", no_wrap=True)
        return whole_screen([reading], width, state.height)
    if state.has_help:
        return _page(state, _help_lines(width), (("any key", "back"),))
    if state.has_details and (state.lease or state.selected):
        view = details_view(state, overview, ascii_only=ascii_only)
        lines = [Text.from_ansi(line) for line in text_lines(view, width)]
        return _page(state, lines, _KEYS_OF_DETAILS)
    table, keys = _table(state, overview)
    pane = lease_pane(state, overview, width, ascii_only=ascii_only)
    lines = [_head(state, overview), *filled(pane, layout.leases), _status(state)]
    lines += filled(table, layout.rows + 1)
    if layout.footer:
        lines += [keys, _last_line(state, _KEYS)]
    return whole_screen(lines, width, state.height)


def _page(state: TopState, lines: list[Text], keys: tuple[tuple[str, str], ...]) -> RenderableType:
    """A whole screen of text, with its keys below."""
    return whole_screen(
        [*filled(lines, max(state.height - 1, 0)), _last_line(state, keys)],
        state.width,
        state.height,
    )


def _last_line(state: TopState, keys: tuple[tuple[str, str], ...]) -> Text:
    """The keys; or a question, or what came of its answer."""
    lease = state.to_end
    if lease is not None:
        # What matters comes first: a narrow screen cuts the end.
        what = f"{lease.capsule}, process {lease.pid}, of {lease.principal}, lease {lease.id}"
        return Text(inert_line(f"end it? y or n: {what}"), style=WARNING)
    if state.message:
        return Text(inert_line(state.message), style=HEADING)
    return key_line(keys, state.width)


def _help_lines(width: int) -> list[Text]:
    """What each key does, as lines of that width."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=HEADING, no_wrap=True)
    grid.add_column()
    for key, meaning in _HELP:
        grid.add_row(key, meaning)
    sorts = ", ".join(f"{order.key} {order.by}" for order in SORT_ORDERS)
    grid.add_row("letters", f"sort accounts: {sorts}")
    return [Text.from_ansi(line) for line in text_lines(grid, width)]


def _table(state: TopState, overview: Overview) -> tuple[list[Text], Text]:
    """What is below the leases, with the names of its columns; and the keys that sort it."""
    width = state.width
    if state.by is not GroupBy.principal:
        found = groups_of(overview.leases, state.by).groups
        columns = fit(group_columns(state.by), found, width)
        return [columns.header(), *map(columns.line, found)], Text()
    fitted = fit(_marked_columns(state, overview), overview.accounts, width)
    table = [_account_line(fitted, account, state, width) for account in state.visible_rows]
    if not table:
        table = [Text(_nothing(overview), no_wrap=True, overflow="ellipsis")]
    return [fitted.header(), *table], _sort_keys(fitted, width)


def top_snapshot(state: TopState, width: int) -> RenderableType:
    """All rows for a pipe or a file, without what needs keys."""
    overview = state.overview
    if overview is None:
        return Text("")
    if not state.rows:
        return Group(host_line(overview, width), Text(NO_ACCOUNTS))
    columns = account_columns(overview.taken_at)
    return Group(host_line(overview, width), LineTable(columns, state.rows))


def _marked_columns(state: TopState, overview: Overview) -> list[Column[AccountRecord]]:
    mark = "▼" if state.order.is_descending != state.is_reversed else "▲"
    columns = account_columns(overview.taken_at)
    if len({lease.host for lease in overview.leases}) > 1:
        columns.insert(2, _hosts_column(overview))
    return [
        column._replace(
            title=f"{column.title}{mark}" if column.name == state.order.by else column.title
        )
        for column in columns
    ]


def _hosts_column(overview: Overview) -> Column[AccountRecord]:
    """On which hosts the leases of an account run."""
    hosts: dict[str, set[str]] = {}
    for lease in overview.leases:
        hosts.setdefault(lease.principal, set()).add(lease.host)

    def told(account: AccountRecord) -> str:
        found = hosts.get(account.principal, set())
        return f"{len(found)} hosts" if len(found) > 1 else next(iter(found), "")

    return Column("host", "HOST", told, 8, 4, grows=True, is_name=True)


def _account_line(
    fitted: Fitted[AccountRecord], account: AccountRecord, state: TopState, width: int
) -> Text:
    line = fitted.line(account)
    if account.principal == state.selected:
        line.truncate(width, pad=True)
        line.stylize("reverse")
    return line


def _status(state: TopState) -> Text:
    """The filter that is being typed, or which accounts are listed."""
    line = Text(no_wrap=True, overflow="ellipsis")
    if state.is_typing_filter:
        line.append("filter: ", style=HEADING).append(inert_line(state.filter))
        return line.append("_", style="blink").append("  Enter keeps, Esc clears")
    last = state.first + len(state.visible_rows)
    shown = f"{state.first + 1}-{last} of " if last - state.first < len(state.rows) else ""
    what = "accounts" if state.by is GroupBy.principal else f"running by {state.by}"
    number = f" {shown}{len(state.rows)}" if state.by is GroupBy.principal else ""
    line.append(f"{what}{number}")
    if state.idle:
        line.append(f", {state.idle} idle: i shows them")
    if state.filter:
        line.append("  filter ").append(inert_line(state.filter), style=HEADING)
    return line


def _head(state: TopState, overview: Overview) -> Text:
    """The host; or why its figures are old."""
    if state.failure is not None:
        return Text(_failure(state), style=ALARM, no_wrap=True, overflow="ellipsis")
    paused = Text.assemble(("paused", WARNING), "  ") if state.is_paused else Text()
    host = host_line(overview, max(state.width - paused.cell_len, 0))
    return Text.assemble(paused, host, no_wrap=True, overflow="crop")


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


def _sort_keys(fitted: Fitted[AccountRecord], width: int) -> Text:
    """The sort keys of the columns that are shown."""
    titles = {column.name: column.title.rstrip("▼▲") for column, _ in fitted.columns}
    # A unit is written as it is: `GiB·s`.
    told = {name: title.lower() if title.isupper() else title for name, title in titles.items()}
    keys = [(order.key, told[order.by]) for order in SORT_ORDERS if order.by in titles]
    return key_line(keys, width, title="sort ")
