"""A cell is believed about nothing: whatever it asks, its lease gets no more than its quota."""

import os
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.place import Place
from atectl.arbitration.policies import rules
from atectl.batch.cells.host_line import HostLine
from atectl.batch.cells.wire import Gone, Malformed, Wire
from tests.core.batch.cells.test_wire import JSON
from tests.support.tenants import Tenant

MIB = 1 << 20
QUOTA_BYTES = 4 * MIB


class SomeLease:
    """A lease that has begun."""

    def __init__(self) -> None:
        budget = Budget(1 << 30)
        self.arbiter = Arbiter(budget, rules("park"), lambda: None, resident=lambda: 0)
        self.place: Place | None = self.arbiter.register(Tenant(), 1)
        self.quota_bytes = QUOTA_BYTES
        self.is_ending = False

    def code(self) -> int:
        return os.open(os.devnull, os.O_RDONLY)

    def begin(self, told: object) -> None:
        raise AssertionError(f"it has begun, and not with {told}")

    @property
    def held_bytes(self) -> int:
        assert self.place is not None
        return self.place.seat.held_bytes


def answers(lease: SomeLease, *said: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell is answered that says this and ends."""
    ours, its = socket.socketpair()
    line, cell = HostLine(Wire(ours), lease), Wire(its)
    heard: list[dict[str, Any]] = []

    def talk() -> None:
        with suppress(Gone, OSError):  # the host hangs up on who says what no cell says
            for each in said:
                cell.send(each)
                if "free" not in each or "grow" in each:
                    heard.append(cell.receive().content)
            its.shutdown(socket.SHUT_WR)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        with suppress(Gone):
            line.serve()
    finally:
        ours.close()
        talking.join()
        its.close()
    return heard


def test_a_growth_is_granted_and_some_more_is_lent() -> None:
    lease = SomeLease()
    (answer,) = answers(lease, {"grow": 65_536})
    assert 65_536 <= answer["granted"] == lease.held_bytes <= QUOTA_BYTES


def test_what_is_freed_can_be_had_again() -> None:
    lease = SomeLease()
    first, second = answers(lease, {"grow": 3 * MIB}, {"free": 2 * MIB}, {"grow": 2 * MIB})
    assert first["granted"] >= 3 * MIB
    assert second["granted"] >= 2 * MIB
    assert lease.held_bytes <= QUOTA_BYTES


@pytest.mark.parametrize(
    "said",
    [
        {"grow": QUOTA_BYTES + 1},
        {"grow": -1},
        {"grow": "much"},
        {"grow": True},
        {"free": 1},
        {"free": -MIB},
        {"tick": 1},
    ],
)
def test_what_no_cell_asks_for_is_malformed(said: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        answers(SomeLease(), said)


@given(
    said=st.lists(
        st.dictionaries(
            st.sampled_from(["grow", "free", "tick", "begin"]),
            JSON | st.integers(-MIB, 2 * QUOTA_BYTES),
            min_size=1,
            max_size=2,
        ),
        max_size=6,
    )
)
def test_whatever_a_cell_says_its_lease_holds_no_more_than_its_quota(
    said: list[dict[str, Any]],
) -> None:
    lease = SomeLease()
    with suppress(Malformed):
        answers(lease, *said)
    assert 0 <= lease.held_bytes <= QUOTA_BYTES
