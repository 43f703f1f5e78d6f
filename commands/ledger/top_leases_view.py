"""The running leases of `ledger top`: what each does now, and one of them in full."""

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.inert import inert_line
from atectl.ledger_store.overview import Overview
from atectl.ledger_store.records import LeaseRecord
from atectl.units import format_duration, show_percent, show_size

from ..drawing.columns import Column, fit
from ..drawing.tones import HEADING
from .numbers import show_age
from .top_rates import Rates
from .top_state import TopState
from .view import account_view, history_table, running_columns


def lease_pane(state: TopState, overview: Overview, width: int, *, ascii_only: bool) -> list[Text]:
    """A title, the names of the columns, and a line for each running lease that is shown."""
    whose = "" if state.selected is None else f" of {inert_line(state.selected)}"
    shown, count = len(state.visible_leases), len(state.leases)
    first = state.first_lease
    counted = f"{count}" if shown == count else f"{first + 1}-{first + shown} of {count}"
    title = Text(f"running leases{whose}: {counted}", style=HEADING, no_wrap=True)
    if not state.leases:
        return [title]
    columns = now_columns(overview, state.rates, ascii_only=ascii_only)
    fitted = fit(columns, state.leases, width)
    lines = []
    for lease in state.visible_leases:
        line = fitted.line(lease)
        if lease.id == state.lease:
            line.truncate(width, pad=True)
            line.stylize("reverse")
        lines.append(line)
    return [title, fitted.header(), *lines]


def now_columns(
    overview: Overview, rates: Rates, *, ascii_only: bool = False
) -> list[Column[LeaseRecord]]:
    """The columns of a running lease, with what it does now."""
    several_hosts = len({lease.host for lease in overview.leases}) > 1
    columns = running_columns(overview.taken_at, ascii_only=ascii_only, several_hosts=several_hosts)
    now: list[Column[LeaseRecord]] = [
        Column("cores", "CPU%", lambda lease: show_cores(lease, rates), 5, 3, is_right=True),
        Column("growth", "GROWTH", lambda lease: show_growth(lease, rates), 12, 5, is_right=True),
    ]
    # Here a key acts on a lease, so its id need not be seen.
    columns = [each._replace(rank=14) if each.name == "id" else each for each in columns]
    place = next(n for n, column in enumerate(columns) if column.name == "quota")
    return [*columns[:place], *now, *columns[place:]]


def show_cores(lease: LeaseRecord, rates: Rates) -> str:
    """The CPU that a lease uses now, in percent of a core; `-` where that is not known yet."""
    rate = rates.found.get(lease.id)
    return "-" if rate is None else f"{100 * rate.cores:.0f}"


def show_growth(lease: LeaseRecord, rates: Rates) -> str:
    """How fast a lease grows or shrinks now; empty if it does neither."""
    rate = rates.found.get(lease.id)
    if rate is None or abs(rate.bytes_per_s) < 1:
        return ""
    sign = "+" if rate.bytes_per_s > 0 else "-"
    return f"{sign}{show_size(round(abs(rate.bytes_per_s)))}/s"


def details_view(state: TopState, overview: Overview, *, ascii_only: bool) -> RenderableType:
    """The selected lease in full with the history of its principal, or the selected account."""
    lease, details = state.chosen_lease, state.details
    if lease is None and details is None:
        return Text("reading the ledger…")
    if lease is None and details is not None:
        return account_view(details, overview.taken_at, ascii_only=ascii_only)
    assert lease is not None  # noqa: S101 - or one of the above was
    parts: list[RenderableType] = [
        Text.assemble(f"{label:<16}", inert_line(value))
        for label, value in _lease_lines(lease, state, overview.taken_at)
    ]
    if details is not None and details.history:
        title = Text(f"\nrecent leases of {inert_line(lease.principal)}", style=HEADING)
        parts += [title, history_table(details.history, overview.taken_at)]
    return Group(*parts)


def _lease_lines(lease: LeaseRecord, state: TopState, now: float) -> list[tuple[str, str]]:
    used = show_percent(lease.current_bytes, lease.quota_bytes)
    memory = f"{show_size(lease.current_bytes)} of {show_size(lease.quota_bytes)}, {used}"
    growth = show_growth(lease, state.rates) or "none"
    refused = str(lease.refused_growths)
    if lease.refused_growths:
        refused += f", the largest of {show_size(lease.largest_refused_bytes)}"
    return [
        ("lease", lease.id),
        ("principal", lease.principal),
        ("capsule", lease.capsule),
        ("label", lease.label or "-"),
        ("host", lease.host),
        ("process", str(lease.pid)),
        ("state", lease.state),
        ("memory now", memory),
        ("growth now", growth),
        ("peak", show_size(lease.peak_bytes)),
        ("refused growths", refused),
        ("CPU now", f"{show_cores(lease, state.rates)}% of a core"),
        ("CPU", format_duration(lease.cpu_s)),
        ("started", f"{show_age(lease.started_at, now)} ago"),
    ]
