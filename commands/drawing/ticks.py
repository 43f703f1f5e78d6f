"""Where the ticks of an axis are, and what stands at them: round sizes and round times."""

_MOST = 5
_LONGEST_S = 1e12
"""An axis of a longer time has no ticks: only a damaged file tells of one."""

_DAY_S = 86_400
_TIME_STEPS_S = (
    *(unit / 1000 * step for unit in (1, 10, 100) for step in (1, 2, 5)),
    *(1, 2, 5, 10, 15, 30),
    *(60 * step for step in (1, 2, 5, 10, 15, 30)),
    *(3600 * step for step in (1, 2, 3, 6, 12)),
    *(_DAY_S * 10**power * step for power in range(8) for step in (1, 2, 5)),
)


def size_ticks(top_bytes: int) -> list[int]:
    """Multiples of a power of two up to `top_bytes`, at most five; none of them is zero."""
    step = 1
    while top_bytes // step > _MOST:
        step *= 2
    return list(range(step, top_bytes + 1, step))


def time_ticks(span_s: float) -> list[float]:
    """Round times from 0 up to `span_s`, at most five besides 0."""
    if not 0 < span_s < _LONGEST_S:
        return [0.0]
    step_s = next(step for step in _TIME_STEPS_S if span_s / step < _MOST + 1)
    return [place * step_s for place in range(int(span_s / step_s) + 1)]


def tick_text(at_s: float) -> str:
    """A round time as short as can be: `0.5s`, `30s`, `1m30s`, `12h`, `1d12h`."""
    if at_s < 60:
        return f"{round(at_s, 3):g}s"
    rest, text = round(at_s), ""
    for unit, length_s in (("d", _DAY_S), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, length_s)
        text += f"{count}{unit}" if count else ""
    return text
