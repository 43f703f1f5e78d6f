"""The decisions of the arbiter about the leases of a batch, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.text import Text

from atectl.arbitration.seat import Ruling, came_back
from atectl.arbitration.view import Action
from atectl.inert import inert_line
from atectl.units import format_duration, show_size

from ..drawing.tones import ALARM, HEADING

_STYLES = {"not spilled": ALARM, "aborted": ALARM}


@dataclass(frozen=True)
class LiveDecision:
    """One decision, `ago_s` seconds ago.

    `done` is `parked`, `spilled`, `not spilled`, `back` (from the disk), `resumed` or `aborted`.
    `bytes` is the growth that a parked lease waits for, 0 if it waits for none, or what was
    written to the disk or read from it.
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
    """The decisions that are worth a line, in order. Most granted growths are not.

    Args:
        rulings: of all leases, in order.
        labels: the known labels, by the number of the lease.
        now_s: the time now, on the clock of the rulings.
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
        f"{_age(decision.ago_s):>6} ago  job {decision.number}{label} ",
        (decision.done, _STYLES.get(decision.done, HEADING)),
        size,
        reason,
    )


def _told(ruling: Ruling, before: Ruling | None) -> tuple[str, int, str]:
    """What to show: the word, the bytes and the reason. No word: the decision is left out."""
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
