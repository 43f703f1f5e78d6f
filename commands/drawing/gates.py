"""In which colour a host's pressure is drawn: by the highest gate of its budget that it is over."""

from atectl.accounting import Budget, Pressure


def pressure_style(budget: Budget, pressure_bytes: int) -> str:
    """Red over the limit, yellow over soft, else green."""
    pressure = Pressure(pressure_bytes, 0, 0)
    if budget.is_over_limit(pressure):
        return "bold red"
    return "yellow" if budget.is_over_soft(pressure) else "green"
