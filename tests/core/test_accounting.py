"""The accounting core against naive models of what it promises."""

import random
import threading
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atectl.accounting import (
    MAX_PRINCIPALS,
    MAX_TOTAL,
    TABLE_BYTES_PER_ELEMENT,
    Account,
    Budget,
    Ledger,
    Observation,
    Pressure,
    Principal,
    Quota,
    Usage,
)
from atectl.errors import BadPrincipal

KIB = 1024
PAGE = 64 * KIB
MIB = 1024 * KIB


class TestPrincipal:
    def test_the_default_has_a_name(self) -> None:
        assert Principal() == "default"

    @pytest.mark.parametrize("name", ["user+x@example.com", "team/service", "a.b", "_", "-x"])
    def test_names_as_people_teams_and_services_have_them(self, name: str) -> None:
        assert Principal(name) == name

    @given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
    def test_1_to_64_letters_digits_underscores_and_hyphens(self, name: str) -> None:
        assert Principal(name) == name

    @pytest.mark.parametrize(
        ("name", "rule"),
        [
            ("", "empty; it has at least 1 character"),
            ("a" * 65, "65 characters; it has at most 64"),
            ("team blue", "' ' at position 5"),
            ("a b/c", "' ' at position 2"),
            ("/a", "'/' at position 1"),
            ("../a", "'.' at position 1"),
            ("a:b", "':' at position 2"),
            ("läger", "'ä' at position 2"),
            ("alice\n", r"'\\n' at position 6"),
            ("٣", "'٣' at position 1"),
            ("\x1b[31m", r"'\\x1b' at position 1"),
        ],
    )
    def test_what_breaks_the_rule_is_told(self, name: str, rule: str) -> None:
        with pytest.raises(BadPrincipal, match=rule):
            Principal(name)

    @given(st.text(max_size=80))
    def test_every_text_is_a_principal_or_a_named_error(self, name: str) -> None:
        with suppress(BadPrincipal):
            assert Principal(name) == name


class TestQuota:
    @pytest.mark.parametrize(
        ("memory_bytes", "elements"),
        [(1, 1), (TABLE_BYTES_PER_ELEMENT, 1), (64, 2), (64 << 20, 2 << 20)],
    )
    def test_a_table_element_is_paid_for_by_32_bytes(
        self, memory_bytes: int, elements: int
    ) -> None:
        assert Quota(memory_bytes).table_elements == elements


class TestLedgerExamples:
    def test_a_peak_is_the_highest_observation(self) -> None:
        ledger = Ledger()
        seen = []
        for observed in (1000, 500, 4096, 0, -1):
            ledger.record_peak("alice", observed)
            seen.append(ledger.peak("alice"))
        assert seen == [1000, 1000, 4096, 4096, 4096]

    def test_an_unknown_principal_has_no_peak_and_no_account(self) -> None:
        ledger = Ledger()
        assert ledger.peak("alice") == 0
        assert ledger.account("alice") is None

    def test_principals_have_peaks_of_their_own(self) -> None:
        ledger = Ledger()
        ledger.record_peak("alice", 2048)
        ledger.record_peak("bob", 8192)
        assert (ledger.peak("alice"), ledger.peak("bob")) == (2048, 8192)

    def test_zero_opens_no_account(self) -> None:
        ledger = Ledger()
        ledger.record_peak("alice", 0)
        assert len(ledger) == 0

    def test_a_full_ledger_gives_way_only_to_what_is_strictly_larger(self) -> None:
        ledger = Ledger()
        for n in range(MAX_PRINCIPALS):
            ledger.record_peak(f"p{n}", n + 1)
        assert len(ledger) == MAX_PRINCIPALS == 4096

        ledger.record_peak("newcomer", 1_000_000)
        assert len(ledger) == MAX_PRINCIPALS
        assert ledger.peak("newcomer") == 1_000_000
        assert ledger.peak("p0") == 0
        assert ledger.peak("p1") == 2

        ledger.record_peak("equal", 2)
        assert ledger.peak("equal") == 0
        assert ledger.peak("p1") == 2

    def test_a_bad_name_opens_no_account(self) -> None:
        ledger = Ledger()
        with pytest.raises(BadPrincipal):
            ledger.record_peak("team blue", 1)
        assert len(ledger) == 0

    def test_usage_without_memory_opens_an_account_while_there_is_room(self) -> None:
        ledger = Ledger(capacity=1)
        ledger.observe(seen("a", "alice", fuel=5))
        ledger.observe(seen("b", "bob", fuel=7))
        assert ledger.accounts() == [Account("alice", 0, Usage(fuel=5, leases=1), 1)]

    def test_of_several_lowest_accounts_the_oldest_is_displaced(self) -> None:
        ledger = Ledger(capacity=3)
        for name in ("first", "second", "third"):
            ledger.record_peak(name, 7)
        ledger.record_peak("newcomer", 8)
        assert [account.principal for account in ledger.accounts()] == [
            "newcomer", "second", "third",
        ]  # fmt: skip


def seen(lease: str, principal: str = "alice", peak_bytes: int = 0, **used: float) -> Observation:
    return Observation(lease, principal, peak_bytes, Usage(leases=1)._replace(**used))  # type: ignore[arg-type]


class TestObserving:
    """What an account takes of a lease that is seen again and again."""

    @staticmethod
    def usage(ledger: Ledger, principal: str = "alice") -> Usage:
        account = ledger.account(principal)
        assert account is not None
        return account.usage

    def test_leases_add_up_and_the_high_water_mark_is_a_maximum(self) -> None:
        ledger = Ledger()
        ledger.observe(Observation("a", "alice", 500, Usage(900, 1, 0.5, 2.0, 1, 3, 1)))
        ledger.observe(Observation("b", "alice", 300, Usage(400, 2, 0.25, 3.0, 1, 0, 0)))
        assert ledger.accounts() == [Account("alice", 500, Usage(900, 3, 0.75, 5.0, 2, 3, 1), 1)]

    def test_a_lease_that_is_seen_twice_counts_once(self) -> None:
        ledger = Ledger()
        for _ in range(2):
            ledger.observe(seen("a", fuel=5, cpu_s=0.5))
        assert self.usage(ledger) == Usage(fuel=5, cpu_s=0.5, leases=1)

    def test_what_was_missed_comes_with_the_next_observation(self) -> None:
        ledger = Ledger()
        ledger.observe(seen("a", fuel=5))
        ledger.observe(seen("a", fuel=100))
        assert self.usage(ledger).fuel == 100

    def test_totals_that_fell_take_nothing_away(self) -> None:
        ledger = Ledger()
        ledger.observe(seen("a", peak_bytes=9, high_water_bytes=10, fuel=5))
        ledger.observe(seen("a", peak_bytes=8, high_water_bytes=7, fuel=3))
        assert ledger.peak("alice") == 9
        assert self.usage(ledger) == Usage(high_water_bytes=10, fuel=5, leases=1)

    def test_totals_that_fell_take_nothing_back(self) -> None:
        assert Usage(7).since(Usage(9, *[5] * 7)) == Usage(7)

    def test_all_that_was_used_adds_up(self) -> None:
        assert Usage(1, *range(1, 8)).plus(Usage(1, *range(1, 8))) == Usage(1, *range(2, 16, 2))

    def test_an_account_opened_anew_has_what_was_used_since_and_the_lease_once_more(self) -> None:
        ledger = Ledger(capacity=1)
        ledger.observe(seen("a", peak_bytes=1, fuel=5))
        ledger.record_peak("bob", 2)
        assert ledger.account("alice") is None
        ledger.observe(seen("a", peak_bytes=3, fuel=7))
        assert self.usage(ledger) == Usage(fuel=2, leases=1)

    def test_a_lease_that_never_had_an_account_brings_all_it_used(self) -> None:
        ledger = Ledger(capacity=1)
        ledger.record_peak("bob", 2)
        ledger.observe(seen("a", peak_bytes=1, fuel=5))
        ledger.observe(seen("a", peak_bytes=3, fuel=7))
        assert self.usage(ledger) == Usage(fuel=7, leases=1)

    def test_totals_stop_where_a_store_could_not_hold_them(self) -> None:
        ledger = Ledger()
        for lease in ("a", "b"):
            ledger.observe(seen(lease, fuel=MAX_TOTAL - 1, refused_growths=MAX_TOTAL))
        usage = self.usage(ledger)
        assert (usage.fuel, usage.refused_growths, usage.leases) == (MAX_TOTAL, MAX_TOTAL, 2)

    def test_a_lease_is_forgotten_with_its_last_observation(self) -> None:
        ledger = Ledger()
        for number in range(100):
            ledger.observe(seen(f"l{number}"))
            ledger.observe(seen(f"l{number}"), is_last=True)
        assert self.usage(ledger).leases == 100
        assert ledger._counted == {}


NAMES = st.sampled_from([f"p{n}" for n in range(12)])
CAPACITY = 4


class LedgerAgainstModel(RuleBasedStateMachine):
    """The model keeps everything in a dictionary and looks for the lowest by reading it all."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(CAPACITY)
        self.peaks: dict[str, int] = {}
        self.fuel: dict[str, int] = {}

    def admit(self, name: str, peak_bytes: int) -> bool:
        if name in self.peaks:
            return True
        if len(self.peaks) == CAPACITY:
            lowest = min(self.peaks.values())
            if peak_bytes <= lowest:
                return False
            # Which of several lowest goes is the ledger's choice.
            gone = [n for n in self.peaks if self.ledger.account(n) is None]
            assert len(gone) == 1
            assert self.peaks.pop(gone[0]) == lowest
            del self.fuel[gone[0]]
        self.peaks[name] = self.fuel[name] = 0
        return True

    @rule(name=NAMES, peak_bytes=st.integers(0, 9) | st.integers(0, 2**62))
    def record_peak(self, name: str, peak_bytes: int) -> None:
        self.ledger.record_peak(name, peak_bytes)
        if peak_bytes and self.admit(name, peak_bytes):
            self.peaks[name] = max(self.peaks[name], peak_bytes)

    @rule(name=NAMES, fuel=st.integers(0, 100))
    def observe(self, name: str, fuel: int) -> None:
        self.ledger.observe(seen("a lease", name, fuel=fuel), is_last=True)
        if self.admit(name, 0):
            self.fuel[name] += fuel

    @precondition(lambda self: self.peaks)
    @rule(data=st.data(), more=st.integers(1, 5))
    def raise_a_known_peak(self, data: st.DataObject, more: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.peaks)))
        self.record_peak(name, self.peaks[name] + more)

    @invariant()
    def both_tell_the_same(self) -> None:
        expected = sorted(self.peaks.items(), key=lambda item: (-item[1], item[0]))
        accounts = self.ledger.accounts()
        assert [(account.principal, account.peak_bytes) for account in accounts] == expected
        assert {account.principal: account.usage.fuel for account in accounts} == self.fuel
        assert len(self.ledger) == len(self.peaks) <= CAPACITY
        assert all(self.ledger.peak(name) == peak for name, peak in self.peaks.items())


TestLedgerAgainstModel = LedgerAgainstModel.TestCase


class TestLedgerUnderLoad:
    @pytest.mark.usefixtures("restless")
    def test_threads_lose_no_count_and_no_peak(self) -> None:
        ledger = Ledger()
        rounds, threads = 2_000, 8
        start = threading.Barrier(threads)

        def work(number: int) -> None:
            start.wait()
            for n in range(rounds):
                ledger.record_peak("shared", n * threads + number)
                ledger.observe(seen(f"{number}-{n}", "shared", fuel=2), is_last=True)
                ledger.record_peak(f"own-{number}", n + 1)

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        account = ledger.account("shared")
        assert account is not None
        assert account.peak_bytes == rounds * threads - 1
        assert account.usage == Usage(leases=rounds * threads, fuel=2 * rounds * threads)
        assert {ledger.peak(f"own-{n}") for n in range(threads)} == {rounds}

    def test_threads_of_newcomers_keep_the_bound_and_the_largest(self) -> None:
        ledger = Ledger(capacity=50)

        def work(number: int) -> None:
            order = list(range(1, 501))
            random.Random(number).shuffle(order)
            for n in order:
                ledger.record_peak(f"t{number}-{n}", n * 4 + number)

        workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [account.peak_bytes for account in ledger.accounts()] == list(
            range(2003, 2003 - 50, -1)
        )

    @pytest.mark.parametrize("peaks_of_newcomers", ["rising", "falling", "mixed"])
    def test_a_flood_of_newcomers_costs_each_no_more_than_a_few(
        self, peaks_of_newcomers: str
    ) -> None:
        """Against a full ledger, the 100,000th newcomer is as cheap as the first thousand."""
        count, few = 100_000, 1_000
        peaks = {
            "rising": list(range(10_000, 10_000 + count)),
            "falling": list(range(count, 0, -1)),
            "mixed": random.Random(5).sample(range(1, 10 * count), count),
        }[peaks_of_newcomers]
        ledger = Ledger()
        for n in range(MAX_PRINCIPALS):
            ledger.record_peak(f"p{n}", 1 + n)
        costs = []
        for part in range(0, count, few):
            newcomers = [(f"e{n}", peaks[n]) for n in range(part, part + few)]
            began = time.process_time()
            for name, peak in newcomers:
                ledger.record_peak(name, peak)
            costs.append(time.process_time() - began)
        assert len(ledger) == MAX_PRINCIPALS
        # A walk over all accounts would take about 100 µs a newcomer, a heap takes about 3.
        assert sorted(costs)[len(costs) // 2] / few < 40e-6
        assert sum(costs[-20:]) < 10 * sum(sorted(costs)[:20])

    def test_the_heap_never_outgrows_the_accounts(self) -> None:
        ledger = Ledger(capacity=8)
        for n in range(1, 5_000):
            ledger.record_peak(f"p{n % 13}", n)
        assert len(ledger._heap) == len(ledger) == 8


sizes = st.integers(0, 3000)
pressures = st.builds(Pressure, st.none() | sizes, sizes, sizes, sizes)
budgets = st.builds(
    lambda limit, soft, resume: Budget(
        limit, max(soft, resume) / 10_000, min(soft, resume) / 10_000
    ),
    st.integers(1, 3000),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
)


class TestPressure:
    @pytest.mark.parametrize(
        ("resident", "baseline", "charged", "total"),
        [
            (100, 10, 20, 100),
            (100, 10, 200, 210),  # granted growth counts before it is touched
            (None, 10, 20, 30),
            (0, 0, 0, 0),
        ],
    )
    def test_is_the_higher_of_what_is_resident_and_what_is_charged(
        self, resident: int | None, baseline: int, charged: int, total: int
    ) -> None:
        assert Pressure(resident, baseline, charged).total_bytes == total

    def test_has_what_compiles_in_it(self) -> None:
        pressure = Pressure(100, 10, 20, 200)
        assert pressure.total_bytes == 300
        assert pressure.granted_alone.total_bytes == 230
        assert pressure.after(75).total_bytes == 305
        assert pressure.resident_alone.total_bytes == 300

    def test_is_looked_at_by_what_was_measured_or_by_what_was_granted_alone(self) -> None:
        pressure = Pressure(100, 10, 200)
        assert pressure.resident_alone == Pressure(100, 0, 0)
        assert pressure.granted_alone.total_bytes == 210

    @given(st.none() | sizes, sizes, sizes, sizes)
    def test_after_a_growth_is_what_it_is_once_that_much_more_is_charged(
        self, resident: int | None, baseline: int, charged: int, added: int
    ) -> None:
        before, once = (
            Pressure(resident, baseline, charged),
            Pressure(resident, baseline, charged + added),
        )
        assert before.after(added) == once
        assert before.after(added).total_bytes <= before.total_bytes + added

    def test_of_one_lease_it_has_nothing_that_is_there_for_others(self) -> None:
        pressure = Pressure(900, 300, 400, 50, baseline_of_others_bytes=200)
        assert pressure.of_one(70) == Pressure(None, 100, 70)
        assert Pressure(900, 300, 400, 50).of_one(70) == Pressure(None, 300, 70)

    def test_falls_as_soon_as_use_falls(self) -> None:
        budget = Budget(1000)
        assert budget.is_over_limit(Pressure(5000, 0, 0))
        assert not budget.is_over_limit(Pressure(400, 0, 0))


class TestBudget:
    @pytest.mark.parametrize(
        ("resident", "charged", "room"),
        [
            (None, 500, 100),
            (None, 600, 0),
            (None, 650, -50),
            (700, 300, 300),  # memory that is touched takes no room that was not granted
            (701, 300, -1),
        ],
    )
    def test_the_room_to_resume_is_negative_by_what_is_over_it(
        self, resident: int | None, charged: int, room: int
    ) -> None:
        assert Budget(1000).room_to_resume_bytes(Pressure(resident, 100, charged)) == room

    def test_the_whole_limit_is_within_its_own_size(self) -> None:
        assert Budget(1000).is_within(1000)
        assert not Budget(1000).is_within(999)

    def test_it_is_near_soft_with_less_than_a_twentieth_left(self) -> None:
        assert not Budget(1000).is_near_soft(Pressure(760, 0, 0))
        assert Budget(1000).is_near_soft(Pressure(761, 0, 0))

    def test_a_sixty_fourth_of_the_limit_is_not_yet_much_on_disk(self) -> None:
        assert not Budget(6400).is_much_on_disk(100)
        assert Budget(6400).is_much_on_disk(101)

    def test_what_compiles_leaves_room_to_guests_unless_it_is_alone(self) -> None:
        budget, pressure = Budget(1000), Pressure(None, 100, 200, 300)
        assert budget.room_to_compile_bytes(pressure, is_alone=False) == 100
        assert budget.room_to_compile_bytes(pressure, is_alone=True) == 400
        assert budget.most_to_compile_bytes(100) == 900

    def test_the_thresholds_are_four_fifths_and_seven_tenths(self) -> None:
        budget = Budget(1000)
        assert (budget.soft_bytes, budget.resume_bytes) == (800, 700)

    @pytest.mark.parametrize(
        ("used", "over_limit", "over_soft", "over_resume", "below_resume"),
        [
            (1001, True, True, True, False),
            (1000, False, True, True, False),
            (801, False, True, True, False),
            (800, False, False, True, False),
            (701, False, False, True, False),
            (700, False, False, False, False),
            (699, False, False, False, True),
        ],
    )
    def test_exactly_a_threshold_is_not_past_it(
        self, used: int, over_limit: bool, over_soft: bool, over_resume: bool, below_resume: bool
    ) -> None:
        budget, pressure = Budget(1000), Pressure(used, 0, 0)
        assert budget.is_over_limit(pressure) == over_limit
        assert budget.is_over_soft(pressure) == over_soft
        assert budget.is_over_resume(pressure) == over_resume
        assert budget.is_below_resume(pressure) == below_resume

    @given(
        st.integers(1, 2**63 - 1),
        st.integers(1, 10_000),
        st.integers(1, 10_000),
    )
    def test_thresholds_are_exact_to_the_byte(self, limit: int, soft: int, resume: int) -> None:
        budget = Budget(limit, soft / 10_000, resume / 10_000)
        assert budget.soft_bytes == limit * soft // 10_000
        assert budget.resume_bytes == limit * resume // 10_000
        assert budget.soft_bytes <= limit

    @given(budgets, pressures)
    def test_a_gate_is_passed_by_as_many_bytes_as_are_to_go_until_it_is_not(
        self, budget: Budget, pressure: Pressure
    ) -> None:
        total = pressure.total_bytes
        for over_bytes in (
            budget.over_limit_bytes(pressure),
            budget.over_soft_bytes(pressure),
            budget.over_resume_bytes(pressure),
        ):
            assert (total - over_bytes) in (
                budget.limit_bytes,
                budget.soft_bytes,
                budget.resume_bytes,
            )
        assert budget.is_over_limit(pressure) == (budget.over_limit_bytes(pressure) > 0)
        assert budget.is_over_soft(pressure) == (budget.over_soft_bytes(pressure) > 0)
        assert budget.is_over_resume(pressure) == (budget.over_resume_bytes(pressure) > 0)
        assert not (budget.is_below_resume(pressure) and budget.is_over_resume(pressure))

    @given(budgets, pressures)
    def test_the_room_below_soft_is_the_largest_growth_that_fits(
        self, budget: Budget, pressure: Pressure
    ) -> None:
        room_bytes = budget.room_below_soft_bytes(pressure)
        if room_bytes < 0:
            assert budget.is_over_soft(pressure)
        else:
            assert not budget.is_over_soft(pressure.after(room_bytes))
            assert budget.is_over_soft(pressure.after(room_bytes + 1))

    @pytest.mark.parametrize(
        ("resident", "charged", "room"),
        [
            (None, 300, 400),
            (800, 300, 400),  # memory that is touched takes no room that was not granted
            (801, 300, -1),  # nothing more, whatever was granted
            (0, 700, 0),
            (0, 701, -1),
        ],
    )
    def test_the_room_below_soft_is_what_was_not_granted_unless_more_is_resident_than_that(
        self, resident: int | None, charged: int, room: int
    ) -> None:
        assert Budget(1000).room_below_soft_bytes(Pressure(resident, 100, charged)) == room

    @given(budgets, pressures, st.floats(0, 1))
    def test_each_growth_takes_its_own_size_of_the_room(
        self, budget: Budget, pressure: Pressure, share: float
    ) -> None:
        room_bytes = budget.room_below_soft_bytes(pressure)
        added = int(max(room_bytes, 0) * share)
        assert budget.room_below_soft_bytes(pressure.after(added)) == room_bytes - added

    @given(budgets, sizes, sizes)
    def test_a_lease_can_be_held_if_it_is_within_the_limit_alone(
        self, budget: Budget, baseline: int, held: int
    ) -> None:
        assert budget.can_hold(baseline, held) == (baseline + held <= budget.limit_bytes)
        assert budget.can_hold(baseline) == (baseline <= budget.limit_bytes)

    @given(st.integers(0, 1 << 45), st.integers(1, 10_000))
    def test_the_least_limit_keeps_what_is_wanted_below_soft_and_one_less_does_not(
        self, wanted_bytes: int, soft: int
    ) -> None:
        budget = Budget(1, soft / 10_000)
        limit_bytes = budget.least_limit_bytes(wanted_bytes)
        assert limit_bytes % MIB == 0
        assert budget._replace(limit_bytes=limit_bytes).soft_bytes >= wanted_bytes
        if limit_bytes:
            assert budget._replace(limit_bytes=limit_bytes - MIB).soft_bytes < wanted_bytes
