"""Whom the arbiter grants, parks, spills, resumes and aborts."""

from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from atectl.accounting import Budget, Pressure
from atectl.arbitration.deciding import decide, is_calm, is_granted_at_once, missing_for_leases
from atectl.arbitration.policies import Rules, rules
from atectl.arbitration.standing import Phase, Standing
from atectl.arbitration.view import Action, Decision, HostView
from tests.support.any_rules import any_rules, choosing_rules, guarded_rules
from tests.support.plain_deciding import decide_plainly

BUDGET = Budget(1000)  # soft 800, resume 700
BASELINE = 100
BOTH = rules("both")


def host(
    *leases: Standing,
    resident: int | None = None,
    room: int = 10_000,
    busy: int = 1,
    enough: int = 0,
) -> HostView:
    return HostView(BUDGET, resident, BASELINE, leases, room, busy, enough_leases=enough)


def compiling(view: HostView, compiling: int) -> HostView:
    return view._replace(compiling_bytes=compiling)


def runs(number: int, held: int = 0, priority: int = 0, **more: bool) -> Standing:
    return Standing(number, priority, held, **more)


def asks(number: int, asked: int, held: int = 0, priority: int = 0) -> Standing:
    """It asks now."""
    return Standing(number, priority, held, asked, spillable=True)


def waits(number: int, asked: int, held: int = 0, priority: int = 0) -> Standing:
    """It has been waiting inside its growth request."""
    return Standing(number, priority, held, asked, Phase.PARKED, spillable=True)


def parked(number: int, held: int = 0, priority: int = 0, **more: bool) -> Standing:
    """It was held at a tick."""
    return Standing(number, priority, held, 0, Phase.PARKED, **{"spillable": True, **more})


def spilled(number: int, held: int, asked: int = 0, stored: int = 0) -> Standing:
    return Standing(
        number, 0, held, asked, Phase.SPILLED, spillable=True, stored_bytes=stored or held
    )


def told(view: HostView, rules: Rules = BOTH) -> list[tuple[str, int, int]]:
    return [(made.action.value, made.lease, made.bytes) for made in decide(view, rules)]


# Growth that needs no decision


def test_a_host_is_calm_while_nobody_is_held_back_and_no_more_than_soft_is_resident() -> None:
    soft, more = Pressure(800, BASELINE, 900), Pressure(801, BASELINE, 0)
    assert is_calm(BUDGET, soft, holds_anybody_back=False)
    assert not is_calm(BUDGET, soft, holds_anybody_back=True)
    assert not is_calm(BUDGET, more, holds_anybody_back=False)
    assert not is_calm(BUDGET, more, holds_anybody_back=True)


def test_a_growth_is_granted_at_once_up_to_exactly_the_room_there_is() -> None:
    assert is_granted_at_once(10, 10, True, runs(1))
    assert not is_granted_at_once(11, 10, True, runs(1, 5))


def test_while_others_are_held_only_who_has_memory_already_is_granted_at_once() -> None:
    assert is_granted_at_once(10, 10, False, runs(1, 5))
    assert not is_granted_at_once(11, 10, False, runs(1, 5))
    assert not is_granted_at_once(10, 10, False, runs(1))


# Growth


def test_a_newcomer_waits_behind_whoever_is_older_and_has_to_wait() -> None:
    assert told(host(runs(1, 500), waits(2, 300), asks(3, 10))) == [("park", 3, 10)]
    assert told(host(runs(1, 500), parked(2, 150), asks(3, 10), resident=780)) == [("park", 3, 10)]


def test_a_newcomer_does_not_wait_behind_the_young() -> None:
    assert told(host(runs(1, 500), asks(2, 10), waits(3, 300))) == [("grant", 2, 10)]


def test_who_has_memory_already_may_grow_past_an_older_one_that_waits() -> None:
    assert told(host(runs(1, 500), waits(2, 300), asks(3, 10, held=1))) == [("grant", 3, 10)]


def test_a_newcomer_is_not_let_in_to_keep_the_machine_busy_before_its_turn() -> None:
    crowd = host(runs(1, 500), waits(2, 300), waits(3, 10), busy=4)
    assert told(crowd) == []


def test_a_growth_that_comes_exactly_to_soft_is_granted() -> None:
    assert told(host(runs(1, 400), asks(2, 300))) == [("grant", 2, 300)]


def test_a_growth_one_byte_past_soft_waits_for_who_runs() -> None:
    assert told(host(runs(1, 400), asks(2, 301))) == [("park", 2, 301)]


def test_who_waits_is_told_so_once() -> None:
    assert told(host(runs(1, 400), waits(2, 301))) == []


def test_a_growth_waits_while_the_resident_size_is_over_soft() -> None:
    assert told(host(runs(1, 10), asks(2, 10), resident=801)) == [("park", 2, 10)]
    assert told(host(runs(1, 10), asks(2, 10), resident=800)) == [("grant", 2, 10)]


def test_of_two_that_ask_and_do_not_fit_together_the_older_is_granted() -> None:
    view = host(runs(1, 400), asks(2, 200), asks(3, 200))
    assert told(view) == [("park", 3, 200), ("grant", 2, 200)]


def test_if_nobody_runs_others_are_spilled_for_the_oldest() -> None:
    assert told(host(waits(1, 101, 300), waits(2, 100, 400))) == [("spill", 2, 400)]


def test_the_oldest_goes_on_meanwhile_if_that_leaves_half_of_the_reserve() -> None:
    spill, grant = ("spill", 2, 400), ("grant", 1, 100)
    assert told(host(waits(1, 100, 300), waits(2, 100, 400))) == [spill, grant]
    assert told(host(waits(1, 101, 300), waits(2, 100, 400))) == [spill]


def test_what_compiles_is_no_room_that_is_being_made() -> None:
    assert told(compiling(host(waits(1, 50, 500), waits(2, 50)), 200)) == []


def test_nobody_goes_on_meanwhile_beside_one_that_runs() -> None:
    view = host(runs(1, 50), waits(2, 100, 250), waits(3, 100, 400), busy=2)
    assert told(view) == [("spill", 3, 400)]


def test_if_nobody_runs_one_that_cannot_be_made_to_fit_is_spilled_for_a_younger_that_can() -> None:
    meanwhile = [("spill", 1, 100), ("grant", 2, 250)]
    assert told(host(waits(1, 700, 100), waits(2, 250, 400))) == meanwhile


def test_no_more_are_spilled_than_is_needed() -> None:
    held = (waits(2, 50, 200), waits(3, 50, 200), waits(4, 50, 200))
    assert told(host(waits(1, 101, 100), *held)) == [("spill", 4, 200)]
    assert told(host(waits(1, 200, 100), *held)) == [("spill", 4, 200)]
    assert told(host(waits(1, 201, 100), *held)) == [("spill", 4, 200), ("spill", 3, 200)]


def test_what_is_being_spilled_is_not_asked_for_again() -> None:
    under_way = waits(2, 100, 400)._replace(spilling=True)
    assert told(host(waits(1, 101, 300), under_way)) == []
    assert told(host(waits(1, 100, 300), under_way)) == [("grant", 1, 100)]


def test_room_that_was_made_is_granted() -> None:
    assert told(host(waits(1, 100, 300), spilled(2, 400, 100))) == [("grant", 1, 100)]


def test_others_are_spilled_for_the_oldest_also_if_it_holds_nothing_yet() -> None:
    view = host(waits(1, 300), waits(2, 50, 400), waits(3, 50, 290))
    assert told(view) == [("spill", 2, 400)]


def test_while_the_machine_is_busy_nobody_is_spilled() -> None:
    assert told(host(runs(1, 100), waits(2, 250, 300), waits(3, 100, 300), busy=1)) == []


def test_while_a_core_is_idle_a_younger_one_is_spilled_for_an_older() -> None:
    view = host(runs(1, 100), waits(2, 250, 300), waits(3, 100, 300), busy=2)
    assert told(view) == [("spill", 3, 300)]


def test_room_is_made_also_for_a_growth_that_is_one_byte_past_soft() -> None:
    view = host(runs(1, 100), waits(2, 1, 300), waits(3, 100, 300), busy=2)
    assert told(view) == [("spill", 3, 300)]


def test_while_anybody_runs_no_elder_is_spilled() -> None:
    elder = waits(1, 500, 300)
    assert told(host(elder, runs(2, 100), waits(3, 10, 300), busy=2)) == []


def test_room_is_made_for_as_many_as_there_are_idle_cores() -> None:
    view = host(
        waits(1, 100, 230),
        waits(2, 100, 230),
        waits(3, 5, 120, priority=-1),
        waits(4, 5, 120, priority=-1),
        busy=2,
    )
    oldest = ("grant", 1, 100)
    both = [("spill", 3, 120), oldest, ("spill", 4, 120)]
    assert told(view, rules("both", "priority")) == both
    assert told(view._replace(busy_leases=1), rules("both", "priority")) == both[:2]


def test_whoever_sleeps_in_a_host_call_is_not_waited_for() -> None:
    asleep = runs(1, 100, stalled=True)
    view = host(asleep, waits(2, 250, 300), waits(3, 100, 300), busy=1)
    assert told(view) == [("spill", 3, 300)]


def test_while_anybody_runs_the_young_are_spilled_only_if_they_alone_make_enough_room() -> None:
    elder, young = waits(1, 500, 300), waits(4, 60, 100)
    assert told(host(elder, runs(2, 50), waits(3, 150, 200), young, busy=2)) == [("spill", 4, 100)]
    assert told(host(elder, runs(2, 50), waits(3, 151, 200), young, busy=2)) == []


def test_an_idle_core_is_kept_busy_by_one_that_holds_nothing_once_its_turn_has_come() -> None:
    view = host(parked(1, 100), waits(2, 100), parked(3, 550), busy=2)
    assert told(view) == [("resume", 1, 0), ("spill", 3, 550)]


def test_nobody_is_spilled_if_that_would_not_make_room() -> None:
    assert told(host(runs(1, 600), waits(2, 300, 50), waits(3, 10, 50), busy=2)) == []


def test_only_the_policys_victims_are_spilled() -> None:
    held = (waits(1, 100, 200), waits(2, 20, 200, priority=5), waits(3, 20, 290, priority=7))
    oldest = ("grant", 1, 100)
    assert told(host(*held), rules("both", "priority")) == [("spill", 2, 200), oldest]
    assert told(host(*held), rules("both", "largest")) == [("spill", 3, 290), oldest]


def test_without_room_on_disk_nobody_is_spilled() -> None:
    view = host(waits(1, 100, 300), waits(2, 100, 400), room=299)
    assert told(view) == [("grant", 1, 100)]
    assert decide(view, BOTH)[0].reason == "only way to progress"


def test_with_spill_alone_room_is_made_whoever_runs() -> None:
    view = host(runs(1, 100), waits(2, 250, 300), waits(3, 100, 300), busy=1)
    assert told(view, rules("spill")) == [("spill", 3, 300)]


def test_with_park_alone_nobody_is_spilled() -> None:
    view = host(waits(1, 100, 300), waits(2, 100, 400))
    assert told(view, rules("park")) == [("grant", 1, 100)]


def test_without_back_pressure_everything_is_granted() -> None:
    view = host(asks(1, 5000, 300), waits(2, 1, 400), parked(3, 10), resident=9999)
    assert told(view, rules("none")) == [("grant", 1, 5000), ("grant", 2, 1), ("resume", 3, 0)]


# The hard limit


def test_one_that_alone_is_over_soft_goes_on_up_to_hard() -> None:
    assert told(host(asks(1, 900))) == [("grant", 1, 900)]


def test_one_that_fits_once_it_is_alone_waits_for_the_others_to_end() -> None:
    crowd = host(runs(1, 50), asks(2, 901, held=20))
    assert told(crowd._replace(baseline_of_others_bytes=21)) == [("park", 2, 901)]
    assert told(crowd._replace(baseline_of_others_bytes=20)) == [("abort", 2, 20)]


def test_one_that_alone_is_over_hard_is_aborted_as_it_asks() -> None:
    assert told(host(asks(1, 901), runs(2))) == [("abort", 1, 0)]


def test_one_that_fits_below_soft_goes_before_one_that_would_go_past_it() -> None:
    view = host(waits(1, 500, 350), waits(2, 10, 300))
    assert told(view, rules("park")) == [("grant", 2, 10)]


def test_who_is_aborted_is_the_policys_choice() -> None:
    held = (waits(1, 100, 400), waits(2, 100, 450, priority=1))
    assert told(host(*held), rules("park", "priority")) == [("abort", 1, 400)]
    assert told(host(*held), rules("park", "largest")) == [("abort", 2, 450)]


def test_while_one_is_being_aborted_no_other_is() -> None:
    ending = waits(1, 100, 400)._replace(aborting=True)
    assert told(host(ending, waits(2, 100, 450)), rules("park")) == []


def test_a_policy_that_takes_nobody_ends_the_one_that_cannot_go_on() -> None:
    view = host(waits(1, 100, 400), waits(2, 100, 450))
    assert told(view, rules("park", "none")) == [("abort", 1, 400)]


def test_nobody_is_aborted_for_one_that_sleeps_and_will_wake() -> None:
    asleep = runs(1, 800, stalled=True)
    assert told(host(asleep, waits(2, 150, 50)), rules("park")) == []


# Resident size over the gates


def test_over_soft_one_is_parked_at_a_time() -> None:
    running = (runs(1, 10), runs(2, 10), runs(3, 10))
    assert told(host(*running, resident=801)) == [("park", 1, 0)]
    told_to = runs(1, 10, parking=True)
    assert told(host(told_to, *running[1:], resident=801)) == []


def test_exactly_at_soft_nobody_is_parked() -> None:
    assert told(host(runs(1, 10), runs(2, 10), resident=800)) == []


def test_the_last_that_runs_is_never_parked() -> None:
    assert told(host(parked(1, 0), runs(2, 10), resident=801)) == []


def test_past_hard_all_but_the_last_are_parked_at_once() -> None:
    view = host(runs(1), runs(2), runs(3), resident=1001)
    assert told(view) == [("park", 1, 0), ("park", 2, 0)]


def test_past_hard_without_spilling_all_but_the_last_are_parked_whatever_they_hold() -> None:
    view = host(runs(1, 300), runs(2, 300), runs(3, 300), resident=1001)
    assert told(view, rules("park")) == [("park", 1, 0), ("park", 2, 0)]


def test_with_spill_alone_only_who_can_be_spilled_then_is_parked() -> None:
    spill = rules("spill")
    assert told(host(runs(1, 1), runs(2), resident=801, room=1), spill) == [("park", 1, 0)]
    assert told(host(runs(1, 1), runs(2), resident=801, room=0), spill) == []
    assert told(host(runs(1), runs(2), resident=801), spill) == []


def test_over_soft_who_is_parked_is_spilled_once_all_but_one_are_parked() -> None:
    view = host(parked(1, 300), parked(2, 200), runs(3, 10), resident=900)
    assert told(view) == [("spill", 1, 300)]


def test_the_one_that_is_to_go_on_next_is_not_spilled() -> None:
    view = host(waits(1, 10, 300), waits(2, 10, 200), resident=900)
    assert told(view) == [("spill", 2, 200), ("grant", 1, 10)]


def test_past_hard_a_runner_with_nothing_left_to_park_or_spill_is_aborted() -> None:
    assert told(host(runs(1, 10), resident=1001)) == [("abort", 1, 10)]
    assert told(host(runs(1, 10), resident=1000)) == []


def test_past_hard_one_that_sleeps_is_aborted_only_if_all_sleep() -> None:
    asleep = runs(1, 500, stalled=True)
    assert told(host(asleep, runs(2, 10), resident=1001)) == [("abort", 2, 10)]
    assert told(host(asleep, resident=1001)) == [("abort", 1, 500)]


def test_where_the_resident_size_is_unknown_the_charge_alone_serves() -> None:
    assert told(host(runs(1, 400), runs(2, 500), resident=None)) == [("park", 1, 0)]


def test_over_soft_what_is_being_spilled_counts_as_given() -> None:
    view = host(parked(1, 300, spilling=True), parked(2, 200), runs(3, 10), resident=900)
    assert told(view) == []


def test_past_hard_nobody_is_aborted_while_something_is_being_spilled() -> None:
    assert told(host(runs(1, 10), parked(2, 300, spilling=True), resident=1100)) == []


# Resuming


def test_between_resume_and_soft_nothing_changes() -> None:
    assert told(host(runs(1, 10), parked(2, 10), spilled(3, 10, 1), resident=700)) == []


def test_an_idle_core_is_no_reason_to_resume_above_the_threshold() -> None:
    assert told(host(runs(1, 10), parked(2, 10), resident=700, busy=2)) == []


def test_below_resume_those_that_fit_go_on_oldest_first() -> None:
    view = host(runs(1, 10), parked(2, 10), spilled(3, 50, 5), resident=600, busy=3)
    assert told(view) == [("resume", 2, 0), ("grant", 3, 5)]


def test_what_comes_back_from_disk_is_said_to_be_below_resume_also_if_it_has_asked_to_grow() -> (
    None
):
    crowd = host(runs(1, 10), waits(2, 5, 10), spilled(3, 50, asked=5), busy=3)
    said = [(made.lease, made.reason) for made in decide(crowd, BOTH)]
    assert said == [(2, "fits below soft"), (3, "below resume")]


def test_a_spilled_lease_costs_its_full_size_again() -> None:
    assert told(host(runs(1, 500), spilled(2, 201), busy=2)) == []
    assert told(host(runs(1, 500), spilled(2, 200), busy=2)) == [("resume", 2, 200)]


def test_once_enough_run_a_spilled_lease_does_not_come_back() -> None:
    assert told(host(runs(1, 500), spilled(2, 100))) == []
    assert told(host(runs(1, 500), spilled(2, 100), enough=2)) == [("resume", 2, 100)]


def test_while_the_machine_is_busy_a_spilled_lease_comes_back_only_up_to_resume() -> None:
    assert told(host(runs(1, 500), spilled(2, 101), enough=2)) == []
    crowd = host(runs(1, 500), spilled(2, 101), spilled(3, 50), enough=2)
    assert told(crowd) == [("resume", 3, 50)]


def test_while_the_machine_is_busy_a_growth_is_granted_up_to_soft_if_not_enough_run() -> None:
    crowd = host(runs(1, 500), waits(2, 181, 10), waits(3, 180, 10), spilled(4, 101), enough=2)
    assert told(crowd) == [("grant", 3, 180)]


def test_while_memory_is_on_disk_no_more_go_on_than_are_enough() -> None:
    """Else they would grow side by side, and each would have to be spilled before it ends."""
    crowd = [waits(number, 10, 100) for number in (1, 2, 3, 4)]
    assert told(host(*crowd, spilled(5, 100), busy=2)) == [("grant", 1, 10), ("grant", 2, 10)]
    assert len(told(host(*crowd, spilled(5, 100), busy=2, enough=3))) == 3
    assert len(told(host(*crowd, busy=2))) == 4


def test_no_young_one_takes_room_that_an_old_one_fits_into_once_memory_is_written() -> None:
    old, young = spilled(2, 400, 40), waits(3, 40, 40)
    being_written = waits(4, 10, 300)._replace(spilling=True)
    assert told(host(runs(1), old, young, being_written, busy=2)) == []
    assert told(host(runs(1), old, young, spilled(4, 300, 10), busy=2)) == [("grant", 2, 40)]


def test_while_little_is_on_disk_all_go_on_that_fit() -> None:
    crowd = [waits(number, 10, 100) for number in (1, 2, 3)]
    assert len(told(host(*crowd, spilled(5, 300, stored=15)))) == 3
    assert len(told(host(*crowd, spilled(5, 300, stored=16)))) == 1


def test_who_sleeps_in_a_long_host_call_is_not_one_of_them() -> None:
    asleep = runs(1, 100)._replace(stalled=True)
    assert told(host(asleep, waits(2, 10, 100), spilled(3, 100))) == [("grant", 2, 10)]


def test_just_below_resume_one_that_is_resident_goes_on() -> None:
    assert told(host(runs(1, 10), parked(2, 10), resident=699)) == [("resume", 2, 0)]


def test_if_nobody_runs_one_goes_on_whatever_the_thresholds() -> None:
    assert told(host(parked(1, 10), parked(2, 10), resident=750)) == [("resume", 1, 0)]


# Laws, on any view


def leases_of(sizes: st.SearchStrategy[int]) -> st.SearchStrategy[Standing]:
    """A lease that stands in any way, and whose sizes are of these."""
    return st.builds(
        lambda priority, held, asked, stored, fixed, phase, flags: Standing(
            0,
            priority,
            held,
            asked if phase is not Phase.RUNNING or flags[0] else 0,
            phase,
            *flags[1:],
            stored_bytes=stored,
            fixed_bytes=fixed,
        ),
        st.integers(-2, 2),
        sizes,
        sizes,
        st.just(0) | sizes,
        st.just(0) | sizes,
        st.sampled_from(Phase),
        st.tuples(*[st.booleans()] * 6),
    ).map(
        # What cannot be: parking what is parked, spilling what runs, two endings at once.
        lambda lease: lease._replace(
            spillable=lease.spillable
            and (lease.phase is not Phase.RUNNING or lease.asked_bytes > 0),
            parking=lease.parking and lease.phase is Phase.RUNNING and not lease.asked_bytes,
            spilling=lease.spilling and lease.phase is Phase.PARKED and lease.spillable,
            stalled=lease.stalled and lease.phase is Phase.RUNNING and not lease.asked_bytes,
        )
    )


def hosts_of(limit_bytes: int) -> st.SearchStrategy[HostView]:
    """A host with this limit, whose leases stand in any way."""
    tenth = limit_bytes // 10
    return st.builds(
        lambda leases, resident, room, busy, enough: HostView(
            Budget(limit_bytes),
            resident,
            tenth,
            tuple(lease._replace(number=number) for number, lease in enumerate(leases, start=1)),
            room,
            busy,
            enough_leases=enough,
        ),
        st.lists(leases_of(st.integers(0, 4 * tenth)), max_size=7),
        st.none() | st.integers(0, 13 * tenth),
        st.integers(0, 15 * tenth),
        st.integers(1, 4),
        st.integers(0, 6),
    )


# Where there are few bytes, sums of sizes often come exactly to a threshold.
hosts_of_few_bytes = st.sampled_from((10, 20, 70)).flatmap(hosts_of)
host_views = hosts_of(1000) | hosts_of_few_bytes


def carried_out(view: HostView, decisions: Sequence[Decision]) -> HostView:
    """The view once what was decided is done, or under way where that takes time."""
    leases = {lease.number: lease for lease in view.leases}
    room = view.spill_room_bytes
    for made in decisions:
        lease = leases[made.lease]
        match made.action:
            case Action.GRANT | Action.RESUME:
                lease = lease.go_on()
            case Action.PARK:
                lease = lease.park()
            case Action.SPILL:
                room -= lease.room_needed_bytes
                lease = lease.spill()
            case Action.ABORT:
                lease = lease.abort()
        leases[made.lease] = lease
    return view._replace(leases=tuple(leases.values()), spill_room_bytes=room)


@given(host_views, any_rules)
def test_the_same_view_is_decided_the_same(view: HostView, rules: Rules) -> None:
    assert decide(view, rules) == decide(view, rules)


@given(host_views, st.just(0) | st.integers(1, 9), st.integers(0, 3), any_rules)
def test_what_is_decided_is_what_a_look_at_every_lease_would_decide(
    view: HostView, compiling: int, of_others: int, rules: Rules
) -> None:
    view = view._replace(compiling_bytes=compiling, baseline_of_others_bytes=of_others)
    assert decide(view, rules) == decide_plainly(view, rules)


@given(host_views, any_rules)
def test_decisions_settle(view: HostView, rules: Rules) -> None:
    for _ in range(len(view.leases) + 1):
        decisions = decide(view, rules)
        if not decisions:
            return
        view = carried_out(view, decisions)
    assert decide(view, rules) == []


@given(host_views, guarded_rules)
def test_no_growth_takes_the_charge_past_hard(view: HostView, rules: Rules) -> None:
    decisions = decide(view, rules)
    after = carried_out(view, decisions)
    grown = any(made.action in (Action.GRANT, Action.RESUME) for made in decisions)
    more = after.charged_bytes > view.charged_bytes
    charged_bytes = view.baseline_bytes + after.charged_bytes
    assert not (grown and more) or charged_bytes <= view.budget.limit_bytes


@given(host_views, guarded_rules)
def test_each_decision_is_one_that_can_be_carried_out(view: HostView, rules: Rules) -> None:
    leases = {lease.number: lease for lease in view.leases}
    room = view.spill_room_bytes
    for made in decide(view, rules):
        lease = leases[made.lease]
        assert not lease.aborting
        match made.action:
            case Action.GRANT:
                assert lease.asked_bytes == made.bytes > 0
                assert not lease.spilling
            case Action.RESUME:
                assert lease.phase is not Phase.RUNNING
                assert not lease.asked_bytes
                assert not lease.spilling
            case Action.PARK:
                assert lease.phase is Phase.RUNNING
                assert not lease.parking
                assert not lease.stalled
            case Action.SPILL:
                assert lease.phase is Phase.PARKED or lease.asked_bytes
                assert lease.phase is not Phase.SPILLED
                assert lease.spillable
                assert not lease.spilling
                room -= lease.room_needed_bytes
                assert room >= 0


def is_under_way(view: HostView) -> bool:
    return any(lease.is_changing for lease in view.leases)


@given(host_views, st.integers(1, 300), st.integers(1, 400), choosing_rules)
def test_past_hard_something_is_always_done(
    view: HostView, over: int, held: int, rules: Rules
) -> None:
    hog = Standing(99, 0, held)
    resident = view.budget.limit_bytes + over
    view = view._replace(resident_bytes=resident, leases=(*view.leases, hog))
    after = carried_out(view, decide(view, rules))
    assert is_under_way(after) or any(lease.aborting for lease in after.leases)


@given(host_views, guarded_rules)
def test_somebody_goes_on_or_something_is_under_way(view: HostView, rules: Rules) -> None:
    assume(any(not lease.aborting for lease in view.leases))
    for _ in range(len(view.leases) + 1):
        view = carried_out(view, decide(view, rules))
    going = any(lease.makes_progress for lease in view.leases)
    # Who is asleep in a host call comes to a tick as it wakes, and is decided upon then.
    going = going or any(lease.stalled and not lease.aborting for lease in view.leases)
    assert going or is_under_way(view) or all(lease.aborting for lease in view.leases)


@given(host_views, guarded_rules)
def test_a_lease_that_was_held_comes_back_only_below_resume_or_for_progress(
    view: HostView, rules: Rules
) -> None:
    running = any(lease.makes_progress for lease in view.leases)
    for made in decide(view, rules):
        if made.action is Action.RESUME:
            assert view.budget.is_below_resume(view.pressure) or not running


# Room on the disk


def test_what_lies_on_the_disk_already_takes_no_more_room_there() -> None:
    known = waits(2, 250, held=300)._replace(stored_bytes=300)
    assert told(host(waits(1, 200, held=300), known, room=0))[0] == ("spill", 2, 300)
    assert "spill" not in {
        made[0] for made in told(host(waits(1, 200, held=300), waits(2, 250, 300), room=0))
    }


def test_room_on_the_disk_that_one_spill_takes_is_not_there_for_another() -> None:
    for_growth = host(waits(1, 400, 100), waits(2, 200, 250), waits(3, 200, 250), room=300)
    assert told(for_growth) == [("spill", 3, 250), ("grant", 2, 200)]
    over_soft = host(parked(1, 150), parked(2, 150), runs(3, 10), resident=1000, room=299)
    assert told(over_soft) == [("spill", 2, 150)]
    assert told(over_soft._replace(spill_room_bytes=300)) == [("spill", 2, 150), ("spill", 1, 150)]


def test_what_can_come_free_is_no_more_than_the_disk_has_room_for() -> None:
    held = (waits(2, 500, 150), waits(3, 351, 150), waits(4, 351, 150))
    view = host(runs(1, 50), *held, room=300, busy=2)
    assert told(view) == [("spill", 4, 150), ("spill", 3, 150)]
    assert told(view._replace(spill_room_bytes=299)) == []


def test_what_can_come_free_is_counted_in_the_order_in_which_it_is_spilled() -> None:
    """The third takes all the room, and makes enough for the first; the second would not."""
    view = host(waits(1, 450, 200), waits(2, 700, 100), waits(3, 500, 300), room=300)
    assert told(view) == [("spill", 3, 300)]


# What compiles


def test_a_growth_that_fits_but_for_what_compiles_waits_and_is_never_too_large() -> None:
    view = host(asks(1, 750))
    assert told(view) == [("grant", 1, 750)]
    assert told(compiling(view, 200)) == [("park", 1, 750)]


def test_nobody_is_parked_spilled_or_aborted_for_what_compiles() -> None:
    for leases in ((runs(1, 300), runs(2, 300)), (waits(1, 100, 300), waits(2, 100, 300))):
        assert told(compiling(host(*leases), 500)) == []
        assert told(host(*leases, resident=1200))


def test_what_is_over_soft_without_what_compiles_is_made_way_for() -> None:
    view = compiling(host(runs(1, 600), runs(2, 400)), 50)
    assert [action for action, *_ in told(view)] == ["park"]


def test_leases_that_are_not_held_miss_nothing() -> None:
    assert missing_for_leases(compiling(host(runs(1, 600)), 900)) == 0


def test_the_oldest_lease_that_waits_misses_what_its_growth_is_over_soft() -> None:
    view = compiling(host(runs(1, 300), waits(2, 100), waits(3, 500)), 350)
    assert missing_for_leases(view) == 50


def test_a_lease_that_is_to_come_back_misses_what_is_not_below_resume() -> None:
    assert missing_for_leases(compiling(host(parked(1, 100), runs(2, 300)), 250)) == 51
    assert missing_for_leases(compiling(host(spilled(1, 300), runs(2, 300)), 250)) == 150


def test_nothing_is_missing_for_a_growth_that_comes_exactly_to_soft() -> None:
    assert missing_for_leases(host(waits(1, 300), runs(2, 400))) == 0
    assert missing_for_leases(host(waits(1, 301), runs(2, 400))) == 1


def test_a_lease_whose_memory_is_on_disk_misses_what_is_not_below_resume_for_its_growth() -> None:
    view = compiling(host(spilled(1, 10, asked=10), runs(2, 300)), 250)
    assert missing_for_leases(view) == -49
    assert missing_for_leases(compiling(view, 300)) == 1
    assert missing_for_leases(compiling(view, 350)) == 51
