"""Numbers of a ledger for a reader: counts, ages, and memory over time."""

from atectl.units import format_age

_GIB = 1 << 30

_MOST = 1e15
"""More than anybody holds: a damaged row of the ledger may have anything."""


def show_gib_seconds(byte_seconds: float) -> str:
    amount = byte_seconds / _GIB
    if not abs(amount) < _MOST:
        return "?"
    if 0 < amount < 0.01:
        return "<0.01"
    if amount < 99.95:
        return f"{amount:.2f}" if amount < 9.995 else f"{amount:.1f}"
    return show_count(amount)


def show_count(count: float) -> str:
    """A number for a reader: exact below 100,000, else with three digits (`1.23M`)."""
    if count < 100_000:
        return str(int(count))
    power = 1
    while count / 1000**power >= 999.5:
        power += 1
    shown = count / 1000**power
    return f"{shown:.{2 if shown < 9.995 else 1 if shown < 99.95 else 0}f}{'kMGTPEZ'[power - 1]}"


def show_age(since: float, now: float) -> str:
    """The time from `since` to `now` for a reader."""
    return format_age(now - since)
