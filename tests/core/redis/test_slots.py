"""The slots of a cluster, as one of its nodes tells them."""

import pytest

from atectl.redis.errors import RedisRefused
from atectl.redis.settings import Address
from atectl.redis.slots import read_slots, slot_of

SEED = Address("seed", 1)


def told(*ranges: tuple[int, int, str]) -> list[object]:
    return [[first, last, [host.encode(), 7, b"id"]] for first, last, host in ranges]


def test_a_key_belongs_to_the_primary_of_its_slot() -> None:
    slots, _ = read_slots(told((0, 8000, "a"), (8001, 16383, "b")), SEED)
    assert slots.primary_of(b"lock:actor:web") == Address("a", 7)
    slots.move(slot_of(b"lock:actor:web"), Address("b", 7))
    assert slots.primary_of(b"lock:actor:web") == Address("b", 7)


def test_slots_that_nobody_has_are_known() -> None:
    slots, _ = read_slots(told((5, 8000, "a"), (8002, 16382, "b")), SEED)
    assert slots.uncovered() == ("0-4", "8001", "16383")
    assert slots.ranges_of(Address("a", 7)) == ("5-8000",)


def test_replicas_are_learned_and_a_node_without_address_has_that_of_who_told() -> None:
    answer = [[0, 16383, [b"", 1, b"id"], [b"r", 2, b"id"], [b"?", 3, b"id"]]]
    slots, nodes = read_slots(answer, SEED)
    assert slots.primaries() == [Address("seed", 1)]
    assert nodes == (Address("seed", 1), Address("r", 2))


@pytest.mark.parametrize(
    "answer",
    [None, 7, [7], [[0]], [[0, 1]], [[0, 99999, [b"a", 1]]], [[0, 1, [b"a", b"x"]]], [[0, 1, 2]]],
)
def test_an_answer_that_makes_no_sense_is_refused(answer: object) -> None:
    with pytest.raises(RedisRefused, match="nonsense"):
        read_slots(answer, SEED)
