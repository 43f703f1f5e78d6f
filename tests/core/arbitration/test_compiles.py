"""The order in which capsules are compiled, and who of those that are gives way to leases."""

from atectl.arbitration.compiles import MOST_YIELDS, Ask, Compiles, Grant


def begun(compiles: Compiles, principal: str, granted: int = 100) -> Grant:
    ask = Ask(principal, granted)
    compiles.wait(ask)
    grant = Grant(ask, granted, 1000, 10, has_all=False)
    compiles.begin(grant)
    return grant


def test_principals_have_their_turns_however_many_each_has_in_line() -> None:
    compiles = Compiles()
    asks = [Ask(principal, 1) for principal in ("a", "a", "a", "b", "c", "b")]
    for ask in asks:
        compiles.wait(ask)
    order = []
    while compiles.first_in_line:
        first = compiles.first_in_line[0]
        order.append(asks.index(first))
        compiles.begin(Grant(first, 1, 1, 0, has_all=False))
    assert order == [0, 3, 4, 1, 5, 2]


def test_one_that_leaves_the_line_has_no_turn() -> None:
    compiles = Compiles()
    first, second = Ask("a", 1), Ask("a", 1)
    compiles.wait(first)
    compiles.wait(second)
    compiles.leave_line(first)
    assert compiles.first_in_line == [second]
    compiles.leave_line(second)
    assert compiles.first_in_line == []


def test_it_counts_what_was_granted_and_more_if_more_is_seen() -> None:
    compiles = Compiles()
    one, other = begun(compiles, "a"), begun(compiles, "b", 50)
    assert compiles.counted_bytes == 170
    one.resident_bytes, other.resident_bytes = 90, 80
    assert compiles.counted_bytes == 110 + 80
    compiles.end(one)
    assert compiles.counted_bytes == 80


def test_the_latest_gives_way_and_no_more_than_is_needed() -> None:
    compiles = Compiles()
    grants = [begun(compiles, "a") for _ in range(3)]
    compiles.give_way(missing_bytes=110, over_limit_bytes=-5)
    assert [grant.is_to_end for grant in grants] == [False, False, True]
    compiles.give_way(missing_bytes=110, over_limit_bytes=-5)  # that is on its way already
    assert [grant.is_to_end for grant in grants] == [False, False, True]
    compiles.give_way(missing_bytes=111, over_limit_bytes=-5)
    assert [grant.is_to_end for grant in grants] == [False, True, True]


def test_nothing_gives_way_where_nothing_is_missing() -> None:
    compiles = Compiles()
    grant = begun(compiles, "a")
    compiles.give_way(missing_bytes=0, over_limit_bytes=-5)
    assert not grant.is_to_end


def test_what_has_given_way_often_is_spared_unless_the_host_is_past_its_limit() -> None:
    compiles = Compiles()
    grant = begun(compiles, "a")
    grant.ask.yields = MOST_YIELDS
    compiles.give_way(missing_bytes=50, over_limit_bytes=0)
    assert not grant.is_to_end
    compiles.give_way(missing_bytes=50, over_limit_bytes=1)
    assert grant.is_to_end
