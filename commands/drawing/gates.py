"""The colour of a host's pressure: it says which threshold of the budget is exceeded."""

from atectl.accounting import Budget, Pressure

from .tones import FULL, NEAR, ROOM


def pressure_style(budget: Budget, pressure_bytes: int) -> str:
    """Red over the limit, orange over the soft limit or near it, else green."""
    pressure = Pressure(pressure_bytes, 0, 0)
    if budget.is_over_limit(pressure):
        return FULL
    return NEAR if budget.is_near_soft(pressure) else ROOM
