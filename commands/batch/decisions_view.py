"""What the arbiter decided of a batch's leases, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.text import Text

from atectl.arbitration.seat import Ruling, came_back
from atectl.arbitration.view import Action
from atectl.inert import inert_line
from atectl.units import format_duration, show_size

_STYLES = {
    "parked": "yellow",
    "spilled": "magenta",
    "not spilled": "bold red",
    "back": "cyan",
    "resumed": "cyan",
    "aborted": "bold red",
}


@dataclass(frozen=True)
class LiveDecision:
    """One decision, so many seconds ago.

    `done` is a word: `parked` with the growth that waits as `bytes`, 0 at a tick; `spilled` and
    `back` with what went to disk and came from there; `not spilled`, `resumed` or `aborted`.
    """

    ago_s: float
    done: str
    number: int
    label: str = ""
    bytes: int = 0
    reason: str = ""


def live_decisions(
    rulings: Iterable[Ruling], labels: Mapping[int, str], now_s: float
) -> tuple[LiveDecision, ...]:
    """Those worth a line, in order: growths granted to a lease that was not on disk are not.

    Args:
        rulings: of all leases, in order.
        labels: by the number of the lease, as far as they are known.
        now_s: on the clock of the rulings.
    """
    found: list[LiveDecision] = []
    latest: dict[int, Ruling] = {}
    for each in rulings:
        before, latest[each.lease] = latest.get(each.lease), each
        done, size, reason = _told(each, before)
        if done:
            ago_s = max(now_s - each.at_s, 0)
            label = labels.get(each.lease, "")
            found.append(LiveDecision(ago_s, done, each.lease, label, size, reason))
    return tuple(found)


def decision_line(decision: LiveDecision) -> Text:
    """`12s ago  job 8 (label) parked for 8 MiB: over soft`."""
    label = f" ({inert_line(decision.label)})" if decision.label else ""
    joint = {"parked": " for ", "back": ", "}.get(decision.done, " ")
    size = f"{joint}{show_size(decision.bytes)}" if decision.bytes else ""
    reason = f": {inert_line(decision.reason)}" if decision.reason else ""
    return Text.assemble(
        (f"{_age(decision.ago_s):>6} ago  ", "dim"),
        f"job {decision.number}{label} ",
        (decision.done, _STYLES.get(decision.done, "")),
        size,
        (reason, "dim"),
    )


def _told(ruling: Ruling, before: Ruling | None) -> tuple[str, int, str]:
    """Its word, bytes and reason; no word where it is left out."""
    if ruling.action is Action.PARK:
        return "parked", ruling.bytes, ruling.reason
    if ruling.action is Action.ABORT:
        return "aborted", 0, ruling.reason
    if ruling.action is Action.SPILL:
        if ruling.has_failed:
            return "not spilled", 0, ruling.reason.removeprefix("failed: ")
        return "spilled", ruling.bytes, ""
    if before is not None and came_back(before, ruling):
        return "back", before.bytes, ""
    return ("resumed" if ruling.action is Action.RESUME else ""), 0, ""


def _age(seconds: float) -> str:
    return f"{int(seconds)}s" if seconds < 60 else format_duration(seconds)
