"""A cell is believed about nothing: whatever it asks, its lease gets no more than its quota."""

import os
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import Budget
from atectl.arbitration.arbiter import Arbiter
from atectl.arbitration.place import Place
from atectl.arbitration.policies import rules
from atectl.batch.cells.channel import LongMessages
from atectl.batch.cells.host_line import HostLine
from atectl.batch.cells.wire import Wire
from atectl.batch.loop import Loop
from atectl.errors import AtectlError
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
        self.is_lost = False
        self.has_never_begun = False
        self.results: list[dict[str, Any]] = []

    def code(self) -> int:
        return os.open(os.devnull, os.O_RDONLY)

    def begin(self, told: object) -> None:
        raise AssertionError(f"it has begun, and not with {told}")

    def take_missing(self, told: object) -> None:
        raise AssertionError(f"all walls are there, and not without {told}")

    def have_spilled(self, freed_bytes: int, failure: AtectlError | None) -> None:
        raise AssertionError("nobody told it to spill")

    def take_result(self, told: dict[str, Any]) -> None:
        self.results.append(told)

    def never_begin(self) -> None:
        self.has_never_begun = True

    def lose(self, error: Exception | None = None) -> None:
        assert error is None
        self.is_lost = True

    @property
    def held_bytes(self) -> int:
        assert self.place is not None
        return self.place.seat.held_bytes


class Talk:
    """A line between a lease and a cell that is a test."""

    def __init__(self) -> None:
        self.lease = SomeLease()
        self.is_condemned = False
        ours, its = socket.socketpair()
        self.loop = Loop()
        self.is_gone = False
        self.line = HostLine(ours, self.loop, self._condemn, self._go, 1 << 20, LongMessages())
        self.cell = Wire(its)
        self.line.begin(self.lease, {"job": 1}, ())
        assert self.cell.receive().content == {"job": 1}

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self.loop.close()
        self.cell.close()

    def _go(self) -> None:
        self.is_gone = True

    def _condemn(self) -> None:
        self.is_condemned = True

    def say(self, *said: dict[str, Any]) -> list[dict[str, Any]]:
        """What a cell is answered that says this."""
        heard = []
        for each in said:
            self.cell.send(each)
            turns = iter([True, False])
            self.loop.post(lambda: None)
            self.loop.run(lambda turns=turns: next(turns))  # type: ignore[misc]
            if self.line.is_closed:
                break
            answer = self.cell.receive_now()
            if answer is not None:
                heard.append(answer.content)
        return heard


def test_a_growth_is_granted_and_some_more_is_lent() -> None:
    with Talk() as talk:
        (answer,) = talk.say({"grow": 65_536})
        assert 65_536 <= answer["granted"] == talk.lease.held_bytes <= QUOTA_BYTES


def test_who_grows_far_by_small_steps_asks_for_few_of_them() -> None:
    steps, asked, credit_bytes = 1000, 0, 0
    with Talk() as talk:
        talk.lease.quota_bytes = steps * 65_536
        for _ in range(steps):
            if credit_bytes < 65_536:
                (answer,) = talk.say({"grow": 65_536 - credit_bytes})
                credit_bytes += answer["granted"]
                asked += 1
            credit_bytes -= 65_536
        assert talk.lease.held_bytes == talk.lease.quota_bytes
    assert asked < steps / 25


def test_what_is_freed_can_be_had_again() -> None:
    with Talk() as talk:
        first, second = talk.say({"grow": 3 * MIB}, {"free": 2 * MIB}, {"grow": 2 * MIB})
        assert first["granted"] >= 3 * MIB
        assert second["granted"] >= 2 * MIB
        assert talk.lease.held_bytes <= QUOTA_BYTES


def test_a_tick_is_answered_with_whether_the_guest_is_to_end() -> None:
    with Talk() as talk:
        assert talk.say({"tick": 0}) == [{"ends": False}]
        talk.lease.is_ending = True
        assert talk.say({"tick": 0}) == [{"ends": True}]


def test_code_is_handed_to_a_cell_that_lacks_it() -> None:
    with Talk() as talk:
        assert talk.say({"lacks": "code"}) == [{"code": True}]


def test_code_goes_with_the_order_to_a_cell_that_was_handed_none() -> None:
    with Talk() as talk:
        talk.line.begin(talk.lease, {"job": 2}, (), hands_code=True)
        content, descriptors = talk.cell.receive()
        assert content == {"job": 2, "code": True}
        (code,) = descriptors
        os.close(code)


def test_code_is_handed_once_to_each_lease() -> None:
    with Talk() as talk:
        assert talk.say({"lacks": "code"}, {"lacks": "code"}) == [{"code": True}]
        assert talk.is_condemned


def test_a_result_is_passed_on() -> None:
    with Talk() as talk:
        talk.say({"outcome": {"reason": "exited"}})
        assert talk.lease.results == [{"outcome": {"reason": "exited"}}]


def test_a_lease_whose_cell_hangs_up_is_lost() -> None:
    with Talk() as talk:
        talk.cell.close()
        talk.loop.run(lambda: not talk.lease.is_lost)
        assert talk.line.is_closed
        assert talk.is_gone
        assert not talk.is_condemned


@pytest.mark.parametrize(
    "said",
    [
        {"grow": QUOTA_BYTES + 1},
        {"grow": -1},
        {"grow": 0},
        {"grow": "much"},
        {"grow": True},
        {"free": 0},
        {"free": 1},
        {"free": -MIB},
        {"tick": 1},
        {"begin": 0},
        {"what": 1},
        {},
    ],
)
def test_a_cell_that_says_what_none_says_is_condemned(said: dict[str, Any]) -> None:
    with Talk() as talk:
        assert talk.say(said) == []
        assert talk.is_condemned
        assert talk.lease.is_lost
        assert talk.line.is_closed


def test_a_cell_that_speaks_while_its_guest_waits_is_condemned() -> None:
    with Talk() as talk:
        assert talk.lease.place is not None
        assert talk.lease.arbiter.register(Tenant(), 2).admit(Budget(1 << 30).soft_bytes - MIB)
        talk.say({"grow": 2 * MIB}, {"grow": 1})
        assert talk.is_condemned


def test_a_cell_that_speaks_where_nothing_runs_is_condemned() -> None:
    with Talk() as talk:
        talk.line.leave()
        talk.say({"free": 0})
        assert talk.is_condemned
        assert not talk.lease.is_lost


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
    with Talk() as talk:
        talk.say(*said)
        assert 0 <= talk.lease.held_bytes <= QUOTA_BYTES


class Waiting:
    """A line on which a lease is to begin that needs 3 MiB for its code, under a limit of 10 MiB
    of which another one holds `held_bytes`."""

    def __init__(self, held_bytes: int) -> None:
        self.lease = SomeLease()
        self.lease.arbiter = arbiter = Arbiter(
            Budget(10 * MIB), rules("park"), lambda: None, resident=lambda: 0
        )
        self.other = arbiter.register(Tenant(), 1)
        assert self.other.admit(held_bytes)
        self.tenant = Tenant()
        self.lease.place = arbiter.register(self.tenant, 2, fixed_bytes=3 * MIB)
        ours, its = socket.socketpair()
        self.loop = Loop()
        self.cell = Wire(its)
        self.line = HostLine(ours, self.loop, lambda: None, lambda: None, 1 << 20, LongMessages())
        self.line.begin(self.lease, {"job": 1, "credit": 0}, (), first_bytes=3 * MIB)

    def __enter__(self) -> "Waiting":
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self.loop.close()
        self.cell.close()

    def look(self) -> None:
        """See what has become of it, as its host does once it is woken."""
        assert self.lease.place is not None
        goes_on = self.lease.place.look()
        if goes_on is not None:
            self.line.answer(goes_on=goes_on)


def test_a_cell_is_told_of_a_lease_once_the_memory_for_its_code_is_granted() -> None:
    with Waiting(7 * MIB) as waiting:
        assert waiting.cell.receive_now() is None
        waiting.other.give_back(5 * MIB)
        waiting.other.leave()
        waiting.look()
        assert waiting.cell.receive().content == {"job": 1, "credit": 3 * MIB}
        assert waiting.lease.held_bytes == 3 * MIB


def test_a_lease_that_is_to_end_before_that_never_begins() -> None:
    with Waiting(7 * MIB) as waiting:
        waiting.tenant.is_ending = True
        waiting.look()
        assert waiting.lease.has_never_begun
        assert waiting.cell.receive_now() is None
        assert waiting.lease.held_bytes == 0


def test_what_is_lent_at_first_and_the_memory_for_its_code_are_within_the_quota() -> None:
    with Waiting(MIB) as waiting:
        assert waiting.line.first_credit(waiting.lease, QUOTA_BYTES - 5) == 5
