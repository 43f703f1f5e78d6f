"""Turns: while much memory is on disk, one extra lease goes on every few seconds.

Otherwise leases that are held could wait without end for those that keep the cores busy.
"""

from collections.abc import Iterable

from atectl.arbitration.view import Action, Decision

TURN_S = 10.0
"""The time between two turns."""


def lets_anybody_go(decisions: Iterable[Decision]) -> bool:
    """Whether a lease goes on by these decisions."""
    return any(decision.action in (Action.GRANT, Action.RESUME) for decision in decisions)


class Turns:
    """Counts the time to the next turn, by a clock that its owner reads."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def is_due(self, now_s: float) -> bool:
        """Whether it is time for a turn."""
        return self._since_s is not None and now_s - self._since_s >= TURN_S

    @property
    def next_s(self) -> float | None:
        """When the next turn is due; None while little memory is on disk."""
        return None if self._since_s is None else self._since_s + TURN_S

    def note(self, now_s: float, *, is_short: bool, was_taken: bool) -> None:
        """Start, restart or stop the clock, after each decision.

        Args:
            is_short: whether much memory is on disk, so that leases wait for their turns.
            was_taken: whether a turn was due, and a lease went on.
        """
        if not is_short:
            self._since_s = None
        elif self._since_s is None or was_taken:
            self._since_s = now_s
