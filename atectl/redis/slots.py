"""The slots of a cluster: which node has them, as one node tells it."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from redis.crc import key_slot  # noqa: TID253 - imported lazily, by the commands that need it

from atectl.redis.errors import RedisRefused
from atectl.redis.settings import Address

SLOTS = 16_384


class SlotRange(NamedTuple):
    """Slots from `first` to `last`, and their primary."""

    first: int
    last: int
    primary: Address


class SlotMap:
    """Which node has each slot."""

    def __init__(self, ranges: Iterable[SlotRange]) -> None:
        self._ranges = sorted(ranges)
        self._firsts = [each.first for each in self._ranges]
        self._moved: dict[int, Address] = {}

    def primary_of(self, key: bytes) -> Address | None:
        """The node that has the slot of a key; None if none has."""
        slot = slot_of(key)
        if slot in self._moved:
            return self._moved[slot]
        place = bisect_right(self._firsts, slot) - 1
        if place < 0 or self._ranges[place].last < slot:
            return None
        return self._ranges[place].primary

    def move(self, slot: int, to: Address) -> None:
        """Take note that a node has a slot now."""
        self._moved[slot] = to

    def primaries(self) -> list[Address]:
        """Every node that has slots, in the order of the slots."""
        return list(dict.fromkeys([*(x.primary for x in self._ranges), *self._moved.values()]))

    def ranges_of(self, primary: Address) -> tuple[str, ...]:
        """The slots that a node has, as `0-5460` or `7`."""
        return tuple(_shown(x.first, x.last) for x in self._ranges if x.primary == primary)

    def uncovered(self) -> tuple[str, ...]:
        """The slots that no node has, in the same form."""
        gaps, expected = [], 0
        for each in self._ranges:
            if each.first > expected:
                gaps.append(_shown(expected, each.first - 1))
            expected = max(expected, each.last + 1)
        if expected < SLOTS:
            gaps.append(_shown(expected, SLOTS - 1))
        return tuple(gaps)


def slot_of(key: bytes) -> int:
    """The slot of a key: by what is in its first braces, if anything is, else by all of it."""
    return key_slot(key)


def read_slots(answer: Any, source: Address) -> tuple[SlotMap, tuple[Address, ...]]:
    """The map in an answer to CLUSTER SLOTS, and all nodes in it, replicas included.

    Raises:
        RedisRefused: the answer makes no sense (exit 125).
    """
    ranges: list[SlotRange] = []
    nodes: dict[Address, None] = {}
    try:
        for first, last, *servers in answer:
            found = [_address(server, source) for server in servers]
            nodes |= dict.fromkeys(each for each in found if each is not None)
            if found[0] is not None:
                ranges.append(SlotRange(_slot(first), _slot(last), found[0]))
    except (TypeError, ValueError, LookupError):
        raise RedisRefused(f"{source} answered CLUSTER SLOTS with nonsense") from None
    return SlotMap(ranges), tuple(nodes)


def _address(server: Sequence[Any], source: Address) -> Address | None:
    """The address of a node; None if the cluster does not know it."""
    host, port = server[0], server[1]
    text = host.decode("utf-8", "replace") if isinstance(host, bytes) else ""
    if text == "?":
        return None
    if not isinstance(port, int) or not 0 < port < 65_536:
        raise ValueError("no port")
    # A node that knows no address of its own leaves it out.
    return Address(text or source.host, port)


def _slot(number: Any) -> int:
    if not isinstance(number, int) or not 0 <= number < SLOTS:
        raise ValueError("no slot")
    return number


def _shown(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
