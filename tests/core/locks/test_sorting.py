"""The orders in which locks are listed."""

import pytest

from atectl.locks.sorting import ORDER_OF, SORT_ORDERS, SortBy, SortOrder, sort_locks
from tests.support.lock_rows import ROWS, row


@pytest.mark.parametrize("order", SORT_ORDERS, ids=lambda order: order.by.value)
def test_what_has_no_value_comes_last_either_way(order: SortOrder) -> None:
    for is_reversed in (False, True):
        ranked = [
            order.value(each) is None for each in sort_locks(ROWS, order, is_reversed=is_reversed)
        ]
        assert ranked == sorted(ranked)


def test_the_largest_memory_comes_first_and_the_shortest_ttl() -> None:
    small, large = row("small", current_bytes=1), row("large", current_bytes=2)
    assert sort_locks([small, large], ORDER_OF[SortBy.memory]) == [large, small]
    assert sort_locks(ROWS, ORDER_OF[SortBy.ttl])[0].lock.actor == "reports"


def test_every_value_of_a_choice_is_an_order() -> None:
    assert set(ORDER_OF) == set(SortBy)


def test_locks_that_are_equal_come_in_order_of_their_names() -> None:
    rows = [row("b", current_bytes=1), row("c", current_bytes=2), row("a", current_bytes=1)]
    names = [each.lock.actor for each in sort_locks(rows, ORDER_OF[SortBy.memory])]
    assert names == ["c", "a", "b"]
