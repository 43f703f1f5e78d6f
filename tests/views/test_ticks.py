"""Ticks are at round sizes and times, few enough to be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.commands.drawing.ticks import size_ticks, tick_text, time_ticks
from atectl.units import show_size

MIB = 1 << 20


@pytest.mark.parametrize(
    ("top_bytes", "shown"),
    [
        (1075 * MIB, ["256 MiB", "512 MiB", "768 MiB", "1 GiB"]),
        (520 * MIB, ["128 MiB", "256 MiB", "384 MiB", "512 MiB"]),
        (64 * MIB, ["16 MiB", "32 MiB", "48 MiB", "64 MiB"]),
        (3, ["1 B", "2 B", "3 B"]),
        (0, []),
    ],
)
def test_sizes_are_multiples_of_a_power_of_two(top_bytes: int, shown: list[str]) -> None:
    assert [show_size(size) for size in size_ticks(top_bytes)] == shown


@pytest.mark.parametrize(
    ("span_s", "shown"),
    [
        (0.8, ["0s", "0.2s", "0.4s", "0.6s", "0.8s"]),
        (7.0, ["0s", "2s", "4s", "6s"]),
        (48.0, ["0s", "10s", "20s", "30s", "40s"]),
        (130.0, ["0s", "30s", "1m", "1m30s", "2m"]),
        (3600.0, ["0s", "15m", "30m", "45m", "1h"]),
        (86_400.0, ["0s", "6h", "12h", "18h", "1d"]),
        (0.0, ["0s"]),
        (float("inf"), ["0s"]),
        (float("nan"), ["0s"]),
    ],
)
def test_times_are_round(span_s: float, shown: list[str]) -> None:
    assert [tick_text(at_s) for at_s in time_ticks(span_s)] == shown


@given(st.integers(1, 1 << 62))
def test_there_are_three_to_five_sizes_where_there_is_room(top_bytes: int) -> None:
    ticks = size_ticks(top_bytes)
    assert min(3, top_bytes) <= len(ticks) <= 5
    assert ticks[-1] <= top_bytes


@given(st.floats(0.01, 1e9))
def test_there_are_at_most_five_times_besides_zero_and_none_is_past_the_end(span_s: float) -> None:
    ticks = time_ticks(span_s)
    assert 2 <= len(ticks) <= 6
    assert ticks[-1] <= span_s
    assert len({tick_text(at_s) for at_s in ticks}) == len(ticks)
