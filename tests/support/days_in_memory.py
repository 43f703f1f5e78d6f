"""What was used by day, kept in memory by the rules of accounting: what stores are held against."""

from atectl import accounting
from atectl.accounting import PERIOD_DAYS, Spender, Sums


class _Day:
    """The sums of one day."""

    def __init__(self) -> None:
        self.sums: dict[Spender, Sums] = {}
        self._own: dict[str, int] = {}

    def has(self, spender: Spender) -> bool:
        return spender in self.sums

    def count(self) -> int:
        return len(self.sums)

    def count_of(self, principal: str) -> int:
        return self._own.get(principal, 0)

    def add(self, spender: Spender, new: Sums) -> None:
        spender = accounting.kept_as(spender, self)
        if spender not in self.sums:
            self._own[spender.principal] = self.count_of(spender.principal) + 1
        self.sums[spender] = self.sums.get(spender, Sums()).plus(new)


class Periods:
    """What was used on each of the last 400 days of all that it was told of."""

    def __init__(self) -> None:
        self._days: dict[int, _Day] = {}
        self._totals = _Day()

    def add(self, spender: Spender, new: Sums, since_s: float, until_s: float) -> None:
        """Add what a spender used between two moments, in seconds since 1970."""
        self._totals.add(accounting.total_of(spender.host), new)
        for day, part in accounting.by_day(new, since_s, until_s):
            if day not in self._days:
                self._days[day] = _Day()
                for old in [each for each in self._days if each <= max(self._days) - PERIOD_DAYS]:
                    del self._days[old]
            if day in self._days:
                self._days[day].add(spender, part)

    def sums(self) -> dict[int, dict[Spender, Sums]]:
        """The sums by day and spender; days are counted from 1970."""
        return {day: dict(kept.sums) for day, kept in self._days.items()}

    def totals(self) -> dict[Spender, Sums]:
        """The sums of all time, by host."""
        return dict(self._totals.sums)
