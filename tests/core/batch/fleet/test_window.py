"""How many jobs a host has at once: as many as last it for a while."""

import pytest

from atectl.batch.fleet.window import Window


class Clock:
    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("atectl.batch.fleet.window.time", clock)
    return clock


def after(window: Window, clock: Clock, *, per_second: float, is_dry: bool = False) -> int:
    """The window after a few seconds in which results come at that rate."""
    for _ in range(40):
        clock.now_s += 1.0 / max(per_second, 1.0) * 10 if per_second >= 1 else 1 / per_second
        window.adapt(10 if per_second >= 1 else 1, is_dry=is_dry)
    return window.size


def test_short_jobs_get_as_many_ahead_as_last_for_half_a_second(clock: Clock) -> None:
    window = Window(4)
    window.begin()
    assert 4 + 400 <= after(window, clock, per_second=1000) <= 4 + 900


def test_long_jobs_get_one_ahead(clock: Clock) -> None:
    window = Window(4)
    window.begin()
    assert after(window, clock, per_second=0.1) == 5


def test_a_host_that_runs_dry_gets_more_than_its_speed_so_far(clock: Clock) -> None:
    dry, fed = Window(4), Window(4)
    for window in (dry, fed):
        window.begin()
    clock.now_s += 0.1
    dry.adapt(1, is_dry=True)
    fed.adapt(1, is_dry=False)
    assert dry.size > fed.size


def test_no_window_is_without_an_end(clock: Clock) -> None:
    window = Window(4)
    window.begin()
    assert after(window, clock, per_second=1e7, is_dry=True) <= 4096


def test_time_without_jobs_does_not_count(clock: Clock) -> None:
    window = Window(1)
    window.begin()
    before = after(window, clock, per_second=100)
    window.end()
    clock.now_s += 3600
    window.begin()
    clock.now_s += 0.1
    window.adapt(10, is_dry=False)
    assert window.size == before
