"""The last minute of a measure, by time and not by how often it was measured."""

from hypothesis import given
from hypothesis import strategies as st

from atectl.commands.batch.last_minute import STRETCH_S, STRETCHES, LastMinute


def last_minute(*measured: tuple[float, int]) -> LastMinute:
    found = LastMinute()
    for at_s, value in measured:
        found = found.with_value(at_s, value)
    return found


def test_each_stretch_has_its_highest_value() -> None:
    history = last_minute((0.1, 3), (0.2, 9), (1.9, 4), (2.0, 1))
    assert history.until(3.9)[-2:] == (9, 1)


def test_a_stretch_in_which_nothing_was_measured_is_empty() -> None:
    assert last_minute((0.0, 3), (4.0, 5)).until(4.0)[-3:] == (3, None, 5)


def test_time_goes_on_where_nothing_is_measured() -> None:
    assert last_minute((0.0, 3)).until(4.0)[-3:] == (3, None, None)


def test_what_is_older_than_a_minute_is_gone() -> None:
    history = last_minute((0.0, 3), (59.0, 1))
    assert 3 in history.until(59.0)
    assert 3 not in history.until(60.0)


@given(st.lists(st.floats(0, 200), min_size=1).map(sorted))
def test_however_often_it_is_measured_it_is_one_minute(times: list[float]) -> None:
    history = last_minute(*((at_s, 1) for at_s in times))
    shown = history.until(times[-1])
    assert len(shown) == STRETCHES == 60 / STRETCH_S
    assert shown[-1] == 1
