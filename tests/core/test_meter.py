"""The meter of one lease against naive models of what it promises."""

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Ledger, Meter, Principal, Quota, Reading

KIB = 1024
PAGE = 64 * KIB


class FakeClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


SIZES = st.integers(1, 40).map(lambda pages: pages * PAGE)
QUOTA_BYTES = 100 * PAGE

GROWTHS = st.lists(
    st.tuples(
        st.integers(0, 3),  # which memory
        st.integers(1, 60),  # by how many pages
        st.floats(0, 10),  # seconds until then
    ),
    max_size=40,
)


def replay(
    meter: Meter, clock: FakeClock, growths: list[tuple[int, int, float]]
) -> Iterator[tuple[bool, list[int]]]:
    """Grow four memories as told; after each attempt, whether it was granted and their sizes."""
    memories = [0, 0, 0, 0]
    for which, pages, wait_s in growths:
        clock.now += wait_s
        wanted = memories[which] + pages * PAGE
        granted = meter.admit(memories[which], wanted)
        if granted:
            meter.charge(memories[which], wanted)
            memories[which] = wanted
        yield granted, list(memories)


class TestMeterLaws:
    @given(GROWTHS)
    def test_the_quota_holds_over_the_sum_of_the_memories(
        self, growths: list[tuple[int, int, float]]
    ) -> None:
        clock = FakeClock()
        meter = Meter(Principal("p"), Quota(QUOTA_BYTES), Ledger(), clock)
        before = [0, 0, 0, 0]
        steps = replay(meter, clock, growths)
        for (which, pages, _), (granted, memories) in zip(growths, steps, strict=True):
            assert granted == (sum(before) + pages * PAGE <= QUOTA_BYTES)
            assert meter.read().current_bytes == sum(memories) <= QUOTA_BYTES
            assert memories[which] == before[which] + granted * pages * PAGE
            before = memories

    @given(GROWTHS)
    def test_a_refused_growth_is_counted_and_charges_nothing(
        self, growths: list[tuple[int, int, float]]
    ) -> None:
        clock = FakeClock()
        meter = Meter(Principal("p"), Quota(QUOTA_BYTES), Ledger(), clock)
        steps = list(replay(meter, clock, growths))
        refused = [
            pages * PAGE
            for (_, pages, _), (granted, _) in zip(growths, steps, strict=True)
            if not granted
        ]
        reading = meter.read()
        assert reading.refused_growths == len(refused)
        assert reading.largest_refused_bytes == max(refused, default=0)

    @given(GROWTHS)
    def test_the_peak_never_falls_and_the_ledger_has_it(
        self, growths: list[tuple[int, int, float]]
    ) -> None:
        clock, ledger = FakeClock(), Ledger()
        meter = Meter(Principal("p"), Quota(QUOTA_BYTES), ledger, clock)
        peaks = [0]
        for index, (_, memories) in enumerate(replay(meter, clock, growths)):
            peaks.append(meter.read().peak_bytes)
            assert ledger.peak("p") == peaks[-1] >= sum(memories)
            if index % 3 == 2 and memories[0]:
                # A memory that goes takes nothing off the peak, and comes back for the replay.
                meter.release(memories[0])
                assert meter.read().peak_bytes == peaks[-1]
                meter.charge(0, memories[0])
        assert all(earlier <= later for earlier, later in pairwise(peaks))

    @given(GROWTHS, st.floats(0, 100))
    def test_byte_seconds_are_the_integral_of_what_is_held(
        self, growths: list[tuple[int, int, float]], rest_s: float
    ) -> None:
        clock = FakeClock()
        meter = Meter(Principal("p"), Quota(QUOTA_BYTES), Ledger(), clock)
        held, integral, last = 0, 0.0, clock.now
        for _, memories in replay(meter, clock, growths):
            integral += held * (clock.now - last)
            held, last = sum(memories), clock.now
        clock.now += rest_s
        integral += held * (clock.now - last)
        assert meter.read().byte_seconds == pytest.approx(integral, rel=1e-9, abs=1e-3)
        assert meter.read() == meter.read()

    @given(GROWTHS, GROWTHS, SIZES)
    def test_the_next_lease_is_charged_only_what_it_grew(
        self,
        first: list[tuple[int, int, float]],
        second: list[tuple[int, int, float]],
        quota_bytes: int,
    ) -> None:
        clock, ledger = FakeClock(), Ledger()
        meter = Meter(Principal("alice"), Quota(QUOTA_BYTES), ledger, clock)
        inherited = sum([[0] * 4, *(memories for _, memories in replay(meter, clock, first))][-1])
        before = ledger.peak("alice")
        meter.retarget(Principal("bob"), Quota(inherited + quota_bytes))
        grown = max([0, *(sum(memories) for _, memories in replay(meter, clock, second))])
        reading = meter.read()
        assert reading.grown_bytes == ledger.peak("bob") == grown <= quota_bytes
        assert reading.peak_bytes == inherited + grown
        assert ledger.peak("alice") == before


class TestMeterExamples:
    def test_growth_within_the_quota_is_recorded_and_beyond_it_is_not(self) -> None:
        ledger = Ledger()
        meter = Meter(Principal("carol"), Quota(64 * KIB), ledger)
        for old, new in ((0, 16 * KIB), (16 * KIB, 48 * KIB)):
            assert meter.admit(old, new)
            meter.charge(old, new)
            assert ledger.peak("carol") == new
        assert not meter.admit(48 * KIB, 128 * KIB)
        assert ledger.peak("carol") == 48 * KIB

        meter.retarget(Principal("dave"), Quota(256 * KIB))
        assert meter.admit(48 * KIB, 200 * KIB)
        meter.charge(48 * KIB, 200 * KIB)
        # Dave inherits 48 KiB, and answers for the rest.
        assert ledger.peak("dave") == 152 * KIB
        assert ledger.peak("carol") == 48 * KIB

    def test_exactly_the_quota_is_allowed_and_a_byte_more_is_not(self) -> None:
        meter = Meter(Principal(), Quota(PAGE), Ledger())
        assert meter.admit(0, PAGE)
        assert not meter.admit(0, PAGE + 1)

    def test_what_was_admitted_and_could_not_be_mapped_is_not_charged(self) -> None:
        ledger = Ledger()
        meter = Meter(Principal("p"), Quota(PAGE), ledger, FakeClock())
        assert meter.admit(0, PAGE)
        assert meter.read() == Reading(0, 0, 0, 0, 0, 0.0)
        assert ledger.peak("p") == 0

    def test_a_memory_that_is_gone_makes_room(self) -> None:
        meter = Meter(Principal(), Quota(PAGE), Ledger(), FakeClock())
        meter.charge(0, PAGE)
        assert not meter.admit(0, PAGE)
        meter.release(PAGE)
        assert meter.admit(0, PAGE)
        assert meter.read().current_bytes == 0

    def test_a_new_lease_starts_from_nothing(self) -> None:
        clock = FakeClock()
        meter = Meter(Principal("a"), Quota(PAGE), Ledger(), clock)
        meter.charge(0, PAGE)
        meter.admit(0, 5 * PAGE)
        clock.now += 2
        meter.retarget(Principal("b"), Quota(2 * PAGE))
        assert meter.read() == Reading(PAGE, PAGE, 0, 0, 0, 0.0)
        clock.now += 3
        assert meter.read().byte_seconds == 3 * PAGE


class TestMeterReadByOthers:
    @pytest.mark.usefixtures("restless")
    def test_a_reader_never_sees_more_held_than_the_peak(self) -> None:
        meter = Meter(Principal("p"), Quota(2**62), Ledger())
        done = threading.Event()

        def grow() -> None:
            for n in range(100_000):
                meter.charge(n, n + 1)
            done.set()

        grower = threading.Thread(target=grow)
        grower.start()
        peak_bytes = 0
        while not done.is_set():
            reading = meter.read()
            assert reading.current_bytes <= reading.peak_bytes
            assert reading.peak_bytes >= peak_bytes
            peak_bytes = reading.peak_bytes
        grower.join()
