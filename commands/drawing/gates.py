"""The colour of a host's pressure: it says which threshold of the budget is exceeded."""

from atectl.accounting import Budget, Pressure


def pressure_style(budget: Budget, pressure_bytes: int) -> str:
    """Red over the limit, yellow over the soft limit or near it, else green."""
    pressure = Pressure(pressure_bytes, 0, 0)
    if budget.is_over_limit(pressure):
        return "bold red"
    return "yellow" if budget.is_near_soft(pressure) else "green"
