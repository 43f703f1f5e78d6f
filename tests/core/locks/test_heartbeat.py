"""A heartbeat: when it renews, when its lock counts as lost, and by when work has to be dead."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.errors import AtectlError
from atectl.locks.errors import BadLockTtl, LockLost
from atectl.locks.heartbeat import MAX_TTL_S, MIN_TTL_S, Heartbeat, LockTimes
from atectl.redis.errors import RedisUnreachable
from atectl.system.clock import boottime
from tests.support.waiting import wait_until

TTLS = st.floats(min_value=MIN_TTL_S, max_value=MAX_TTL_S)


class TestTimes:
    def test_of_thirty_seconds_they_are_those_of_the_other_holders(self) -> None:
        times = LockTimes(30.0)
        assert (times.period_s, times.retry_s, times.lost_after_s) == (10, 3, 20)
        assert times.killed_after_s == pytest.approx(28)
        assert times.ttl_ms == 30_000

    @given(TTLS)
    def test_an_unanswered_renewal_leaves_time_for_another_before_the_lock_is_lost(
        self, ttl_s: float
    ) -> None:
        times = LockTimes(ttl_s)
        assert times.period_s + 2 * times.retry_s < times.lost_after_s

    @given(TTLS)
    def test_work_is_dead_before_the_ttl_has_run_out(self, ttl_s: float) -> None:
        times = LockTimes(ttl_s)
        assert times.lost_after_s < times.killed_after_s < times.ttl_s
        assert times.grace_s > times.usurped_grace_s > 0

    @pytest.mark.parametrize("ttl_s", [0.0, -1.0, -30.0, 0.499, 86_401.0, float("nan")])
    def test_no_lock_has_a_ttl_that_would_delete_it_or_could_not_be_kept(
        self, ttl_s: float
    ) -> None:
        with pytest.raises(BadLockTtl):
            LockTimes(ttl_s)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now


class Server:
    """What a heartbeat asks. `answer` is what happens then; `asked_at` the instants."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.asked_at: list[float] = []
        self.answer: Callable[[], None] = lambda: None

    def __call__(self) -> None:
        self.asked_at.append(self.clock())
        self.answer()

    def fails_with(self, error: AtectlError) -> None:
        def answer() -> None:
            raise error

        self.answer = answer


class Beating:
    """A heartbeat of a lock of 30 s by a clock that the test sets, started at once."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.server = Server(self.clock)
        self.told: list[float] = []
        self.began = self.clock.now
        self.heartbeat = Heartbeat(
            LockTimes(30.0),
            self.server,
            proved_at=self.began,
            on_renewed=self.told.append,
            clock=self.clock,
        )
        self.heartbeat.start()

    def at(self, seconds: float) -> None:
        self.clock.now = self.began + seconds

    def until_seen(self) -> None:
        """Wait until the heartbeat has seen the time and done what is due."""
        enough = self.clock.looks + 5
        wait_until(lambda: self.clock.looks >= enough)

    def until_ended(self) -> None:
        """Wait until the heartbeat has no thread that could ask."""
        wait_until(lambda: not self.heartbeat._thread.is_alive())

    def until_asked(self, times: int) -> None:
        wait_until(lambda: len(self.server.asked_at) >= times)

    def until_told(self, times: int) -> None:
        wait_until(lambda: len(self.told) >= times)


@pytest.fixture
def beating() -> Iterator[Beating]:
    beating = Beating()
    yield beating
    beating.heartbeat.stop()


class TestRenewing:
    def test_a_renewal_is_sent_after_a_third_of_the_ttl_and_not_before(
        self, beating: Beating
    ) -> None:
        beating.at(9.9)
        beating.until_seen()
        assert beating.server.asked_at == []
        beating.at(10.1)
        beating.until_asked(1)

    def test_a_renewal_moves_the_instant_at_which_work_has_to_be_dead(
        self, beating: Beating
    ) -> None:
        assert beating.heartbeat.kill_by == pytest.approx(beating.began + 28)
        beating.at(10)
        beating.until_told(1)
        assert beating.told == [beating.heartbeat.kill_by]
        assert beating.heartbeat.kill_by == pytest.approx(beating.began + 38)

    def test_the_ttl_is_counted_from_before_the_renewal_was_sent(self, beating: Beating) -> None:
        beating.server.answer = lambda: beating.at(16)
        beating.at(10)
        beating.until_told(1)
        assert beating.heartbeat.kill_by == pytest.approx(beating.began + 38)

    def test_a_failed_renewal_is_sent_again_after_a_tenth_of_the_ttl(
        self, beating: Beating
    ) -> None:
        beating.server.fails_with(RedisUnreachable("refused"))
        beating.at(10)
        beating.until_asked(1)
        beating.at(12.9)
        beating.until_seen()
        assert len(beating.server.asked_at) == 1
        beating.at(13)
        beating.until_asked(2)

    def test_a_renewal_that_succeeds_after_failed_ones_keeps_the_lock(
        self, beating: Beating
    ) -> None:
        beating.server.fails_with(RedisUnreachable("refused"))
        beating.at(10)
        beating.until_asked(1)
        beating.server.answer = lambda: None
        beating.at(13)
        beating.until_told(1)
        beating.at(13 + 19.9)
        assert beating.heartbeat.look() is None

    def test_nothing_is_sent_once_it_was_stopped(self) -> None:
        beating = Beating()
        beating.heartbeat.stop()
        beating.at(15)
        beating.until_ended()
        assert beating.server.asked_at == []

    def test_stopping_waits_for_the_renewal_under_way(self) -> None:
        beating = Beating()
        answers = threading.Event()
        said: list[str] = []

        def answer() -> None:
            answers.wait()
            said.append("answered")

        def stop() -> None:
            beating.heartbeat.stop()
            said.append("stopped")

        beating.server.answer = answer
        beating.at(10)
        beating.until_asked(1)
        stopping = threading.Thread(target=stop)
        stopping.start()
        wait_until(beating.heartbeat._stopping.is_set)
        answers.set()
        stopping.join()
        assert said == ["answered", "stopped"]


class TestLosing:
    def test_without_an_answer_it_is_lost_after_two_thirds_of_the_ttl_and_not_before(
        self, beating: Beating
    ) -> None:
        beating.server.fails_with(RedisUnreachable("the server is away"))
        beating.at(19.99)
        assert beating.heartbeat.look() is None
        beating.at(20)
        loss = beating.heartbeat.look()
        assert loss is not None
        assert "20.0s of its 30.0s" in str(loss)

    def test_the_loss_says_what_the_last_renewal_failed_of(self, beating: Beating) -> None:
        beating.server.fails_with(RedisUnreachable("the server is away"))
        beating.at(10)
        beating.until_asked(1)
        wait_until(lambda: beating.heartbeat._last_failure is not None)
        beating.at(20)
        assert "the server is away" in str(beating.heartbeat.look())

    def test_work_has_until_before_the_ttl_could_have_run_out(self, beating: Beating) -> None:
        beating.at(20)
        assert beating.heartbeat.look() is not None
        assert beating.heartbeat.kill_by == pytest.approx(beating.began + 28)

    def test_a_renewal_that_hangs_delays_no_judgement(self) -> None:
        beating = Beating()
        answers = threading.Event()
        beating.server.answer = lambda: assert_(answers.wait())
        beating.at(10)
        beating.until_asked(1)
        beating.at(20)
        assert beating.heartbeat.look() is not None
        beating.heartbeat.stop()
        answers.set()

    def test_somebody_elses_lock_is_lost_at_once_and_work_has_a_fifteenth_of_the_ttl(
        self, beating: Beating
    ) -> None:
        beating.server.fails_with(LockLost("the lock is somebody else's now"))
        beating.at(10)
        beating.until_told(1)
        assert str(beating.heartbeat.look()) == "the lock is somebody else's now"
        assert beating.heartbeat.kill_by == pytest.approx(beating.began + 12)
        assert beating.told == [beating.heartbeat.kill_by]

    def test_an_answer_that_comes_after_the_loss_does_not_undo_it(self, beating: Beating) -> None:
        beating.server.answer = lambda: beating.at(25)
        beating.at(10)
        beating.until_asked(1)
        beating.until_ended()
        assert beating.heartbeat.look() is not None
        assert beating.told == []

    def test_after_a_pause_past_the_ttl_nothing_is_sent(self, beating: Beating) -> None:
        beating.at(60)
        beating.until_ended()
        assert beating.server.asked_at == []
        assert beating.heartbeat.look() is not None

    def test_once_lost_it_stays_lost(self, beating: Beating) -> None:
        beating.at(20)
        loss = beating.heartbeat.look()
        beating.at(5)
        assert beating.heartbeat.look() is loss


def assert_(condition: bool) -> None:
    assert condition


def test_its_own_clock_counts_suspension_and_is_set_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = boottime()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= boottime() - before < 60
    assert boottime() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=60)
